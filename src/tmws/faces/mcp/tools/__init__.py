"""The tools, in the order in which a model reads them."""

from __future__ import annotations

from tmws.faces.mcp.registry import Registry
from tmws.faces.mcp.tools.analytics import pattern_stats
from tmws.faces.mcp.tools.learning import (
    find_patterns,
    get_pattern,
    learn_pattern,
    report_outcome,
)
from tmws.faces.mcp.tools.memory import recall, remember
from tmws.faces.mcp.tools.patterns import (
    learn_patterns,
    remove_pattern,
    revise_pattern,
    share_pattern,
)
from tmws.faces.mcp.tools.recommendation import recommend_patterns
from tmws.faces.mcp.tools.trust import compare_trust, get_trust, next_audits, rely
from tmws.faces.mcp.tools.verification import get_verification, verify_claim

REGISTRY = Registry(
    [
        find_patterns,
        get_pattern,
        learn_pattern,
        recommend_patterns,
        report_outcome,
        learn_patterns,
        pattern_stats,
        revise_pattern,
        share_pattern,
        remove_pattern,
        verify_claim,
        get_verification,
        get_trust,
        compare_trust,
        next_audits,
        rely,
        remember,
        recall,
    ]
)

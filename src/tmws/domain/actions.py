"""What a caller can ask for; each is a tool of the same name, and a gate stands before it."""

from __future__ import annotations

from enum import StrEnum


class Action(StrEnum):
    """One member per tool, in the order in which tools are listed."""

    LEARN_PATTERN = "learn_pattern"
    FIND_PATTERNS = "find_patterns"
    GET_PATTERN = "get_pattern"
    LEARN_PATTERNS = "learn_patterns"
    REVISE_PATTERN = "revise_pattern"
    SHARE_PATTERN = "share_pattern"
    REMOVE_PATTERN = "remove_pattern"
    RECOMMEND_PATTERNS = "recommend_patterns"
    REPORT_OUTCOME = "report_outcome"
    PATTERN_STATS = "pattern_stats"
    VERIFY_CLAIM = "verify_claim"
    GET_VERIFICATION = "get_verification"
    GET_TRUST = "get_trust"
    COMPARE_TRUST = "compare_trust"
    NEXT_AUDITS = "next_audits"
    RELY = "rely"
    REMEMBER = "remember"
    RECALL = "recall"

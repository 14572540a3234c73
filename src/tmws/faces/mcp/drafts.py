"""A pattern as its author writes it: the arguments of learning one, or many."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from tmws.domain.agents import AccessLevel
from tmws.domain.patterns import LONGEST_NAME, LONGEST_SUMMARY, MOST_COMPLEX, PatternDraft
from tmws.faces.mcp.fields import Grants, Identifier, Namespace, Slug, Structured, Tags
from tmws.faces.mcp.registry import Arguments


class LearnPattern(Arguments):
    """A pattern as its author writes it."""

    name: Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]
    category: Annotated[Slug, Field(description="A kind of task, e.g. testing, refactoring.")]
    summary: Annotated[
        str,
        Field(max_length=LONGEST_SUMMARY, description="When it applies and why it works."),
    ] = ""
    data: Annotated[
        Structured | None, Field(description="The steps or code, at most 64 KiB of JSON.")
    ] = None
    tags: Tags = ()
    level: Annotated[
        AccessLevel,
        Field(
            description="private: you alone. shared: those in shared_with. public: your "
            "namespace. system: admins only."
        ),
    ] = AccessLevel.PRIVATE
    shared_with: Annotated[Grants, Field(description="Names of agents, for level shared.")] = ()
    namespace: Namespace = None
    subcategory: Slug | None = None
    complexity: Annotated[int | None, Field(ge=1, le=MOST_COMPLEX)] = None
    learning_weight: Annotated[float, Field(ge=0, le=1)] = 1.0
    derived_from: Annotated[Identifier | None, Field(description="A pattern's id.")] = None

    def as_draft(self) -> PatternDraft:
        """Return what the service stores."""
        return PatternDraft(**dict(self))

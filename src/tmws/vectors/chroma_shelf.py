"""What both ways to Chroma share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

CONFIGURATION: Any = {"hnsw": {"space": "cosine", "ef_search": 300, "ef_construction": 200}}
"""Searched with 100, a filter that leaves 1 % lost some of the nearest."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """A collection of Chroma; its metadata holds the revision that was taken over."""

    id: str
    name: str
    metadata: Mapping[str, Any]

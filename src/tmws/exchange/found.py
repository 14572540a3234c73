"""What an importer finds in a file: patterns on their way in, and what it could not read."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from tmws.domain.batches import Incoming
from tmws.domain.patterns import LONGEST_SUMMARY

_SLUG = 50


@dataclass(frozen=True, slots=True)
class Found:
    """A pattern, and the place it was found at, for whoever reads the report."""

    where: str
    incoming: Incoming


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A place that holds no pattern, and why."""

    where: str
    message: str


def slug(text: str, *, otherwise: str) -> str:
    """Return a category or tag made of a text of any form."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    made = re.sub(r"[^a-z0-9]+", "-", plain)[:_SLUG].strip("-")
    return made or otherwise


def shortened(text: str) -> str:
    """Return the beginning of a text, as much as a summary holds."""
    return text if len(text) <= LONGEST_SUMMARY else text[: LONGEST_SUMMARY - 1] + "…"

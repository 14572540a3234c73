"""What somebody is about to do, when a recommendation is asked for it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tmws.domain.errors import InvalidInput
from tmws.domain.wording import require_text

LONGEST_TASK = 1000
LONGEST_ERROR = 2000
LONGEST_FILE = 200
MOST_FILES = 20
MOST_RECOMMENDED = 10


class Severity(StrEnum):
    """How bad it is if a recommendation turns out wrong."""

    NORMAL = "normal"
    HIGH = "high"


@dataclass(frozen=True, slots=True)
class Request:
    """What is looked for.

    Attributes:
        text: all of it.
        matters: the task, and the error if there is one: an answer to either is one.
    """

    text: str
    matters: tuple[str, ...]

    @property
    def wordings(self) -> tuple[str, ...]:
        """All of it, then each matter alone: what it stands beside must not drown it."""
        return tuple(dict.fromkeys((self.text, *self.matters)))


@dataclass(frozen=True, slots=True)
class Situation:
    """A task, and what is known of it.

    Attributes:
        task: in any words.
        error: what went wrong so far, as it was printed.
        files: names of the files it is about.
        severity: with `high` nothing is tried out: no exploration and no hold-out.
        limit: 1 to 10.
        namespace: look into this one only.
    """

    task: str
    error: str = ""
    files: tuple[str, ...] = ()
    severity: Severity = Severity.NORMAL
    limit: int = 3
    namespace: str | None = None

    def request(self) -> Request:
        """Return the words to look for.

        Raises:
            InvalidInput: a field is out of bounds, or holds what no text may.
        """
        if not 1 <= self.limit <= MOST_RECOMMENDED:
            raise InvalidInput(f"limit {self.limit} is refused: give 1 to {MOST_RECOMMENDED}.")
        if len(self.files) > MOST_FILES:
            raise InvalidInput(
                f"{len(self.files)} files are refused: name the {MOST_FILES} that matter most."
            )
        matters = [require_text(self.task, what="Task", longest=LONGEST_TASK, multiline=True)]
        if self.error.strip():
            matters.append(
                require_text(self.error, what="Error", longest=LONGEST_ERROR, multiline=True)
            )
        files = [require_text(name, what="File", longest=LONGEST_FILE) for name in self.files]
        return Request("\n".join([*matters, *files]), tuple(matters))

"""What a refusal looks like on a terminal: one line on stderr and an exit status."""

from __future__ import annotations

from tmws.domain.errors import TmwsError

EXIT_CODES = {
    "INTERNAL": 1,
    "INVALID_INPUT": 2,
    "NOT_FOUND": 3,
    "CONFLICT": 4,
    "PERMISSION_DENIED": 5,
    "LIMIT_EXCEEDED": 6,
    "TOOL_DISABLED": 6,
    "SANDBOX_UNAVAILABLE": 7,
    "BACKEND_UNAVAILABLE": 7,
    "SIGNATURE_INVALID": 8,
    "LEDGER_CORRUPT": 8,
}


def exit_code(error: TmwsError) -> int:
    """Return the exit status for a refusal."""
    return EXIT_CODES[error.code]

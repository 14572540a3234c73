"""Every way TMWS refuses, as one small family.

The code is for programs, the message for whoever has to act: it names what was
refused, the limit, and the way out. The faces turn these into tool errors, HTTP
statuses and exit codes by one table each.
"""

from __future__ import annotations


class TmwsError(Exception):
    """What TMWS refuses or cannot do.

    Attributes:
        code: stable machine name, upper case.
        message: at most about 300 characters, safe to show to the caller.
        retryable: the same request may succeed later without a change.
        retry_after_seconds: when, if nothing was even begun now.
    """

    code = "INTERNAL"
    retryable = False

    def __init__(
        self,
        message: str,
        *,
        retryable: bool | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after_seconds = retry_after_seconds
        if retryable is not None:
            self.retryable = retryable


class InvalidInput(TmwsError):
    """A value breaks a rule that the message names."""

    code = "INVALID_INPUT"


class NotFound(TmwsError):
    """Nothing of that name is visible to the caller; hidden and absent look alike."""

    code = "NOT_FOUND"


class Conflict(TmwsError):
    """The store already holds something that contradicts the request."""

    code = "CONFLICT"


class PermissionDenied(TmwsError):
    """The caller is known and may not do this."""

    code = "PERMISSION_DENIED"


class LimitExceeded(TmwsError):
    """A bound was reached; the message says which and when to come back."""

    code = "LIMIT_EXCEEDED"


class ToolDisabled(TmwsError):
    """An administrator switched this tool off; the message carries the reason."""

    code = "TOOL_DISABLED"


class SandboxUnavailable(TmwsError):
    """No check could run. Nothing was judged and no trust moved."""

    code = "SANDBOX_UNAVAILABLE"
    retryable = True


class BackendUnavailable(TmwsError):
    """The database, index or embedder did not answer."""

    code = "BACKEND_UNAVAILABLE"
    retryable = True


class SignatureInvalid(TmwsError):
    """A signature does not verify under any accepted key."""

    code = "SIGNATURE_INVALID"


class LedgerCorrupt(TmwsError):
    """The ledger no longer proves what it recorded."""

    code = "LEDGER_CORRUPT"

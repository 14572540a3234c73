"""What was tried from inside, and what it means that something was possible."""

from __future__ import annotations

from collections.abc import Sequence

from tmws.domain.errors import SandboxUnavailable
from tmws.faces.cli.printing import Printer
from tmws.ports import Probe


def show(printer: Printer, probes: Sequence[Probe], *, holder: str, so: str) -> None:
    """Print what each probe observed.

    Args:
        holder: what should have held, to begin a sentence with.
        so: the sentence that says what follows where it did not.

    Raises:
        SandboxUnavailable: something was possible that must not be.
    """
    printer.rows(
        ("held", "name", "observed"),
        [{"held": probe.held, "name": probe.name, "observed": probe.observed} for probe in probes],
        empty="",
    )
    if broken := [probe.name for probe in probes if not probe.held]:
        raise SandboxUnavailable(f"{holder}: {', '.join(broken)}. {so}", retryable=False)

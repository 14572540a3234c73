"""`tmws evidence`: verifying an exported verdict, on any machine, with a public key."""

from __future__ import annotations

from pathlib import Path

import click

from tmws import offline_verifier
from tmws.app import App
from tmws.domain.errors import InvalidInput, SignatureInvalid
from tmws.faces.cli.printing import Printer
from tmws.faces.cli.running import json_option, with_app


@click.group()
def evidence() -> None:
    """Verify exported verdicts without a server or a database."""


@evidence.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--key",
    "keys",
    multiple=True,
    required=True,
    help="Public key, 64 hex digits or a file of them. Repeatable.",
)
@json_option
def verify(file: Path, keys: tuple[str, ...], as_json: bool) -> None:
    """Say what FILE proves; exit 8 if it proves nothing."""
    try:
        trusted = [offline_verifier.read_key(key) for key in keys]
    except offline_verifier.NotAKey as error:
        raise InvalidInput(
            f"{error} Give what the other side's 'tmws evidence key' shows."
        ) from error
    try:
        content = file.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{str(file)[:200]!r} cannot be read: {error.strerror}.") from error
    try:
        proven = offline_verifier.verify(content, trusted)
    except offline_verifier.NotProven as error:
        raise SignatureInvalid(f"{file} proves nothing. {error}") from error
    ours = proven.statement["predicate"]["tmws"]
    Printer(as_json=as_json).record(
        {
            "verdict": ours["judgement"]["verdict"],
            "level": ours["judgement"]["level"],
            "statement": ours["claim"]["statement"],
            "agent": ours["claim"]["agent"],
            "claimed_at": ours["claim"]["claimed_at"],
            "detail": ours["judgement"]["detail"],
            "workspace": proven.statement["subject"][0]["name"],
            "snapshot_sha256": proven.statement["subject"][0]["digest"]["sha256"],
            "argv": " ".join(ours["argv"]),
            "report": "included" if proven.has_report else "digest only",
            "ledger": proven.origin,
            "ledger_index": proven.index,
            "ledger_size": proven.size,
        }
    )


@evidence.command()
@with_app
async def key(app: App, printer: Printer) -> None:
    """Show the public key of this installation; hand it on another way than the evidence."""
    public = app.exports.public_key
    printer.record({"public_key": public.hex(), "id": offline_verifier.key_id(public)})

"""The command group, and the one place where a refusal becomes an exit status."""

from __future__ import annotations

import sys

import click

from tmws import __version__
from tmws.domain.errors import TmwsError
from tmws.faces.cli import (
    agents,
    claims,
    demo,
    doctor,
    ledger,
    patterns,
    sandbox,
    serve,
    tools,
    trust,
    workspaces,
)
from tmws.faces.cli.errors import exit_code


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="tmws")
def tmws() -> None:
    """Agents learn from what worked, prove what they claim, and earn trust.

    Settings come from TMWS_* variables; see the README. Start with: tmws demo.
    """


for command in (
    serve.serve,
    demo.demo,
    doctor.doctor,
    agents.agents,
    workspaces.workspaces,
    patterns.patterns,
    claims.claims,
    trust.trust,
    ledger.ledger,
    tools.tools,
    sandbox.sandbox,
):
    tmws.add_command(command)


def main() -> None:
    """Run the command line; refusals end with their own exit status."""
    try:
        tmws.main(standalone_mode=False)
    except TmwsError as error:
        click.echo(f"{error.code}: {error.message}", err=True)
        sys.exit(exit_code(error))
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(130)

"""The command group, and the one place where a refusal becomes an exit status."""

from __future__ import annotations

import gc
import importlib
import sys

import click

from tmws import __version__
from tmws.domain.errors import TmwsError
from tmws.faces.cli.errors import exit_code

_COMMANDS = {
    "serve": "Serve MCP clients, on stdio or over HTTP.",
    "demo": "Watch two agents learn, claim, get checked, and earn trust.",
    "doctor": "Look at everything the server needs.",
    "agents": "Create agents, give them secrets, and shut them out.",
    "workspaces": "Open folders of this machine for checks, and close them.",
    "refs": "Register tests and settings that verdicts may trust.",
    "held": "Keep questions whose answers decide at level independent.",
    "checkers": "Let WebAssembly modules compute numbers that claims are about.",
    "levels": "Say what verdicts have to reach, for each namespace.",
    "patterns": "Show what agents have learned.",
    "memories": "Show notes of agents, and erase them.",
    "claims": "Show claims and their verdicts.",
    "evidence": "Verify exported verdicts without a server or a database.",
    "trust": "Show trust scores; only verdicts move them.",
    "ledger": "Verify the record of verdicts and administrative acts.",
    "store": "Copy the whole store, to move it or to keep it.",
    "tools": "Switch tools off and on, in every running server at once.",
    "eval": "Measure trust and search on data of your own.",
    "embedder": "Install the language model that compares meanings.",
    "vectors": "Show, check and rebuild what vectors are found with.",
    "sandbox": "Build the sandbox image and test what it must deny.",
}


class _Commands(click.Group):
    """Imports a command's module when it is called: `tools disable` waits for no MCP SDK."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        gc.disable()  # imports make no garbage; `serve` enables it again, the others soon end
        module = importlib.import_module(f"tmws.faces.cli.{cmd_name}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="tmws")
def tmws() -> None:
    """Agents learn from what worked, prove what they claim, and earn trust.

    Settings come from TMWS_* variables; see the README. Start with: tmws demo.
    """


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

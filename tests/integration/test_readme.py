"""What the README shows is what happens."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from mcp import Client, StdioServerParameters

from tests.integration.command import tmws
from tests.patience import ENOUGH_SECONDS
from tmws.domain.actions import Action
from tmws.faces.cli.main import tmws as command_group

README = Path(__file__).parents[2] / "README.md"


def blocks(language: str) -> list[str]:
    """Return the fenced blocks of one language."""
    return re.findall(rf"```{language}\n(.*?)```", README.read_text(), re.DOTALL)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The shell of somebody who has installed TMWS and registered a project."""
    project = tmp_path / "project"
    (project / "tests").mkdir(parents=True)
    (project / "tests" / "test_sums.py").write_text("def test_sum():\n    assert 1 + 1 == 2\n")
    data = tmp_path / "data"
    assert tmws("workspaces", "add", "my-project", str(project), data=data).status == 0
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {"PATH": programs, "HOME": str(tmp_path), "TMWS_DATA_DIR": str(data)}


def test_the_first_example_verifies_a_claim(environment: dict[str, str], tmp_path: Path) -> None:
    program = blocks("python")[0].replace(
        'args=["serve"])', f'args=["serve"], env={{"TMWS_DATA_DIR": {str(tmp_path / "data")!r}}})'
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        timeout=ENOUGH_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("SUPPORTED 1 test passed")


@pytest.mark.parametrize("block", blocks("json"))
async def test_every_client_configuration_starts_a_server(
    block: str, environment: dict[str, str]
) -> None:
    configuration = json.loads(block)
    server = next(iter(configuration.values()))["tmws"]
    parameters = StdioServerParameters(
        command=str(Path(sys.executable).with_name(server["command"])),
        args=server["args"],
        env=environment,
    )
    async with asyncio.timeout(30), Client(parameters) as client:
        assert len((await client.list_tools()).tools) == len(Action)


def test_every_command_of_the_readme_exists() -> None:
    context = click.Context(command_group)
    for group, name in sorted(set(re.findall(r"tmws ([a-z]+)(?: ([a-z]+))?", README.read_text()))):
        command = command_group.get_command(context, group)
        assert command is not None, group
        if isinstance(command, click.Group):
            assert name in command.commands, f"{group} {name}"

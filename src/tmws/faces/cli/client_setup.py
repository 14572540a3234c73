"""What to paste where, so that an agent finds this server."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from pathlib import Path


def client_setup() -> list[str]:
    """Return the configuration for Claude Code, Cursor and VS Code, line by line."""
    command = _command()
    server = {"command": command, "args": ["serve"]}
    return [
        "",
        "Claude Code:",
        f"claude mcp add tmws -- {shlex.quote(command)} serve",
        "",
        "Cursor, in .cursor/mcp.json:",
        json.dumps({"mcpServers": {"tmws": server}}),
        "",
        "VS Code, in .vscode/mcp.json:",
        json.dumps({"servers": {"tmws": {"type": "stdio", **server}}}),
        "",
        "To act as a named agent, create one (tmws agents create NAME) and add TMWS_AGENT_ID and",
        "TMWS_AGENT_SECRET to the environment of the server.",
    ]


def _command() -> str:
    """Return `tmws` where a client would find it, else the whole path of this one."""
    return "tmws" if shutil.which("tmws") else str(Path(sys.executable).with_name("tmws"))

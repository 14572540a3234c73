"""What to paste where, so that an agent finds this server."""

from __future__ import annotations

import json


def client_setup() -> list[str]:
    """Return the configuration for Claude Code, Cursor and VS Code, line by line."""
    server = {"command": "tmws", "args": ["serve"]}
    return [
        "",
        "Claude Code:",
        "claude mcp add tmws -- tmws serve",
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

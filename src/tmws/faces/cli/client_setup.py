"""What to paste where, so that an agent finds this server."""

from __future__ import annotations

import json


def client_setup() -> list[str]:
    """Return the configuration for Claude Code, Cursor and VS Code, line by line."""
    server = {"command": "tmws", "args": ["serve"]}
    return [
        "Claude Code:",
        "  claude mcp add tmws -- tmws serve",
        "Cursor (.cursor/mcp.json):",
        "  " + json.dumps({"mcpServers": {"tmws": server}}),
        "VS Code (.vscode/mcp.json):",
        "  " + json.dumps({"servers": {"tmws": {"type": "stdio", **server}}}),
        "As a named agent: add TMWS_AGENT_ID and TMWS_AGENT_SECRET (tmws agents create NAME) to "
        "its environment.",
    ]

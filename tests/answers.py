"""What a tool answered, as a client reads it."""

from __future__ import annotations

import mcp_types as wire


def text_of(result: wire.CallToolResult) -> str:
    """Return the one block of text that a result holds."""
    (block,) = result.content
    assert isinstance(block, wire.TextContent)
    return block.text

"""The `tmws` command: for people who run the server, and for their scripts."""

from __future__ import annotations

from tmws.faces.cli.main import main

__all__ = ["main"]

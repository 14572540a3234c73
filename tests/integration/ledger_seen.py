"""What entries of the ledger tell, for tests."""

from __future__ import annotations

import json
from typing import Any

from tests.integration.services import Installation
from tmws.storage import ledger


async def entries(place: Installation, kind: str) -> list[dict[str, Any]]:
    """Return what the ledger's entries of a kind tell."""
    async with place.database() as database, database.read() as connection:
        return [
            json.loads(entry.payload or b"{}")
            async for entry in ledger.entries(connection)
            if f'"type":"{kind}"'.encode() in entry.leaf
        ]

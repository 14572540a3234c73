"""An embedded Chroma store that reads requests, a line each, and answers."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import chromadb
import numpy as np
from chromadb.api import ClientAPI
from chromadb.config import Settings

from tmws.vectors.chroma_shelf import CONFIGURATION

Request = Mapping[str, Any]
Say = Callable[[Mapping[str, Any]], None]


def serve(store: Path, requests: Iterator[str], say: Say) -> None:
    """Open the store and answer every request."""
    try:
        client = chromadb.PersistentClient(store, Settings(anonymized_telemetry=False))
    except Exception as error:
        say({"error": str(error)})
        return
    say({"ready": True})
    for line in requests:
        request = json.loads(line)
        try:
            say({"result": _OPERATIONS[request["operation"]](client, request)})
        except Exception as error:
            say({"error": str(error) or type(error).__name__})


def _find(client: ClientAPI, request: Request) -> Any:
    try:
        shelf = client.get_collection(request["name"], embedding_function=None)
    except chromadb.errors.NotFoundError:
        return None
    return {"id": str(shelf.id), "name": shelf.name, "metadata": shelf.metadata}


def _create(client: ClientAPI, request: Request) -> Any:
    client.get_or_create_collection(
        request["name"],
        metadata=request["metadata"],
        configuration=CONFIGURATION,
        embedding_function=None,
    )
    return _find(client, request)


def _shelf(client: ClientAPI, request: Request) -> Any:
    return client.get_collection(request["name"], embedding_function=None)


def _describe(client: ClientAPI, request: Request) -> None:
    _shelf(client, request).modify(metadata=request["metadata"])


def _upsert(client: ClientAPI, request: Request) -> None:
    vectors = np.frombuffer(base64.b64decode(request["vectors"]), np.float32)
    _shelf(client, request).upsert(
        ids=request["ids"],
        embeddings=vectors.reshape(len(request["ids"]), -1),
        metadatas=request["metadatas"],
    )


def _nearest(client: ClientAPI, request: Request) -> Any:
    query = np.frombuffer(base64.b64decode(request["query"]), np.float32)
    found = _shelf(client, request).query(
        query_embeddings=[query],
        ids=request["ids"],
        where=request["where"],
        n_results=request["limit"],
        include=["distances"],
    )
    return list(zip(found["ids"][0], found["distances"][0], strict=True))


def _revisions(client: ClientAPI, request: Request) -> Any:
    found = _shelf(client, request).get(ids=request["ids"], include=["metadatas"])
    revisions = (metadata["revision"] for metadata in found["metadatas"])
    return dict(zip(found["ids"], revisions, strict=True))


def _count(client: ClientAPI, request: Request) -> int:
    if request["where"] is None:
        return int(_shelf(client, request).count())
    return len(_shelf(client, request).get(where=request["where"], include=[])["ids"])


_OPERATIONS: Mapping[str, Callable[[ClientAPI, Request], Any]] = {
    "find": _find,
    "create": _create,
    "describe": _describe,
    "upsert": _upsert,
    "nearest": _nearest,
    "revisions": _revisions,
    "count": _count,
}

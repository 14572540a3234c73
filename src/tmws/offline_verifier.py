"""Verify an exported verdict with nothing but this file, its public key, and Ed25519.

No server, no database, nothing else of TMWS: whoever doubts a verdict can read this and
run it elsewhere (`python offline_verifier.py FILE KEY …`). It shares no code with what
makes evidence, so that one mistake can't be made in both.

What is checked, each step resting on the one before:

1. The file is in its one normal form, so that no byte is without meaning.
2. The DSSE envelope is signed by a key that the caller trusts.
3. The report is the one whose digest the signed statement names.
4. The ledger's payload names the digest of this very envelope, and agrees about the
   claim, the snapshot and the verdict; the leaf commits to the payload.
5. The leaf lies in the tree (RFC 9162 §2.1.3.2) of a checkpoint that a trusted key signed.
6. The file does not hold an entry of that ledger by which the verdict was withdrawn. One that
   was written before the withdrawal cannot know of it: ask for a new one.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

FORMAT = "tmws-evidence/1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
MOST_BYTES = 16 * 2**20
_KEY_BYTES, _MOST_OF_A_KEY = 32, 1000
_ENTRY = {"leaf", "salt", "payload", "path"}
_FIELDS = {"format", "envelope", "report", "checkpoint"} | _ENTRY


class NotProven(Exception):
    """The file does not prove what it says; the words name the step that failed."""


class NotAKey(Exception):
    """What was given for a key is none, so nothing was looked at."""


@dataclass(frozen=True)
class Proven:
    """What a file proved.

    Attributes:
        statement: the signed in-toto statement.
        index, size: where the verdict stands in the ledger, and how long that was.
        origin: the name of the ledger.
        has_report: the report lies in the file too.
    """

    statement: dict[str, Any]
    index: int
    size: int
    origin: str
    has_report: bool


def verify(content: bytes, keys: Sequence[bytes]) -> Proven:
    """Return what the file proves under these raw public keys.

    Raises:
        NotProven: it proves nothing.
    """
    if len(content) > MOST_BYTES:
        raise NotProven(f"The file is longer than {MOST_BYTES} bytes.")
    try:
        return _verified(_normal(content), keys)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise NotProven(f"The file is not an exported verdict ({error}).") from error


def read_key(text: str) -> bytes:
    """Return the raw key written as 64 hex digits, or in a file of that name.

    Raises:
        NotAKey: it is neither.
    """
    path = Path(text)
    try:
        key = bytes.fromhex(_beginning(path) if path.is_file() else text)
    except OSError as error:
        raise NotAKey(f"The key {text[:80]!r} cannot be read: {error.strerror}.") from error
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:
        raise NotAKey(f"{text[:80]!r} is no public key: neither 64 hex digits nor a file of them.")
    return key


def _beginning(path: Path) -> str:
    with path.open() as file:
        return file.read(_MOST_OF_A_KEY)


def key_id(key: bytes) -> str:
    """Return the name by which envelopes call a key."""
    return hashlib.sha256(key).hexdigest()[:16]


def _normal(content: bytes) -> dict[str, Any]:
    """Return the fields of a file that could not be written in any other way."""
    fields = json.loads(content)
    written = json.dumps(fields, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    known = set(fields) in (_FIELDS, _FIELDS | {"withdrawal"})
    if written.encode() != content or not known or fields["format"] != FORMAT:
        raise NotProven("The file is not in its normal form.")
    return dict(fields)


def _verified(fields: dict[str, Any], keys: Sequence[bytes]) -> Proven:
    envelope = fields["envelope"].encode()
    statement = _signed_statement(envelope, keys)
    _require_report(fields["report"], statement)
    leaf = _require_verdict(fields, envelope, statement)
    origin, size, root = _signed_checkpoint(fields["checkpoint"], keys)
    _require_in_tree(fields, size, root)
    if "withdrawal" in fields:
        _require_in_tree(fields["withdrawal"], size, root)
        _refuse_withdrawn(fields["withdrawal"], statement)
    return Proven(statement, leaf["index"], size, origin, fields["report"] is not None)


def _signed_statement(envelope: bytes, keys: Sequence[bytes]) -> dict[str, Any]:
    fields = json.loads(envelope)
    payload = base64.b64decode(fields["payload"], validate=True)
    kind = PAYLOAD_TYPE.encode()
    message = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)
    [signature] = fields["signatures"]
    made = base64.b64decode(signature["sig"], validate=True)
    known = [key for key in keys if key_id(key) == signature["keyid"]]
    if fields["payloadType"] != PAYLOAD_TYPE or not any(
        _holds(key, made, message) for key in known
    ):
        raise NotProven("The envelope is not signed by a key that was given.")
    statement = json.loads(payload)
    if statement["_type"] != STATEMENT_TYPE:
        raise NotProven("The envelope does not hold an in-toto statement.")
    return dict(statement)


def _require_report(report: str | None, statement: dict[str, Any]) -> None:
    if report is None:
        return
    content = base64.b64decode(report, validate=True)
    named = statement["predicate"]["tmws"]["run"]["report_sha256"]
    normal = base64.b64encode(content).decode() == report
    if not normal or hashlib.sha256(content).hexdigest() != named:
        raise NotProven("The report is not the one that the statement names.")


def _require_verdict(
    fields: dict[str, Any], envelope: bytes, statement: dict[str, Any]
) -> dict[str, Any]:
    leaf, payload = _committed(fields)
    ours = statement["predicate"]["tmws"]
    said = {
        "evidence_sha256": hashlib.sha256(envelope).hexdigest(),
        "snapshot_sha256": statement["subject"][0]["digest"]["sha256"],
        "claim": ours["claim"]["id"],
        "verdict": ours["judgement"]["verdict"],
        "level": ours["judgement"]["level"],
    }
    for name, value in said.items():
        if payload[name] != value:
            raise NotProven(f"The ledger names another {name} than the statement.")
    return leaf


def _committed(entry: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return leaf and payload of a ledger entry once the one commits to the other."""
    leaf, payload = json.loads(entry["leaf"]), json.loads(entry["payload"])
    committed = hashlib.sha256(_hash(entry["salt"]) + entry["payload"].encode()).hexdigest()
    if leaf["payload"] != committed:
        raise NotProven("The ledger entry does not commit to the payload.")
    return dict(leaf), dict(payload)


def _require_in_tree(entry: dict[str, Any], size: int, root: bytes) -> None:
    path = [_hash(each) for each in entry["path"]]
    leaf_hash = hashlib.sha256(b"\x00" + entry["leaf"].encode()).digest()
    if _root(leaf_hash, json.loads(entry["leaf"])["index"], size, path) != root:
        raise NotProven("The ledger entry does not lie in the tree of the checkpoint.")


def _refuse_withdrawn(entry: dict[str, Any], statement: dict[str, Any]) -> None:
    leaf, payload = _committed(entry)
    claim = statement["predicate"]["tmws"]["claim"]["id"]
    if leaf["type"] != "evidence_withdrawn" or payload["evidence"] != claim:
        raise NotProven("What is said to withdraw the verdict withdraws another, or none.")
    raise NotProven(
        f"The verdict was withdrawn by {payload['by']}, as entry {leaf['index']} of the ledger "
        f"says: {payload['reason']}"
    )


def _signed_checkpoint(note: str, keys: Sequence[bytes]) -> tuple[str, int, bytes]:
    """Return origin, size and root (C2SP tlog-checkpoint) once a given key signed them."""
    origin, size, root64, empty, signature, end = note.split("\n")
    body = f"{origin}\n{size}\n{root64}\n"
    start = f"\u2014 {origin} "
    blob = base64.b64decode(signature.removeprefix(start), validate=True)
    normal = (
        (empty, end) == ("", "")
        and signature == start + base64.b64encode(blob).decode()
        and size == str(int(size))
    )
    for key in keys:
        hint = hashlib.sha256(origin.encode() + b"\n\x01" + key).digest()[:4]
        if normal and blob[:4] == hint and _holds(key, blob[4:], body.encode()):
            return origin, int(size), base64.b64decode(root64, validate=True)
    raise NotProven("The checkpoint is not signed by a key that was given.")


def _root(value: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """Return the root that the path leads to from a leaf; None if it is too long or short."""
    if not 0 <= index < size:
        return None
    first, last = index, size - 1
    for sibling in path:
        if last == 0:
            return None
        if first & 1 or first == last:
            value = hashlib.sha256(b"\x01" + sibling + value).digest()
            while not first & 1 and first:
                first, last = first >> 1, last >> 1
        else:
            value = hashlib.sha256(b"\x01" + value + sibling).digest()
        first, last = first >> 1, last >> 1
    return value if last == 0 else None


def _hash(text: str) -> bytes:
    value = bytes.fromhex(text)
    if len(value) != 32 or value.hex() != text:
        raise NotProven("A hash is not 64 lower-case hex digits.")
    return value


def _holds(key: bytes, signature: bytes, message: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def main(arguments: Sequence[str]) -> int:
    """Verify a file given with its keys; say what it proves, or why it proves nothing."""
    if len(arguments) < 2:
        sys.stderr.write("usage: offline_verifier.py FILE KEY [KEY ...]\n")
        return 2
    try:
        keys = [read_key(text) for text in arguments[1:]]
        content = Path(arguments[0]).read_bytes()
    except (NotAKey, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    try:
        proven = verify(content, keys)
    except NotProven as error:
        sys.stderr.write(f"NOT PROVEN: {error}\n")
        return 8
    json.dump(proven.statement, sys.stdout, indent=2)
    sys.stdout.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

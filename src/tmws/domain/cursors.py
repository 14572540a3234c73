"""Where a listing goes on: opaque to callers, refused when it belongs to another query."""

from __future__ import annotations

import base64
import binascii
import json
import re
from datetime import UTC, datetime, timedelta

from tmws.domain.canonical import Json, canonical_bytes, digest
from tmws.domain.errors import InvalidInput

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_ID = re.compile(r"[a-z]{1,16}_[0-9a-z]{1,26}")


def cursor_at(place: Json, *, query: Json) -> str:
    """Return the cursor of a place in the results of a query."""
    return base64.urlsafe_b64encode(canonical_bytes([digest(query)[:12], place])).decode()


def place_of(cursor: str, *, query: Json) -> Json:
    """Return the place that `cursor_at` wrote.

    Raises:
        InvalidInput: it is no cursor, or one of another query.
    """
    try:
        mark, place = json.loads(base64.urlsafe_b64decode(cursor.encode()))
    except (ValueError, binascii.Error, TypeError, RecursionError) as error:
        raise InvalidInput(
            "The cursor is refused. Use next_cursor exactly as it was returned, or leave it out."
        ) from error
    if mark != digest(query)[:12]:
        raise InvalidInput(
            "The cursor belongs to another query. Repeat the query it came from, or leave it out."
        )
    return place  # type: ignore[no-any-return]  # JSON from our own hand


def time_place(at: datetime, item_id: str) -> list[Json]:
    """Return the place after an item in a listing by time."""
    return [(at - _EPOCH) // _MICROSECOND, item_id]


def after_time_place(place: Json) -> tuple[datetime, str]:
    """Return time and id of the item that `time_place` was made from.

    Raises:
        InvalidInput: it has another form.
    """
    # The mark is no secret: a caller can forge any place, but none that the store chokes on.
    match place:
        case [int(moment), str(item_id)] if 0 <= moment < 2**53 and _ID.fullmatch(item_id):
            return _EPOCH + moment * _MICROSECOND, item_id
    raise InvalidInput("The cursor is refused. Use next_cursor exactly as it was returned.")

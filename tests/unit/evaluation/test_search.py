"""The evaluation of search measures what it says, on a corpus small enough to check by hand."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tmws.domain.errors import InvalidInput
from tmws.domain.ranking import Arm, weighing
from tmws.embeddings.hashing import HashingEmbedder
from tmws.evaluation.meaning import Better, better
from tmws.evaluation.search import Question, Report, evaluate
from tmws.evaluation.search_data import read
from tmws.ports import Vector
from tmws.vectors.exact import ExactIndex

CORPUS = {
    "files/delete-old": "Remove files that are older than thirty days.",
    "files/compress": "Pack a folder into a compressed archive.",
    "network/ping": "Send echo requests to a host and measure the round trip.",
    "images/resize": "Scale pictures to another width and height.",
}


async def silent(_: str) -> None:
    """Report no progress to anybody."""


async def measured(questions: list[Question], uses: list[Question] | None = None) -> Report:
    return await evaluate(
        CORPUS,
        questions,
        embedders={Arm.CHARACTERS: HashingEmbedder()},
        index=ExactIndex(),
        uses=uses or [],
        progress=silent,
    )


@pytest.mark.anyio
async def test_plain_questions_are_answered_at_the_first_place() -> None:
    report = await measured(
        [
            Question("remove files older than a month", ("files/delete-old",)),
            Question("measure the round trip to a host", ("network/ping",)),
        ]
    )
    assert [row.name for row in report.rows] == ["words", "characters", "fused", "grep"]
    for row in report.rows:
        assert (row.recall_at_1, row.mrr, row.ndcg) == (1.0, 1.0, 1.0)
        assert 0.0 < row.p50_ms <= row.p95_ms
    assert (report.texts, report.questions, report.left_out) == (4, 2, 0)
    assert (report.answered, report.right_if_answered) == (1.0, 1.0)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ("Größe ändern", "size"),
        ("grosse andern", "size"),
        ("फ़ाइलें", "delete"),
        ("मिटाएँ", "delete"),
    ],
)
async def test_every_way_finds_words_with_their_marks_and_without(asked: str, answer: str) -> None:
    corpus = CORPUS | {"size": "Die Größe von Bildern ändern", "delete": "पुरानी फ़ाइलें मिटाएँ"}
    report = await evaluate(
        corpus,
        [Question(asked, (answer,))],
        embedders={Arm.CHARACTERS: HashingEmbedder()},
        index=ExactIndex(),
        progress=silent,
    )
    assert [row.recall_at_1 for row in report.rows] == [1.0] * 4


@pytest.mark.anyio
async def test_recall_counts_every_relevant_id_and_mrr_the_first() -> None:
    report = await measured(
        [Question("pack a folder compressed archive", ("images/resize", "files/compress"))]
    )
    fused = next(row for row in report.rows if row.name == "fused")
    assert fused.recall_at_1 == 0.5
    assert fused.mrr == 1.0


@pytest.mark.anyio
async def test_silence_is_counted_apart() -> None:
    report = await measured([Question("poem about autumn leaves", ("network/ping",))])
    assert report.answered == report.right_if_answered == 0.0


@pytest.mark.anyio
async def test_past_uses_find_what_no_word_tells() -> None:
    uses = [Question(f"is the server {state}?", ("network/ping",)) for state in ("up", "down")]
    report = await measured([Question("is the server down", ("network/ping",))], uses)
    by_name = {row.name: row for row in report.rows}
    assert by_name["uses"].recall_at_1 == 1.0
    assert by_name["fused"].recall_at_1 == 1.0
    assert by_name["words"].recall_at_1 == 0.0


@pytest.mark.anyio
async def test_questions_about_something_else_are_left_out() -> None:
    questions = [Question("ping", ("network/ping",)), Question("ping", ("elsewhere",))]
    report = await measured(questions)
    assert (report.questions, report.left_out) == (1, 1)
    with pytest.raises(InvalidInput, match="belong together"):
        await measured(questions[1:])


@pytest.mark.anyio
async def test_questions_that_nothing_answers_say_how_often_noise_is_shown() -> None:
    known = Question("measure the round trip to a host", ("network/ping",))
    nothing = [Question("poem about autumn leaves", ()), Question("round trip to a host", ())]
    report = await measured([known, *nothing])
    assert (report.questions, report.left_out, report.unanswerable) == (1, 0, 2)
    assert (report.answered, report.shown_all_the_same) == (1.0, 0.5)
    assert (await measured([known])).unanswerable == 0


class Senses:
    """An embedder to which texts of as many full stops are the same, and all others strangers."""

    id, dimension, english_only = "senses", 12, True

    async def embed(self, texts: Sequence[str]) -> Vector:
        return np.array([np.eye(12, dtype=np.float32)[text.count(".")] for text in texts])

    async def aclose(self) -> None:
        """Nothing is open."""


WORDS = "ash birch cedar elm fir hazel larch maple oak pine rowan yew".split()


async def compared(wanted: Sequence[int], meaning: float = 0.3) -> Report:
    """Ask for each tree by its name where the text that is wanted is of this number."""
    return await evaluate(
        {f"t{n}": f"the {word} grows here" + "." * n for n, word in enumerate(WORDS)},
        [Question(word + "." * n, (f"t{n}",)) for word, n in zip(WORDS, wanted, strict=True)],
        embedders={Arm.MEANING: Senses()},
        index=ExactIndex(),
        progress=silent,
        among=weighing(meaning),
    )


NEXT = [*range(1, 12), 0]


@pytest.mark.anyio
async def test_where_meaning_is_right_and_words_are_wrong_a_greater_weight_is_told() -> None:
    report = await compared(NEXT)
    assert report.better is not None
    assert report.better.weight > 0.3
    assert report.better.mrr > report.better.before
    fused = {row.name: row for row in report.rows}["fused"]
    assert report.better.before == fused.mrr
    told = await compared(NEXT, report.better.weight)
    assert {row.name: row for row in told.rows}["fused"].mrr == report.better.mrr
    assert told.better is None


@pytest.mark.anyio
async def test_where_the_usual_weight_will_do_nothing_is_told() -> None:
    assert (await compared(range(12))).better is None
    assert (await measured([Question("ping", ("network/ping",))])).better is None


def test_what_may_be_chance_is_no_better_weight() -> None:
    now = [0.0, 1.0] * 20
    assert better(now, {0.5: [1.0, 0.0] * 20, 0.6: [*now[:-2], 1.0, 1.0]}) is None
    assert better(now, {0.5: [0.5, 1.0] * 20, 0.6: [1.0] * 40}) == Better(0.6, 1.0, 0.5)
    assert better([0.0], {0.5: [1.0]}) is None


def test_files_are_read_plain_and_gzipped(tmp_path: Path) -> None:
    corpus, questions = tmp_path / "corpus.json.gz", tmp_path / "questions.json"
    corpus.write_bytes(gzip.compress(json.dumps(CORPUS).encode()))
    records = [
        {"q": "why", "context": "because", "rel": ["a", "b"]},
        {"q": "how", "rel": ["a", "b"], "primary": "b", "cmd": "not read"},
    ]
    questions.write_text(json.dumps(records))
    material = read(corpus, questions)
    assert material.corpus == CORPUS
    assert material.questions == (Question("because why", ("a", "b")), Question("how", ("b",)))
    assert material.uses == ()


def test_one_file_may_hold_texts_and_questions(tmp_path: Path) -> None:
    file = tmp_path / "both.json"
    file.write_text(json.dumps({"docs": CORPUS, "queries": [{"q": "pack", "rel": "network/ping"}]}))
    found = read(file, file)
    assert (found.corpus, found.uses) == (CORPUS, ())
    assert found.questions == (Question("pack", ("network/ping",)),)


def test_a_text_may_be_called_as_the_part_of_a_file_is(tmp_path: Path) -> None:
    corpus, questions = tmp_path / "corpus.json", tmp_path / "questions.json"
    corpus.write_text('{"docs": "how to write them", "b": ""}')
    questions.write_text('[{"q": "write", "rel": ["docs"]}]')
    assert read(corpus, questions).corpus == {"docs": "how to write them", "b": ""}


def test_the_earlier_part_of_a_history_is_the_past_of_the_rest(tmp_path: Path) -> None:
    history = tmp_path / "history.json"
    history.write_text(json.dumps([{"q": str(n), "rel": [f"p{n % 2}"]} for n in range(10)]))
    material = read(history, history)
    assert [use.text for use in material.uses] == list("012345")
    assert [question.text for question in material.questions] == list("6789")
    assert material.corpus == {"p0": "", "p1": ""}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[",
        b'{"a": 1}',
        b'[{"q": "x"}]',
        b'[{"q": "x", "rel": [""]}]',
        b"[" * 100_000,
        b"\xff",
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xff\xff\xff\xff",
        gzip.compress(b"[]")[:-9],
    ],
    ids=range(9),
)
def test_other_forms_are_refused_by_name(tmp_path: Path, content: bytes) -> None:
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text('[{"q": "x", "rel": ["y"]}]')
    bad.write_bytes(content)
    with pytest.raises(InvalidInput, match=r"bad\.json"):
        read(bad, good)
    with pytest.raises(InvalidInput, match=r"bad\.json"):
        read(good, bad)


def test_a_question_may_have_no_answer_and_a_past_use_served_something(tmp_path: Path) -> None:
    corpus, asked = tmp_path / "corpus.json", tmp_path / "asked.json"
    corpus.write_text('{"a": "alpha"}')
    asked.write_text('[{"q": "alpha", "rel": ["a"]}, {"q": "none", "rel": []}]')
    found = read(corpus, asked, asked)
    assert [each.relevant for each in found.questions] == [()]
    assert [each.relevant for each in found.uses] == [("a",)]
    assert [each.relevant for each in read(corpus, asked).questions] == [("a",), ()]


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"gone\.json"):
        read(tmp_path / "gone.json", tmp_path / "gone.json")

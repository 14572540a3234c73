"""Requests and patterns of many languages, with the marks that their writers leave out."""

from __future__ import annotations

import unicodedata

import pytest
import sqlalchemy as sa

from tests.integration.services import Installation, agent, learned
from tests.integration.test_migrations import moved
from tmws.app import App
from tmws.domain.agents import Agent
from tmws.domain.memories import MemoryDraft
from tmws.domain.usage import UseOutcome
from tmws.services.learning import PatternQuery
from tmws.services.memory import MemoryQuery
from tmws.services.outcomes import OutcomeReport

SCENES = {
    "french": (
        "Préparer une crème brûlée à la française",
        ("creme brulee", "CRÈME BRÛLÉE", "cre\u0300me bru\u0302le\u0301e"),
    ),
    "german": ("Überprüfung der Größe aller Dateien", ("uberprufung grosse", "Überprüfung Größe")),
    "vietnamese": ("Xóa các tệp cũ trong thư mục", ("xoa tep cu", "xóa tệp cũ")),
    "turkish": ("Işık hızını ölçer, İstanbul saati", ("isik hizini", "ISPARTA istanbul", "ıŞIK")),
    "polish": ("Usuń łańcuch znaków z pliku", ("usun lancuch", "ŁAŃCUCH")),
    "greek": ("Αναζήτηση παλιών αρχείων", ("αναζητηση αρχειων", "ΑΝΑΖΉΤΗΣΗ")),
    "russian": ("Подсчёт всех пере\u0301менных", ("подсчет переменных", "ПОДСЧЁТ")),
    "hebrew": (
        "\u05de\u05b0\u05d7\u05b4\u05d9\u05e7\u05b7\u05ea "
        "\u05e7\u05b0\u05d1\u05b8\u05e6\u05b4\u05d9\u05dd",
        (
            "\u05de\u05d7\u05d9\u05e7\u05ea \u05e7\u05d1\u05e6\u05d9\u05dd",
            "\u05e7\u05d1\u05e6\u05d9\u05dd",
        ),
    ),
    "arabic": ("حَذْفُ المَلَفّاتِ القَدِيمَةِ", ("حذف الملفات القديمة", "الملفات القديمه")),
    "persian": ("حذف فایل\u200cهای قدیمی", ("فایل های قديمي", "حذف فایل")),
    "hindi": ("पुरानी फ़ाइलें हिन्दी में मिटाएँ", ("फाइलें हिंदी मिटाएं", "पुरानी")),
    "tamil": ("பழைய கோப்புகளை நீக்கு", ("கோப்புகளை நீக்கு", "பழைய")),
    "thai": ("ลบไฟล์เก่าทั้งหมดในโฟลเดอร์", ("ลบไฟล์", "โฟลเดอร์")),
    "khmer": ("លុបឯកសារចាស់ៗ", ("ឯកសារ",)),
    "japanese": ("古いファイルを削除する", ("ファイル削除", "フ\u30a1イルを")),
    "korean": ("오래된 파일을 삭제", ("파일을 삭제", unicodedata.normalize("NFD", "삭제"))),
}
OTHERS = ("Water a cactus", "Полить кактус", "サボテンに水をやる", "กระบองเพชร", "नागफनी")


async def seen(app: App, caller: Agent, text: str) -> list[str]:
    found = await app.learning.find(caller, PatternQuery(text))
    return [item.pattern.name for item in found.items]


async def test_every_language_finds_its_own_as_its_writers_spell_it(app: App) -> None:
    alice = await agent(app, "alice")
    for number, text in enumerate(OTHERS):
        await learned(app, alice, f"other {number}", summary=text)
    for name, (text, _) in SCENES.items():
        await learned(app, alice, name, summary=text)
    for name, (text, requests) in SCENES.items():
        parted = unicodedata.normalize("NFD", text)
        for request in (text, parted, *requests):
            assert (await seen(app, alice, request))[:1] == [name], (name, request)


@pytest.mark.parametrize(
    ("written", "left_out"),
    [("résumé", "resume"), ("Müller", "Muller"), ("подсчёт", "подсчет"), ("số", "sô")],
)
async def test_of_two_spellings_the_one_that_was_asked_for_comes_first(
    app: App, written: str, left_out: str
) -> None:
    alice = await agent(app, "alice")
    for number, text in enumerate(OTHERS):
        await learned(app, alice, f"other {number}", summary=text)
    for name, word in (("first", left_out), ("second", written), ("third", left_out)):
        await learned(app, alice, name, summary=f"Send the {word} to the archive")
    assert (await seen(app, alice, f"{written} archive"))[0] == "second"
    assert (await seen(app, alice, f"{left_out} archive"))[2] == "second"


async def test_notes_and_past_uses_are_found_without_marks(app: App) -> None:
    alice = await agent(app, "alice")
    kept = await learned(app, alice, "tool", summary="Cut a list")
    await learned(app, alice, "other", summary="Join a list")
    await app.memory.remember(alice, MemoryDraft("Préférer les crêpes à la crème"))
    recalled = await app.memory.recall(alice, MemoryQuery("crepes creme"))
    assert len(recalled.items) == 1
    for _ in range(3):
        report = OutcomeReport(kept.id, UseOutcome.SUCCESS, context="découper un vidéoclip")
        await app.outcomes.report(alice, report)
    assert (await seen(app, alice, "decouper un videoclip"))[0] == "tool"


async def test_what_was_cut_at_its_marks_is_cut_again_and_read_again(
    installation: Installation,
) -> None:
    """As a version before left it: words in pieces, vectors of such words."""
    async with installation.open() as app:
        alice = await agent(app, "alice")
        plain = await learned(app, alice, "plain", summary="Bake bread", tags=("oven",))
        hindi = await learned(
            app, alice, "hindi", summary="फ़ाइलें", data={"in": "हिन्दी"}, tags=("delete",)
        )
        gone = await learned(app, alice, "gone", summary="à jamais")
        await app.removal.remove(alice, gone.id)
        await app.memory.remember(alice, MemoryDraft("Une crème", tags=("note",)))
        for kept, context in ((plain, "pain brûlé"), (hindi, "burnt bread")):
            report = OutcomeReport(kept.id, UseOutcome.SUCCESS, context=context)
            await app.outcomes.report(alice, report)
    await moved(installation, "downgrade", "0024")
    async with installation.database() as database, database.write() as tx:
        for table in ("vectors", "use_vectors"):
            changed = f"UPDATE {table} SET vector = :vector"
            await tx.execute(sa.text(changed), {"vector": b"\0\0\x80?" + bytes(2044)})
        before = {"plain": " oven bread ", "pieces": " फ इल "}
        await tx.execute(
            sa.text(
                "UPDATE documents SET terms = CASE WHEN item_id = :id THEN :plain ELSE :pieces END "
                "WHERE NOT removed"
            ),
            {"id": plain.id, **before},
        )
    async with installation.open() as app:
        assert await words_of(installation, plain.id) == before["plain"]
        assert await words_of(installation, gone.id) == ""
        for request in ("हिंदी", "delete", "फाइलें"):
            assert await seen(app, alice, request) == ["hindi"]
        recalled = await app.memory.recall(alice, MemoryQuery("creme"))
        assert len(recalled.items) == 1
        found = await app.learning.find(alice, PatternQuery("हिंदी"))
        assert not (found.items[0].parts or {}).get("characters")
        await app.upkeep.fill()
        found = await app.learning.find(alice, PatternQuery("हिंदी"))
        assert (found.items[0].parts or {})["characters"] > 0
        assert (await seen(app, alice, "gone")) == []
    async with installation.database() as database, database.read() as connection:
        read = await connection.execute(
            sa.text("SELECT count(*) FROM use_vectors WHERE vector <> :vector"),
            {"vector": b"\0\0\x80?" + bytes(2044)},
        )
        assert read.scalar_one() == 1


async def words_of(installation: Installation, item_id: str) -> str:
    async with installation.database() as database, database.read() as connection:
        found = await connection.scalar(
            sa.text("SELECT terms FROM documents WHERE item_id = :id"), {"id": item_id}
        )
        return str(found)

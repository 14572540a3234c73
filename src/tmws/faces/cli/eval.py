"""`tmws eval`: how well the product's own trust and search do on anybody's data."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path

import click

from tmws import backends
from tmws.app import embedder_maker, recipes
from tmws.config import load_settings
from tmws.domain.ranking import weighing
from tmws.evaluation import report, search, search_data
from tmws.faces.cli.printing import Printer
from tmws.faces.cli.running import json_option

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.group()
def eval() -> None:
    """Replay a file of data through the product's own code and print how well it does."""


@eval.command()
@click.argument("file", type=_FILE)
@click.option("--types", type=_FILE, help="CSV that gives each claim its type.")
@click.option("--by-type", is_flag=True, help="Judge as if no two agents met the same claim.")
@click.option("--orders", type=click.IntRange(1, 100), help="How many random orders are replayed.")
@click.option("--no-attacks", is_flag=True, help="Leave the attacks out; they take longest.")
@json_option
def trust(
    file: Path,
    *,
    types: Path | None,
    by_type: bool,
    orders: int | None,
    no_attacks: bool,
    as_json: bool,
) -> None:
    """Replay outcomes of agents on claims through the trust model.

    FILE is CSV, plain or gzipped: long (agent, claim, outcome, ...) or one row an agent.
    """
    found = report.evaluate_file(
        file, types=types, shared=not by_type, seeds=orders, attack=not no_attacks
    )
    if as_json:
        Printer(as_json=True).record(dataclasses.asdict(found))
        return
    for line in report.lines(found):
        click.echo(line)  # as it is: its columns are made for a fixed width


@eval.command("search")
@click.argument("corpus", type=_FILE)
@click.argument("questions", type=_FILE)
@click.option("--uses", type=_FILE, help="Past requests and what served them, oldest first.")
@json_option
def searched(corpus: Path, questions: Path, uses: Path | None, as_json: bool) -> None:
    """Ask every question of a corpus by words, spelling, meaning, all of them, and grep."""
    material = search_data.read(corpus, questions, uses)
    printer = Printer(as_json=as_json)

    async def tell(step: str) -> None:
        printer.say(f"… {step}")

    settings = load_settings()
    make = embedder_maker(settings)
    found = asyncio.run(
        search.evaluate(
            material.corpus,
            material.questions,
            embedders={arm: make(recipe) for arm, recipe in recipes(settings).items()},
            index=backends.find("vectors", "exact")(),
            uses=material.uses,
            progress=tell,
            among=weighing(settings.meaning_weight),
        )
    )
    rows = [dataclasses.asdict(row) for row in found.rows]
    if as_json:
        printer.record({**dataclasses.asdict(found), "rows": rows})
        return
    printer.rows(("name", *_FIGURES), rows, empty="")
    printer.say(
        f"{found.questions} questions, {found.texts} texts; "
        f"{found.answered:.0%} would be answered, {found.right_if_answered:.0%} of them rightly"
    )
    if found.better:
        better = found.better
        printer.say(
            f"meaning would find more here if it weighed {better.weight}: MRR {better.mrr:.3f} "
            f"in place of {better.before:.3f}. Set TMWS_MEANING_WEIGHT={better.weight}"
        )
    if found.unanswerable:
        printer.say(
            f"{found.unanswerable} more are answered by nothing; "
            f"{found.shown_all_the_same:.0%} of them would be shown something"
        )
    if found.left_out:
        printer.say(f"{found.left_out} more have no answer in the corpus, and were left out")


_FIGURES = ("recall_at_1", "recall_at_5", "recall_at_10", "mrr", "ndcg", "p50_ms", "p95_ms")

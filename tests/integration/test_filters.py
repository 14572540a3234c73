"""Filters: whatever is combined, what comes is what a plain walk over all patterns keeps."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.services import Installation, agent, learned
from tmws.app import App
from tmws.domain.agents import AccessLevel, Agent
from tmws.domain.patterns import Pattern
from tmws.domain.usage import UseOutcome
from tmws.services.learning import PatternQuery
from tmws.services.outcomes import OutcomeReport

TAGS = ("net", "db", "ci")
CATEGORIES = ("build", "test")
DAY = timedelta(days=1).total_seconds()


def _is_swapped(query: PatternQuery) -> bool:
    """Say whether the ages lie between bounds of which the first is the greater."""
    least, most = query.least_age_days, query.most_age_days
    return least is not None and most is not None and least > most


@dataclass
class Shelf:
    """What stands in the installation of this test, once it was filled."""

    reader: Agent | None = None
    patterns: list[Pattern] = field(default_factory=list)


QUERIES = st.builds(
    PatternQuery,
    text=st.none() | st.just("network"),
    category=st.none() | st.sampled_from(CATEGORIES),
    tags=st.lists(st.sampled_from(TAGS), max_size=2, unique=True).map(tuple),
    any_tags=st.lists(st.sampled_from(TAGS), max_size=2, unique=True).map(tuple),
    namespace=st.none() | st.sampled_from(["home", "work"]),
    level=st.none() | st.sampled_from(AccessLevel),
    author=st.none() | st.sampled_from(["alice", "bob"]),
    least_success_rate=st.none() | st.sampled_from([0.0, 0.5, 0.75, 1.0]),
    least_uses=st.integers(0, 2),
    least_age_days=st.none() | st.sampled_from([0.0, 3.0, 6.5]),
    most_age_days=st.none() | st.sampled_from([0.5, 4.0, 12.0]),
    limit=st.just(50),
).filter(lambda query: not _is_swapped(query))


async def filled(app: App, installation: Installation) -> Shelf:
    alice = await agent(app, "alice", "home", "work")
    bob = await agent(app, "bob", "home")
    shelf = Shelf(alice)
    for number in range(12):
        owner = (alice, bob)[number % 3 == 2]
        kept = await learned(
            app,
            owner,
            f"network {number}",
            category=CATEGORIES[number % 2],
            tags=tuple(tag for bit, tag in enumerate(TAGS) if number >> bit & 1),
            level=("private", "public")[number % 4 < 2],
            namespace="work" if owner is alice and number % 5 == 0 else "home",
        )
        for place in range(number % 3):
            outcome = list(UseOutcome)[(number + place) % 3]
            await app.outcomes.report(owner, OutcomeReport(kept.id, outcome))
        installation.clock.advance(DAY)
    page = await app.learning.find(alice, PatternQuery(limit=50))
    shelf.patterns = [item.pattern for item in page.items]
    assert 8 < len(shelf.patterns) < 12
    return shelf


def kept_by(query: PatternQuery, pattern: Pattern, *, age_days: float) -> bool:
    usage = pattern.usage
    return (
        query.category in {None, pattern.category}
        and set(query.tags) <= set(pattern.tags)
        and (not query.any_tags or bool(set(query.any_tags) & set(pattern.tags)))
        and query.namespace in {None, pattern.namespace}
        and query.level in {None, pattern.level}
        and query.author in {None, pattern.owner}
        and usage.count >= query.least_uses
        and (
            query.least_success_rate is None
            or (usage.success_rate is not None and usage.success_rate >= query.least_success_rate)
        )
        and (query.least_age_days is None or age_days >= query.least_age_days)
        and (query.most_age_days is None or age_days <= query.most_age_days)
    )


async def test_combined_filters_keep_what_a_plain_walk_keeps(
    app: App, installation: Installation
) -> None:
    shelf = await filled(app, installation)
    reader, now = shelf.reader, installation.clock.now()
    assert reader is not None
    ages = {p.id: (now - p.created_at).total_seconds() / DAY for p in shelf.patterns}
    queries: list[PatternQuery] = []

    @settings(max_examples=60, suppress_health_check=list(HealthCheck), deadline=None)
    @given(QUERIES)
    def draw(query: PatternQuery) -> None:
        queries.append(query)

    draw()
    for query in queries:
        page = await app.learning.find(reader, query)
        expected = {p.id for p in shelf.patterns if kept_by(query, p, age_days=ages[p.id])}
        assert {item.pattern.id for item in page.items} == expected, query
    for each in fields(PatternQuery):
        # A filter that nobody draws is a filter that nobody compares.
        drawn = {getattr(query, each.name) for query in queries}
        assert len(drawn) > 1 or each.name in {"limit", "cursor", "similar_to"}, each.name

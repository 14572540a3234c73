from __future__ import annotations

import random
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.domain.trust_logs import DAY, logs, refuted, supported
from tmws.domain.errors import Conflict
from tmws.domain.trust.evidence import (
    Correction,
    Entry,
    Evidence,
    Link,
    Refit,
    Restoration,
    Task,
    Unlink,
)
from tmws.domain.trust.log import History, replay
from tmws.domain.trust.model import NARROWEST_SKILL, VERSION, Part
from tmws.domain.trust.refit import refit

LATER = DAY + timedelta(days=60)


@st.composite
def full_logs(draw: st.DrawFn) -> list[Entry]:
    entries: list[Entry] = list(draw(logs()))
    acts: list[Entry] = [
        Refit(VERSION, LATER),
        Correction("e001", "flaky", "root", LATER),
        Link("cy", "bob", "same key", "root", LATER),
    ]
    for entry in draw(st.lists(st.sampled_from(acts), max_size=3)):
        entries.insert(draw(st.integers(0, len(entries))), entry)
    return entries


@given(full_logs())
@settings(max_examples=40)
def test_replaying_a_log_gives_the_same_bits(log: list[Entry]) -> None:
    first, second = replay(log), replay(log)
    assert first.model.fingerprint() == second.model.fingerprint()
    assert dict(first.paths) == dict(second.paths)


@given(full_logs(), st.data())
@settings(max_examples=40)
def test_retries_change_nothing_in_a_full_log(log: list[Entry], data: st.DataObject) -> None:
    again = list(log)
    for entry in log:
        if isinstance(entry, Evidence):
            place = data.draw(st.integers(again.index(entry) + 1, len(again)))
            again.insert(place, entry)
    assert replay(again).model.fingerprint() == replay(log).model.fingerprint()


@given(logs(), st.randoms(use_true_random=False))
@settings(max_examples=25)
def test_a_refit_asks_for_no_order(log: list[Evidence], chance: random.Random) -> None:
    mixed = log * 2
    chance.shuffle(mixed)
    (one, path), (other, same_path) = refit(log), refit(mixed)
    assert one.fingerprint() == other.fingerprint()
    assert path == same_path


def test_a_refit_corrects_early_evidence_by_what_was_learned_later() -> None:
    log = [refuted("first", "ann", Task("trap"))]
    log += [refuted(f"t{n}", f"p{n}", Task("trap"), 1) for n in range(20)]
    log += [supported(f"o{n}", f"p{n}", Task(f"c{n}"), 1) for n in range(20)]
    online = replay(log).model
    fitted, _ = refit(log)
    assert fitted.skill("ann", DAY).mean > online.skill("ann", DAY).mean + 0.2


def test_scales_are_learned_and_a_skill_stays_wide() -> None:
    log = []
    for n in range(400):
        agent, claim = f"a{n % 20}", f"c{n // 20}"
        held = (n // 20) % 2 == 0
        log.append((supported if held else refuted)(f"e{n}", agent, Task(claim)))
    fitted, _ = refit(log)
    assert NARROWEST_SKILL <= fitted.scales.skill < 1.3
    assert fitted.scales.claim > 4.0


def test_withdrawn_evidence_counts_as_if_it_had_never_come() -> None:
    log = [supported(f"e{n}", "ann", Task(f"c{n}"), n) for n in range(5)]
    log.append(refuted("slip", "ann", Task("c9"), 6))
    correction = Correction("slip", "the lock file was stale", "root", LATER)
    past = replay([*log, correction, log[-1]])
    clean = replay([*log[:-1], Refit(VERSION, LATER)])
    assert past.model.beliefs[Part("skill", "ann")].mean == pytest.approx(
        clean.model.beliefs[Part("skill", "ann")].mean
    )
    assert past.corrections("ann") == [correction]
    assert past.corrections("bob") == []


def test_linked_identities_share_their_evidence() -> None:
    link = Link("ann2", "ann", "same key", "root", LATER)
    old = Link("ann3", "ann2", "same key", "root", LATER)
    past = replay(
        [
            supported("a", "ann", Task("c1")),
            refuted("b", "ann2", Task("c2")),
            refuted("c", "ann3", Task("c3")),
            old,
            link,
            refuted("d", "ann2", Task("c4"), 1),
        ]
    )
    tally = past.model.records["ann"].tally
    assert (tally.supported, tally.refuted) == (1, 3)
    assert set(past.model.records) == {"ann"}
    assert [s.evidence.id for s in past.paths["ann"]] == ["a", "b", "c", "d"]


def test_a_circle_of_links_is_refused() -> None:
    first = Link("ann2", "ann", "same key", "root", LATER)
    back = Link("ann", "ann2", "same key", "root", LATER)
    with pytest.raises(Conflict, match="owns"):
        replay([first, back])


@given(full_logs())
@settings(max_examples=25)
def test_a_log_that_an_earlier_version_fitted_is_fitted_by_this_one(log: list[Entry]) -> None:
    earlier = [Refit("logit-1", e.at) if isinstance(e, Refit) else e for e in log]
    assert replay(earlier).model.fingerprint() == replay(log).model.fingerprint()


def test_a_refit_keeps_what_moved_nothing_in_the_counters() -> None:
    log: list[Entry] = [
        Evidence("i", "ann", DAY, list(type(supported("x").verdict))[2]),
        supported("s", "ann", Task("c", "pytest")),
        Refit(VERSION, LATER),
    ]
    record = replay(log).model.records["ann"]
    assert (record.inconclusive, record.tally.supported) == (1, 1)


@given(full_logs(), st.sampled_from(["e000", "e001", "e007"]))
@settings(max_examples=25)
def test_what_was_taken_back_leaves_the_bits_that_were_there_before(
    log: list[Entry], id: str
) -> None:
    before = replay([*log, Refit(VERSION, LATER)])
    if id not in before.withdrawn:
        taken = Correction(id, "flaky", "root", LATER)
        back = Restoration(id, "it held", "root", LATER)
        after = replay([*log, taken, back])
        assert after.model.fingerprint() == before.model.fingerprint()
        assert after.withdrawn == before.withdrawn
        assert after.restored == {id: back}
        assert replay([*log, taken, back, taken]).restored == {}
    after = replay([*log, link("ann", "bob"), unlink("ann")])
    assert after.model.fingerprint() == before.model.fingerprint()
    assert (after.owners, dict(after.paths)) == (before.owners, dict(before.paths))


def link(agent: str, owner: str) -> Link:
    return Link(agent, owner, "same key", "root", LATER)


def unlink(agent: str) -> Unlink:
    return Unlink(agent, "another key", "root", LATER)


def test_whoever_stood_for_others_keeps_them_when_its_own_link_is_taken_back() -> None:
    chain: list[Entry] = [link("a", "b"), link("b", "c")]
    assert replay(chain).owners == {"a": "c", "b": "c"}
    assert replay([*chain, unlink("b")]).owners == {"a": "b"}
    assert replay([*chain, unlink("a")]).owners == {"b": "c"}


def test_all_links_that_an_agent_ever_had_are_taken_back_at_once() -> None:
    assert replay([link("a", "b"), link("a", "c"), unlink("a")]).owners == {}


@pytest.mark.parametrize("act", [unlink("a"), Restoration("e", "it held", "root", LATER)])
def test_what_does_not_stand_is_not_taken_back(act: Entry) -> None:
    done: list[Entry] = [supported("e"), link("b", "a")]
    with pytest.raises(Conflict, match=r"is linked to nobody|is not withdrawn"):
        replay([*done, act])


NAMES = st.sampled_from("abcd")
ACTS = st.builds(link, NAMES, NAMES) | st.builds(unlink, NAMES)


@given(st.lists(ACTS, max_size=12))
@settings(max_examples=200)
def test_links_and_what_is_left_of_them_never_go_round_in_a_circle(acts: list[Entry]) -> None:
    history = History()
    for act in acts:
        before = dict(history.owners)
        try:
            history.add(act)
        except Conflict:
            assert history.owners == before
    assert all(agent != owner for agent, owner in history.owners.items())
    again = History()
    for each in history.links:
        again.add(each)
    assert again.owners == history.owners

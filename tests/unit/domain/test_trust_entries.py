"""What the ledger holds of trust is all that the model read, and reads back as it was."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given

from tests.unit.domain.trust_logs import DAY, logs, refuted, supported
from tmws.domain.canonical import digest
from tmws.domain.claims import PytestCheck, PythonCheck, Verdict
from tmws.domain.trust.entries import FITS, Kind, entry_of, standing_of, task_key, task_of, weighed
from tmws.domain.trust.evidence import Correction, Evidence, Link, Refit, Restoration, Task, Unlink
from tmws.domain.trust.log import History, replay
from tmws.domain.trust.model import VERSION
from tmws.domain.trust.state import Model
from tmws.domain.verifications import Claim, ClaimState, check_to_json


def told(evidence: Evidence) -> dict[str, object]:
    return {
        "claim": evidence.id,
        "agent": evidence.agent,
        "verdict": evidence.verdict.value,
        "level": "independent",
        "weighed": weighed(evidence),
    }


@given(logs())
def test_evidence_read_back_from_the_ledger_is_the_same(log: list[Evidence]) -> None:
    for evidence in log:
        payload = json.loads(json.dumps(told(evidence)))
        assert entry_of(Kind.VERDICT, payload, evidence.at) == evidence


def test_whole_numbers_come_back_as_the_model_needs_them() -> None:
    evidence = Evidence("e", "ann", DAY, Verdict.REFUTED, Task("c", "pytest", 5.0, "bob"))
    payload = told(evidence)
    payload["weighed"] = {
        **weighed(evidence),
        "effort_minutes": 5,
        "weight": 1,
        "confidence": 1,
        "severity": 2,
    }
    found = entry_of(Kind.VERDICT, payload, DAY)
    assert isinstance(found, Evidence)
    numbers = (found.task.effort_minutes, found.weight, found.stated_confidence, found.severity)
    assert numbers == (5.0, 1.0, 1.0, 2.0)
    assert all(type(number) is float for number in numbers)


def test_a_verdict_of_before_tasks_were_told_weighs_by_its_level() -> None:
    payload = {"claim": "e", "agent": "ann", "verdict": "REFUTED", "level": "observed"}
    assert entry_of(Kind.VERDICT, payload, DAY) == Evidence(
        "e", "ann", DAY, Verdict.REFUTED, weight=0.25
    )


def test_every_kind_of_entry_is_read_and_no_other() -> None:
    act = {"reason": "flaky", "by": "root"}
    withdrawn = entry_of("evidence_withdrawn", {"evidence": "e", **act}, DAY)
    assert withdrawn == Correction("e", "flaky", "root", DAY)
    linked = entry_of("identities_linked", {"agent": "a", "owner": "b", **act}, DAY)
    assert linked == Link("a", "b", "flaky", "root", DAY)
    restored = entry_of("evidence_restored", {"evidence": "e", **act}, DAY)
    assert restored == Restoration("e", "flaky", "root", DAY)
    unlinked = entry_of("identities_unlinked", {"agent": "a", **act}, DAY)
    assert unlinked == Unlink("a", "flaky", "root", DAY)
    assert entry_of("trust_refitted", {"version": "logit-1"}, DAY) == Refit("logit-1", DAY)
    assert entry_of("tool_disabled", {"tool": "learn"}, DAY) is None


def test_after_every_kind_of_entry_but_a_verdict_everything_is_fitted_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fitted: list[History] = []

    def fit(history: History) -> None:
        fitted.append(history)

    monkeypatch.setattr(History, "_fit", fit)
    act = {"reason": "flaky", "by": "root"}
    payloads: dict[Kind, dict[str, object]] = {
        Kind.VERDICT: told(supported("f", "bob")),
        Kind.WITHDRAWN: {"evidence": "e", **act},
        Kind.RESTORED: {"evidence": "e", **act},
        Kind.LINKED: {"agent": "ann", "owner": "bob", **act},
        Kind.UNLINKED: {"agent": "ann", **act},
        Kind.REFITTED: {"version": VERSION},
    }
    history = replay([supported("e")])
    for kind in Kind:
        entry = entry_of(kind, payloads[kind], DAY)
        assert entry is not None
        fitted.clear()
        history.add(entry)
        assert fitted == ([history] if kind in FITS else [])


@pytest.mark.parametrize(
    ("kind", "payload"),
    [("verdict", {"claim": "e"}), ("trust_refitted", {}), ("verdict", {"weighed": 3})],
)
def test_a_payload_of_another_shape_is_no_entry(kind: str, payload: dict[str, object]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        entry_of(kind, payload, DAY)


def test_a_standing_tells_counts_and_skill_of_anybody() -> None:
    model = Model()
    assert standing_of(model, "ann")["skill"] == [0.0, 1.6 * 1.6]
    model.record(supported("s"))
    model.record(refuted("r"))
    model.record(refuted("r2"))
    model.record(Evidence("i", "ann", DAY, Verdict.INCONCLUSIVE))
    model.record(Evidence("o", "ann", DAY, Verdict.SUPPORTED, weight=0.0))
    model.record(Evidence("p", "ann", DAY, Verdict.SUPPORTED, weight=0.0))
    model.record(Evidence("q", "ann", DAY, Verdict.SUPPORTED, weight=0.0))
    skill = model.skill("ann", DAY)
    assert standing_of(model, "ann") == {
        "supported": 1,
        "refuted": 2,
        "inconclusive": 1,
        "ignored": 3,
        "skill": [skill.mean, skill.variance],
    }


def test_a_task_is_shared_by_those_who_have_the_same_check_of_the_same_workspace_run() -> None:
    first = task_key(PythonCheck("a.py"), "shop")
    assert task_key(PythonCheck("a.py"), "shop") == first
    assert first == digest({"check": check_to_json(PythonCheck("a.py")), "workspace": "shop"})
    others = {
        task_key(PythonCheck("b.py"), "shop"),
        task_key(PythonCheck("a.py"), "store"),
        task_key(PytestCheck(("a.py",)), "shop"),
    }
    assert len(others | {first}) == 4


def test_time_is_that_of_the_ledger() -> None:
    late = DAY + timedelta(days=3)
    entry = entry_of(Kind.VERDICT, told(supported("s")), late)
    assert entry is not None
    assert entry.at == late


def test_a_task_that_nobody_met_is_as_its_first_author_described_it() -> None:
    claim = Claim(
        id="claim_1",
        agent_id="ann",
        agent="Ann",
        namespace="team",
        statement="The script ends well.",
        workspace="shop",
        check=PythonCheck("check.py"),
        applied=(),
        confidence=0.9,
        effort_minutes=30.0,
        state=ClaimState.OPEN,
        attempt=1,
        lease_until=None,
        created_at=DAY,
        snapshot_digest="ab" * 32,
    )
    assert task_of(claim, "key") == Task("key", "python", 30.0, "ann")
    for stated, counted in (
        (None, None),
        (0.01, 7.5),
        (9.0, 9.0),
        (30.5, 30.0),
        (43200.0, 30.0),
    ):
        # An author makes its claim no harder by what it says of it, and little easier.
        described = task_of(replace(claim, effort_minutes=stated), "key")
        assert described.effort_minutes == counted

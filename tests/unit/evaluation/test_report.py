from __future__ import annotations

from pathlib import Path

from tests.unit.evaluation.population import simulated
from tmws.evaluation.report import evaluate_file, lines


def write(folder: Path, agents: int, claims: int) -> Path:
    path = folder / "simulated.csv"
    rows = [f"{o.agent},{o.task.claim},{int(o.supported)}" for o in simulated(agents, claims)]
    path.write_text("\n".join(["agent,claim,outcome", *rows]), encoding="utf-8")
    return path


def test_an_evaluation_plays_the_attacks_through(tmp_path: Path) -> None:
    found = evaluate_file(write(tmp_path, 20, 120), seeds=1)
    assert found.attacks is not None
    audits = {a.audits: a for a in found.attacks.audits}
    assert audits[15].within >= audits[5].within
    assert audits[30].error < 0.08
    known, peers = found.attacks.farming_known, found.attacks.farming_peers
    assert known is not None
    assert peers is not None
    assert known.lift < known.beta_lift
    assert known.over <= 0.1
    assert peers.over <= 0.3
    assert found.attacks.reregistering.gaining == 0.0
    assert found.attacks.change is not None
    assert (found.attacks.change.median or 999) <= 15
    for other in (found.attacks.change_chosen, found.attacks.change_met):
        assert other is not None
        assert other.pairs == found.attacks.change.pairs
        assert other.median is not None
    assert found.attacks.on_off is not None
    assert found.attacks.on_off.malicious < 0.15
    text = "\n".join(lines(found))
    assert "20 agents, 120 claims, 2400 outcomes" in text
    assert "Farming the 50 easiest claims" in text
    assert text.count("Change from") == 3
    assert "nan" not in text


def test_of_few_claims_half_are_farmed_and_all_attacks_are_played(tmp_path: Path) -> None:
    found = evaluate_file(write(tmp_path, 20, 70), seeds=1)
    assert found.attacks is not None
    assert found.attacks.farming_known is not None
    assert found.attacks.farming_known.claims == 35
    text = "\n".join(lines(found))
    assert "Farming the 35 easiest claims" in text
    assert "Audits chosen by the service" in text
    assert text.count("Change from") == 3
    assert "Lying whenever trusted" in text
    assert "% of 70 claims are lies" in text  # what few claims leave little time for


def test_a_small_file_is_replayed_without_attacks(tmp_path: Path) -> None:
    found = evaluate_file(write(tmp_path, 5, 12), seeds=1)
    assert found.attacks is None
    assert "Farming" not in "\n".join(lines(found))


def test_by_type_only_no_claim_is_shared(tmp_path: Path) -> None:
    path = write(tmp_path, 5, 12)
    types = tmp_path / "types.csv"
    types.write_text(
        "claim,type\n" + "\n".join(f"claim{c:03},{'ab'[c % 2]}" for c in range(12)),
        encoding="utf-8",
    )
    found = evaluate_file(path, types=types, shared=False, seeds=1)
    assert found.replay.claims == 1
    assert next(lines(found)).endswith("by type only, 1 orders")


def test_where_no_agent_is_good_enough_an_attack_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "weak.csv"
    rows = [
        f"{o.agent},{o.task.claim},{int(o.supported and str(o.task.claim) < 'claim040')}"
        for o in simulated(12, 110)
    ]
    path.write_text("\n".join(["agent,claim,outcome", *rows]), encoding="utf-8")
    found = evaluate_file(path, seeds=1)
    assert found.attacks is not None
    assert found.attacks.change is None
    assert found.attacks.on_off is None
    text = "\n".join(lines(found))
    assert "Starting over" in text
    assert "Lying" not in text


def test_what_was_left_out_and_what_agents_stated_is_told(tmp_path: Path) -> None:
    path = tmp_path / "stated.csv"
    rows = [f"{o.agent},{o.task.claim},{int(o.supported)},0.5" for o in simulated(3, 5)]
    path.write_text("\n".join(["agent,claim,outcome,confidence", *rows, rows[0]]))
    found = evaluate_file(path, seeds=1)
    assert found.stated is not None
    assert found.stated.brier == 0.25
    text = list(lines(found))
    assert text[1].startswith("note: 1 repetitions")
    assert text[2].startswith("note: attacks are played where")
    assert any(line.startswith("stated ") for line in text)


def test_where_all_outcomes_are_equal_nothing_is_said_of_order(tmp_path: Path) -> None:
    path = tmp_path / "equal.csv"
    path.write_text("agent,c1,c2,c3\nann,1,1,1\nbob,1,1,1\n")
    found = evaluate_file(path, seeds=1)
    assert all(m.rank is None for r in found.replay.results for m in r.moments)
    text = "\n".join(lines(found))
    assert "Rank correlation" not in text
    assert "nan" not in text


def test_a_population_of_strong_agents_has_nobody_to_farm(tmp_path: Path) -> None:
    path = tmp_path / "strong.csv"
    rows = [
        f"{o.agent},{o.task.claim},{int(o.supported or str(o.task.claim) > 'claim020')}"
        for o in simulated(10, 100)
    ]
    path.write_text("\n".join(["agent,claim,outcome", *rows]))
    found = evaluate_file(path, seeds=1)
    assert found.attacks is not None
    assert found.attacks.farming_known is found.attacks.farming_peers is None
    assert "Farming" not in "\n".join(lines(found))

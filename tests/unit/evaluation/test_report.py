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
    assert found.attacks.farming_known.lift < found.attacks.farming_known.beta_lift
    assert found.attacks.farming_known.over <= 0.1
    assert found.attacks.farming_peers.over <= 0.3
    assert found.attacks.reregistering.gaining == 0.0
    assert found.attacks.change is not None
    assert found.attacks.change.median <= 15
    assert found.attacks.on_off is not None
    assert found.attacks.on_off.malicious < 0.15
    text = "\n".join(lines(found))
    assert "20 agents, 120 claims, 2400 outcomes" in text
    assert "Farming the 50 easiest claims" in text
    assert "nan" not in text


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

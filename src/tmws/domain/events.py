"""What the ledger records: one function per kind of event, each with its fixed shape.

Names of agents stand in payloads, never in leaves, so that a payload can be erased
and the leaf still be proven.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tmws.domain.agents import Agent
from tmws.domain.canonical import Json
from tmws.domain.claims import Judgement
from tmws.domain.environments import Environment
from tmws.domain.quotas import Allowed
from tmws.domain.trust.entries import Kind, weighed
from tmws.domain.trust.evidence import Evidence
from tmws.domain.trust.model import VERSION
from tmws.domain.trust.reliance import Answer, Risk, Stake
from tmws.domain.verifications import Claim


@dataclass(frozen=True, slots=True)
class Event:
    """Something that was done and may be disputed later."""

    type: str
    at: datetime
    payload: dict[str, Json]


def leaf(index: int, event: Event, commitment: str) -> bytes:
    """Return the canonical bytes of the entry at this index.

    The index is part of it, so that two whole entries cannot be swapped unseen.
    """
    # What `canonical_bytes` makes of it, in a quarter of its time: nothing here is escaped.
    return (
        f'{{"at":"{event.at.isoformat()}","index":{index},"payload":"{commitment}",'
        f'"type":"{event.type}","v":1}}'
    ).encode()


def verdict_recorded(
    claim: Claim,
    judgement: Judgement,
    *,
    evidence_digest: str,
    evidence: Evidence,
    before: Mapping[str, Json],
    after: Mapping[str, Json],
    at: datetime,
) -> Event:
    """A claim was closed: verdict, evidence and trust change are one event.

    `weighed` is all that the trust model read, so that scores can be computed again
    from the ledger alone.
    """
    return Event(
        Kind.VERDICT,
        at,
        {
            "claim": claim.id,
            "agent": claim.agent_id,
            "verdict": judgement.verdict.value,
            "reason": judgement.reason.value,
            "level": judgement.level.value,
            "snapshot_sha256": claim.snapshot_digest,
            "evidence_sha256": evidence_digest,
            "weighed": weighed(evidence),
            "trust": {"model": VERSION, "before": before, "after": after},
        },
    )


def evidence_withdrawn(claim_id: str, *, reason: str, by: str, at: datetime) -> Event:
    """An administrator took one verdict out of what scores are computed from."""
    return Event(Kind.WITHDRAWN, at, {"evidence": claim_id, "reason": reason, "by": by})


def evidence_restored(claim_id: str, *, reason: str, by: str, at: datetime) -> Event:
    """An administrator lets a verdict count again that was withdrawn."""
    return Event(Kind.RESTORED, at, {"evidence": claim_id, "reason": reason, "by": by})


def identities_linked(agent_id: str, owner_id: str, *, reason: str, by: str, at: datetime) -> Event:
    """Two agents turned out to be one: what the first did counts for the second."""
    return Event(
        Kind.LINKED, at, {"agent": agent_id, "owner": owner_id, "reason": reason, "by": by}
    )


def identities_unlinked(agent_id: str, *, reason: str, by: str, at: datetime) -> Event:
    """An administrator took the link of an agent back: it counts for itself again."""
    return Event(Kind.UNLINKED, at, {"agent": agent_id, "reason": reason, "by": by})


def trust_refitted(version: str, *, state_sha256: str, by: str, at: datetime) -> Event:
    """Every score was computed again, with what was learned later about earlier claims."""
    return Event(Kind.REFITTED, at, {"version": version, "state_sha256": state_sha256, "by": by})


def reliance_answered(
    claim: Claim, risk: Risk, answer: Answer, *, stands: Stake, by: str, at: datetime
) -> Event:
    """Somebody asked to let a claim count before it was checked; what was said, and why.

    `stands` is what holds from now on, whatever was asked for.
    """
    return Event(
        "reliance_answered",
        at,
        {
            "claim": claim.id,
            "agent": claim.agent_id,
            "answer": answer.value,
            "stake": risk.stake,
            "least": risk.least,
            "draw": risk.draw,
            "bound": risk.bound,
            "carried": risk.carried,
            "budget": risk.budget,
            "owed": risk.owed,
            "held": risk.held,
            "stands": [_stake(stands)],
            "by": by,
        },
    )


def reliance_released(
    claim: Claim, stands: Sequence[Stake], *, reason: str | None, by: str, at: datetime
) -> Event:
    """Somebody relies on a claim no longer, or an administrator ended what others did."""
    return Event(
        "reliance_released",
        at,
        {
            "claim": claim.id,
            "agent": claim.agent_id,
            "stands": [_stake(each) for each in stands],
            "reason": reason,
            "by": by,
        },
    )


def _stake(stake: Stake) -> dict[str, Json]:
    return {
        "claim": stake.claim_id,
        "by": stake.by,
        "stake": stake.amount,
        "draw": stake.draw,
        "since": None if stake.since is None else stake.since.isoformat(),
    }


def tool_disabled(tool: str, *, reason: str, by: str, at: datetime) -> Event:
    """An administrator switched a tool off."""
    return Event("tool_disabled", at, {"tool": tool, "reason": reason, "by": by})


def tool_enabled(tool: str, *, reason: str, by: str, at: datetime) -> Event:
    """An administrator switched a tool on again."""
    return Event("tool_enabled", at, {"tool": tool, "reason": reason, "by": by})


def agent_created(agent: Agent, *, secret_sha256: str | None, by: str, at: datetime) -> Event:
    """An agent became known; of its secret, if it has one, only what recognises it is told."""
    return Event(
        "agent_created",
        at,
        {
            "agent": agent.id,
            "name": agent.name,
            "role": agent.role.value,
            "namespaces": list(agent.namespaces),
            "secret_sha256": secret_sha256,
            "by": by,
        },
    )


def secret_rotated(agent: Agent, *, secret_sha256: str, by: str, at: datetime) -> Event:
    """An agent has another secret, and all earlier ones became invalid."""
    return Event(
        "secret_rotated", at, {"agent": agent.id, "secret_sha256": secret_sha256, "by": by}
    )


def agent_disabled(
    agent: Agent, *, reason: str, given_up: Sequence[str], by: str, at: datetime
) -> Event:
    """An administrator shut an agent out; the claims that it had open were given up."""
    return Event(
        "agent_disabled",
        at,
        {"agent": agent.id, "reason": reason, "given_up": list(given_up), "by": by},
    )


def agent_enabled(agent: Agent, *, reason: str, by: str, at: datetime) -> Event:
    """An administrator let an agent act again."""
    return Event("agent_enabled", at, {"agent": agent.id, "reason": reason, "by": by})


def quota_set(agent: Agent, allowed: Allowed, *, reason: str, by: str, at: datetime) -> Event:
    """An administrator said what one agent may keep and write; None: what all may."""
    return Event(
        "quota_set",
        at,
        {
            "agent": agent.id,
            "mib": allowed.mib,
            "daily_writes": allowed.daily_writes,
            "reason": reason,
            "by": by,
        },
    )


def least_level_set(namespace: str, level: str | None, *, by: str, at: datetime) -> Event:
    """An administrator said what verdicts in a namespace have to reach."""
    return Event("least_level_set", at, {"namespace": namespace, "level": level, "by": by})


def trusted_ref_registered(
    name: str, workspace: str, source: str, digest: str, *, by: str, at: datetime
) -> Event:
    """An administrator said which tests and settings of a workspace are to be trusted."""
    return Event(
        "trusted_ref_registered",
        at,
        {"ref": name, "workspace": workspace, "source": source, "sha256": digest, "by": by},
    )


def trusted_ref_removed(name: str, workspace: str, *, by: str, at: datetime) -> Event:
    """An administrator trusts them no longer."""
    return Event("trusted_ref_removed", at, {"ref": name, "workspace": workspace, "by": by})


def held_check_registered(
    name: str, workspace: str, digest: str, *, by: str, at: datetime
) -> Event:
    """An administrator keeps questions about a workspace from now on."""
    return Event(
        "held_check_registered",
        at,
        {"check": name, "workspace": workspace, "sha256": digest, "by": by},
    )


def held_check_removed(name: str, workspace: str, *, by: str, at: datetime) -> Event:
    """An administrator asks them no longer."""
    return Event("held_check_removed", at, {"check": name, "workspace": workspace, "by": by})


def checker_registered(name: str, workspace: str, digest: str, *, by: str, at: datetime) -> Event:
    """An administrator lets claims about a workspace rest on what a module computes."""
    return Event(
        "checker_registered",
        at,
        {"checker": name, "workspace": workspace, "sha256": digest, "by": by},
    )


def checker_removed(name: str, workspace: str, *, by: str, at: datetime) -> Event:
    """An administrator lets them rest on it no longer."""
    return Event("checker_removed", at, {"checker": name, "workspace": workspace, "by": by})


def workspace_registered(name: str, root: str, *, by: str, at: datetime) -> Event:
    """A folder was opened for checks."""
    return Event("workspace_registered", at, {"workspace": name, "root": root, "by": by})


def workspace_removed(
    name: str, *, reason: str, given_up: Sequence[str], by: str, at: datetime
) -> Event:
    """A name stands for no folder any more; claims about it that were open were given up."""
    return Event(
        "workspace_removed",
        at,
        {"workspace": name, "reason": reason, "given_up": list(given_up), "by": by},
    )


def environment_added(environment: Environment, *, by: str, at: datetime) -> Event:
    """Packages were made available to checks; the digest names their lock and plugins."""
    return Event("environment_added", at, _environment(environment) | {"by": by})


def environment_removed(environment: Environment, *, by: str, at: datetime) -> Event:
    """Packages were taken away from checks."""
    return Event("environment_removed", at, _environment(environment) | {"by": by})


def environment_chosen(
    workspace: str, environment: Environment | None, *, by: str, at: datetime
) -> Event:
    """Checks of a workspace run with other packages from now on."""
    chosen = _environment(environment) if environment else {"environment": None}
    return Event("environment_chosen", at, {"workspace": workspace, **chosen, "by": by})


def _environment(environment: Environment) -> dict[str, Json]:
    return {
        "environment": environment.name,
        "digest": environment.digest,
        "plugins": list(environment.plugins),
    }


def memory_forgotten(memory_id: str, *, by: str, at: datetime) -> Event:
    """Its author or an administrator erased a note; what it said stays out."""
    return Event("memory_forgotten", at, {"memory": memory_id, "by": by})


def pattern_revised(pattern_id: str, version: int, *, by: str, at: datetime) -> Event:
    """A pattern got a new version; what it says stays out, so that it can be forgotten."""
    return Event("pattern_revised", at, {"pattern": pattern_id, "version": version, "by": by})


def patterns_undone(
    agent_id: str, since: datetime, *, steps: int, uses: int, by: str, at: datetime
) -> Event:
    """An administrator reverted what an agent wrote; what that changed follows, act by act."""
    return Event(
        "patterns_undone",
        at,
        {"agent": agent_id, "since": since.isoformat(), "steps": steps, "uses": uses, "by": by},
    )


def pattern_act(
    what: str, pattern_id: str, detail: Mapping[str, Json], *, by: str, at: datetime
) -> Event:
    """A pattern was opened, closed, removed, restored or forgotten.

    `detail` holds ids and levels only: nothing of what the pattern says.
    """
    return Event(f"pattern_{what}", at, {"pattern": pattern_id, **detail, "by": by})

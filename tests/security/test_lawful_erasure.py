"""What was erased lawfully leaves every proof valid, and covers no other change."""

from __future__ import annotations

from tests.security.tampering import Attacker, Original, audited, said


class TestALawfulErasure:
    async def test_of_any_payload_leaves_every_proof_valid(self, attacker: Attacker) -> None:
        for index in (1, 3, 6):
            await attacker.does(f'DELETE FROM ledger_payloads WHERE "index" = {index}')
        report = await audited(attacker.place)
        assert report.holds, said(report)
        assert report.erased == 3
        async with attacker.place.open() as app:
            assert (await app.proofs.inclusion(3)).holds()

    async def test_with_the_claim_and_its_traces_leaves_every_proof_valid(
        self, attacker: Attacker, original: Original
    ) -> None:
        await attacker.does(
            "DELETE FROM memories WHERE claim_id = :claim",
            "DELETE FROM claims WHERE id = :claim",
            'DELETE FROM ledger_payloads WHERE "index" = 3',
            claim=original.claims[0],
        )
        report = await audited(attacker.place)
        assert report.holds, said(report)

    async def test_covers_no_other_change(self, attacker: Attacker, original: Original) -> None:
        await attacker.does(
            'DELETE FROM ledger_payloads WHERE "index" = 4',
            "UPDATE claims SET verdict = 'SUPPORTED', "
            "judgement = replace(judgement, 'REFUTED', 'SUPPORTED') WHERE id = :claim",
            "UPDATE evidence SET verdict = 'SUPPORTED' WHERE id = :claim",
            claim=original.claims[1],
        )
        assert "4: Claim" in said(await audited(attacker.place))

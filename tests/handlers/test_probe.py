"""The probe as people see it: `no-probe`, `/gpu probe`, and a machine with a GPU mismatch."""

from __future__ import annotations

from pathlib import Path

from bot.lifecycle.changes.apply import apply
from bot.lifecycle.loops.probe_runs import with_report
from bot.model.attempt import OwnedKey, SentScript
from bot.model.base import changed
from bot.model.machine_use import GpuModel, GpuUse, Report
from bot.model.records import Change
from bot.model.rental import Rental
from bot.policy.access.health_script import HEALTH_SCRIPT
from bot.policy.team.rules import Idle, ProbeKind
from sandbox.slack.default import ANA, TRAINING
from tests.handlers.rental_states import running
from tests.handlers.team import EVE, RULES, Team, an_offer, team
from tests.store import make

DM = "D0ANA0000"
H100 = GpuModel(name="NVIDIA H100 80GB HBM3", memory_mib=81559)
NO_PROBE = changed(RULES, idle=Idle(probe=ProbeKind.NONE))


async def probes(ours: Team) -> list[bool]:
    """Return the `probe` flags of Ana's searches, sorted, so that those without the probe come first."""
    return sorted(quote.request.probe for quote in await ours.quotes(ANA))


async def test_no_probe_can_be_typed_and_is_kept_by_again(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.command(ANA, "get H100 EU no-probe")
        await ours.command(ANA, "again")
        assert await probes(ours) == [False, False]
        await ours.command(ANA, "get H100 EU")
        assert await probes(ours) == [False, False, True]


async def test_offers_show_no_probe_and_change_keeps_it_until_unchecked(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        message = await ours.offered(ANA, an_offer("o1", "2.15"), probe=False)
        assert "6 h\nno-probe" in message["text"]
        await ours.click(ANA, message, "Change")
        assert (await ours.submit(ANA, region="US"))["ok"]
        assert await probes(ours) == [False]
        await ours.click(ANA, message, "Change")
        assert (await ours.submit(ANA, probe=[]))["ok"]
        assert await probes(ours) == [False, True]


async def test_the_form_has_a_no_probe_box_unless_the_probe_is_disabled(tmp_path: Path) -> None:
    async with team(tmp_path / "on") as ours:
        await ours.command(ANA, "get")
        assert (await ours.submit(ANA, gpu="H100", probe=["no-probe"]))["ok"]
        assert await probes(ours) == [False]
    async with team(tmp_path / "off", rules=NO_PROBE) as ours:
        await ours.command(ANA, "get")
        dialog = await ours.modal(ANA)
        assert dialog is not None
        assert "no-probe" not in dialog["reads"]


async def test_everyone_can_read_the_scripts(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.command(ANA, "probe")
        answer = await ours.look(ANA, TRAINING, "I log in to each machine")
        await ours.click(ANA, answer, "gpubot-health")
        dialog = await ours.modal(ANA)
        assert dialog is not None
        assert HEALTH_SCRIPT.splitlines()[1].strip() in dialog["reads"]


async def bought(ours: Team, rental: Rental, *keys: OwnedKey) -> Rental:
    """Store the purchase of one H100, and return the rental.

    Its startup script contains the probe and these keys.
    """
    script = SentScript(version=2, keys=keys, probe=True)
    after = make.next_of(rental)
    async with ours.deps.store.write() as tx:
        await tx.rentals.apply(make.unchecked(rental, after, attempts=(make.attempt(rental.id, script=script),)))
    return after


async def reports(ours: Team, rental: Rental, *models: GpuModel) -> None:
    """Make the machine's probe report these GPUs."""
    report = Report(gpus=tuple(GpuUse(index=n, highest=0) for n in range(len(models))), models=models)
    async with ours.deps.store.write() as tx:
        after, events = await with_report(tx, rental, report, [], ours.clock.now())
        await apply(tx, ours.deps, Change(rental, after, events))


async def test_the_ready_message_mentions_other_keys_once_the_probe_answered(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        desk = OwnedKey(person=ANA, line="ssh-ed25519 AAAAdesk", comment="ana@desk", fingerprint="SHA256:desk")
        rental = await bought(ours, await running(ours), desk)
        waits = 'Your key "ana@laptop" works; your key "ana@desk" will work in about a minute'
        message = await ours.deliver_until(waits, channel=DM, edited=True)
        assert "To see the scripts for that: /gpu probe" in message["reads"]
        await reports(ours, rental, H100)
        await ours.deliver_until('Your keys "ana@laptop" and "ana@desk" work', channel=DM, edited=True)


async def test_the_owner_sees_a_gpu_mismatch_and_keeps_the_machine(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await bought(ours, await running(ours))
        await reports(ours, rental, H100, H100)
        words = f"({rental.id}) was sold with 1 GPU, but I see 2."
        await ours.click(ANA, await ours.deliver_until(words, channel=DM), "Keep it")
        kept = await ours.deliver_until(f"{words} You decided to keep it.", channel=DM, edited=True)
        assert kept["buttons"] == []
        assert "is keeping this machine as it is" in await ours.command(ANA, f"show {rental.id}")


async def test_a_stranger_cannot_keep_the_machine(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await running(ours)
        await ours.add_eve_and_gus()
        await ours.forge(EVE, "keep_as_it_is", rental.id)
        (*_, reply) = await ours.replies()
        assert reply == "Only the machine's owner, its teammates and admins can do that. Nothing was changed."
        assert "is keeping" not in await ours.command(ANA, f"show {rental.id}")

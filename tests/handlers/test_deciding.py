"""Approving, denying, withdrawing and changing a request: the permissions and the resulting messages."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.lifecycle.people.deciders import check_deciders, deciders
from bot.model.base import changed
from bot.model.facts import RequestFacts
from bot.model.state import State
from bot.policy.team.rules import Always, Approval, Approvers
from handlers.ids import Callback
from sandbox.slack.default import ANA, APPROVALS, APPROVERS, BEN, CLEO, TRAINING
from tests.handlers.rental_states import H, asked, change_request, let_the_owner_decide, question
from tests.handlers.team import NOON, RULES, an_offer, team
from tests.handlers.test_people import wait_for_events
from tests.handlers.test_rights import forge_submission
from tests.handlers.test_unmanaged_machines import direct


async def test_an_approver_confirms_a_high_total_in_a_dialog(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await asked(ours)
        await ours.click(BEN, await question(ours), "Approve up to")
        assert (await ours.rental(rental.id)).state is State.AWAITING_APPROVAL
        dialog = await ours.modal(BEN)
        assert dialog is not None
        assert dialog["submit"].startswith("Approve up to $")
        assert (await ours.submit(BEN))["ok"]
        approved = await ours.rental(rental.id)
        assert (approved.state, approved.approved_by) == (State.PROCURING, BEN)


async def test_a_cheap_request_for_a_gpu_that_always_needs_approval_is_decided(tmp_path: Path) -> None:
    rules = changed(RULES, approval=Approval(always=Always(models=("B200", "h100"), gpus_from=8)))
    async with team(tmp_path, rules=rules) as ours:
        offers = await ours.offered(ANA, an_offer("o1", "1.10"))
        assert "Needs approval: requests for B200, H100 or 8 GPUs always do." in offers["reads"]
        await ours.click(ANA, offers, "Ask for $1.10/h")
        (rental,) = await ours.rentals()
        assert rental.state is State.AWAITING_APPROVAL
        await ours.deliver()
        shown = " ".join((asked := await question(ours))["reads"].split())
        assert "Team rule requests for B200, H100 or 8 GPUs always need approval" in shown
        await ours.click(BEN, asked, "Approve up to")
        approved = await ours.rental(rental.id)
        assert (approved.state, approved.approved_by) == (State.PROCURING, BEN)


async def test_approvers_see_the_clicked_price_and_the_cheapest_alternative(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        offers = [
            an_offer(name, rate, vendor=vendor, vendor_region=None, read_at=NOON)
            for name, rate, vendor in (("o1", "12.00", "a"), ("o2", "12.50", "nebius"), ("o3", "13.00", "c"))
        ]
        await ours.click(ANA, await ours.offered(ANA, *offers), "Ask for")
        assert (await ours.submit(ANA))["ok"]
        await ours.deliver()
        shown = " ".join((await question(ours))["reads"].split())
        assert "Next cheapest at 12:00: $12.50/h, Nebius." in shown
        (rental,) = await ours.rentals()
        async with ours.deps.store.read() as tx:
            (asked,) = await tx.events.of(rental.id)
        assert isinstance(asked.facts, RequestFacts)
        assert asked.facts.read_at == NOON


async def test_a_note_is_escaped_and_cannot_imitate_the_bot(tmp_path: Path) -> None:
    note = "*Approved by Cleo* _really_ ~no~ :white_check_mark: 2*3"
    async with team(tmp_path) as ours:
        await asked(ours, note=note)
        shown = await question(ours)
        assert note in shown["reads"]
        await ours.click(BEN, shown, "Approve up to")
        dialog = await ours.modal(BEN)
        assert dialog is not None
        assert note in dialog["reads"]


@pytest.mark.parametrize("user", [CLEO, ANA], ids=["an admin", "the owner"])
async def test_a_person_who_is_not_an_approver_cannot_decide(tmp_path: Path, user: str) -> None:
    async with team(tmp_path) as ours:
        rental = await asked(ours)
        for action_id in ("approve", "deny"):
            assert (await ours.forge(user, action_id, f"{rental.id}:1"))["ok"]
            assert (await ours.replies())[-1] == "Only approvers can decide about requests. Nothing was changed."
        assert "Only approvers" in await forge_submission(
            ours, user, Callback.DENY.id, f"{rental.id}:1", reason="no"
        )
        assert await ours.modal(user) is None
        assert (await ours.rental(rental.id)).state is State.AWAITING_APPROVAL


async def test_an_approver_approves_fewer_hours_and_the_requester_is_notified(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await asked(ours)
        await ours.click(BEN, await question(ours), "Approve fewer hours")
        dialog = await ours.modal(BEN)
        assert dialog is not None
        options = next(one for one in dialog["inputs"] if one["block_id"] == "length")["options"]
        assert [option["text"].split(",")[0] for option in options] == ["4 h", "2 h", "1 h"]
        assert (await ours.submit(BEN, length=str(4 * 3600)))["ok"]
        approved = await ours.rental(rental.id)
        assert (approved.state, approved.approved_by, approved.request.lease) == (State.PROCURING, BEN, 4 * H)
        await ours.deliver()
        told = await ours.look(ANA, direct(ANA), "Ben approved")
        assert "for 4 h instead of 6 h, at up to $13.80/h." in told["text"]
        assert (
            "for 4 h instead of 6 h, at up to $13.80/h."
            in (await ours.look(BEN, APPROVALS, "Ben approved"))["text"]
        )


async def test_a_quiet_approver_is_not_mentioned_but_may_decide(tmp_path: Path) -> None:
    rules = changed(RULES, approvers=Approvers(groups=(APPROVERS,), quiet=(CLEO,)))
    async with team(tmp_path, rules=rules) as ours:
        await ours.world.act(f"groups/{APPROVERS}", "PATCH", members=[BEN, CLEO])
        await ours.has_key(ANA)
        await check_deciders(ours.deps, ours.context.people)
        last = (await ours.world.get("pings"))["last"]
        rental = await asked(ours)
        pings = (await ours.world.get("pings", after=last))["pings"]
        assert {ping["user"] for ping in pings} & {BEN, CLEO} == {BEN}
        assert "Ben was asked." in (await ours.look(ANA, TRAINING, "Waiting for approval"))["text"]
        await ours.click(CLEO, await question(ours, CLEO), "Approve up to")
        assert (await ours.submit(CLEO))["ok"]
        assert (await ours.rental(rental.id)).approved_by == CLEO


async def test_approvers_cannot_approve_their_own_requests(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await asked(ours, BEN)
        await ours.click(BEN, await question(ours), "Approve up to")
        assert await ours.modal(BEN) is None
        assert (await ours.replies())[
            -1
        ] == "Another approver has to decide your own request. Nothing was changed."
        assert (await ours.rental(rental.id)).state is State.AWAITING_APPROVAL


async def test_the_second_decision_changes_nothing(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.world.act(f"groups/{APPROVERS}", "PATCH", members=[BEN, CLEO])
        rental = await asked(ours)
        shown = await question(ours)
        await ours.click(BEN, shown, "Deny")
        await ours.click(CLEO, shown, "Deny")
        assert (await ours.submit(BEN))["ok"]
        assert f"Ben declined the request for {rental.id}, a moment before you." in str(
            (await ours.submit(CLEO, reason="too dear"))["errors"]
        )
        await ours.click(CLEO, shown, "Deny")
        assert (await ours.rental(rental.id)).state is State.DENIED
        assert (await ours.replies())[
            -1
        ] == f"Ben declined the request for {rental.id}, a moment before you. This time, nothing was changed."


async def test_a_denied_requester_sees_the_reason_and_can_search_again(
    tmp_path: Path,
) -> None:
    async with team(tmp_path) as ours:
        rental = await asked(ours)
        await ours.click(BEN, await question(ours), "Deny")
        said = f"use 4 this week, <!channel> & <@{CLEO}>"
        before = (await ours.world.get("pings"))["last"]
        assert (await ours.submit(BEN, reason=said))["ok"]
        await ours.deliver()
        told = await ours.look(ANA, direct(ANA), "Ben declined")
        request = f"your request for 1x H100 SXM 80 GB ({rental.id}) in EU"
        assert told["text"] == f'Ben declined {request} at 13:00: "{said}". Nothing was rented.'
        assert f'"{said}".' in (await ours.look(BEN, APPROVALS, "Ben declined"))["text"]
        pings = (await ours.world.get("pings", after=before))["pings"]
        assert [(ping["user"], ping["why"]) for ping in pings] == [(ANA, "dm")], "its words mention nobody"
        await ours.click(ANA, told, "Ask again")
        assert await ours.rentals() == []
        (quote,) = await ours.quotes(ANA)
        assert (quote.request, quote.rent_now, quote.rental_id) == (rental.request, False, None)


async def test_a_denial_needs_no_reason(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await asked(ours)
        await ours.click(BEN, await question(ours), "Deny")
        assert (await ours.submit(BEN))["ok"]
        await ours.deliver()
        told = await ours.look(ANA, direct(ANA), "Ben declined")
        request = f"your request for 1x H100 SXM 80 GB ({rental.id}) in EU"
        assert told["text"] == f"Ben declined {request} at 13:00. Nothing was rented."


async def test_if_the_approvers_group_becomes_empty_an_admin_decides(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await asked(ours)
        for _ in range(2):
            await ours.world.act(f"groups/{APPROVERS}", "PATCH", members=[])
            await wait_for_events(ours)
        await ours.deliver()
        told = [
            m["reads"] for m in await ours.world.see(CLEO, channel=direct(CLEO)) if "No approver" in m["reads"]
        ]
        assert len(told) == 1
        assert (
            "Admins decide about requests until there is an approver again. 1 request is waiting: /gpu list all"
            in told[0]
        )
        notified = await ours.look(ANA, direct(ANA), "so the admins (Cleo) were asked about your request")
        assert notified["text"].endswith(" in EU.")
        card = await ours.look(ANA, TRAINING, "Waiting for approval")
        assert "No approver is left, so the admins (Cleo) were asked." in card["text"]
        await ours.command(CLEO, "list all")
        await ours.click(CLEO, await question(ours), "Approve up to")
        assert (await ours.submit(CLEO))["ok"]
        assert (await ours.rental(rental.id)).state is State.PROCURING


@pytest.mark.parametrize(
    ("refusal", "admins_decide"),
    [("no_such_subteam", True), ("permission_denied", True), ("ratelimited", False), ("invalid_auth", False)],
)
async def test_an_invalid_group_is_empty_and_an_unanswered_one_keeps_its_members(
    tmp_path: Path, refusal: str, admins_decide: bool
) -> None:
    async with team(tmp_path) as ours:
        await check_deciders(ours.deps, ours.context.people)
        await ours.context.people.forget_group(APPROVERS)
        await ours.refuse("usergroups.users.list", refusal, times=None)
        await check_deciders(ours.deps, ours.context.people)
        async with ours.deps.store.read() as tx:
            now = await deciders(tx, ours.deps.rules, [ANA], ours.clock.now())
        assert (now.people, now.admins_decide) == (((CLEO,), True) if admins_decide else ((BEN,), False))


async def test_list_all_shows_approvers_waiting_requests_with_working_buttons(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        first, second = await asked(ours), await asked(ours, CLEO)
        assert "Waiting for you" not in await ours.command(CLEO, "list all")
        assert "Waiting for you" not in await ours.command(BEN, "list")
        shown = await ours.command(BEN, "list all")
        assert f"Waiting for you: 1x H100 SXM 80 GB ({first.id}) in EU for Ana. The request expires" in shown
        await ours.forge(BEN, "approve", f"{first.id}:1")
        assert (await ours.submit(BEN))["ok"]
        await ours.forge(BEN, "deny", f"{second.id}:1")
        assert (await ours.submit(BEN, reason="later"))["ok"]
        assert "Waiting for you" not in await ours.command(BEN, "list all")


@pytest.mark.parametrize("label", ["Approve up to", "Deny"])
async def test_a_button_of_an_outdated_version_shows_the_newest_one(tmp_path: Path, label: str) -> None:
    async with team(tmp_path) as ours:
        rental = await asked(ours)
        old = await question(ours)
        card = await ours.look(ANA, TRAINING, "Waiting for approval")
        await ours.click(ANA, card, "Change")
        assert (await ours.submit(ANA, note="urgent"))["ok"]
        (waitlist_entry,) = await ours.quotes(ANA)
        assert (waitlist_entry.changes, waitlist_entry.request.note, waitlist_entry.replaces) == (
            rental.id,
            "urgent",
            False,
        )
        await change_request(ours, rental)
        await ours.click(BEN, old, label)
        assert (await ours.rental(rental.id)).state is State.AWAITING_APPROVAL
        assert await ours.modal(BEN) is None
        await ours.deliver()
        shown = await ours.look(BEN, APPROVALS, "so your click decided nothing.")
        assert shown["only_you"]
        newest = next(button for button in shown["buttons"] if button["text"].startswith("Approve up to"))
        assert newest["value"] == f"{rental.id}:2"


async def test_changing_a_request_edits_the_approval_message_without_mentions(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await asked(ours)
        before = await question(ours)
        last = (await ours.world.get("pings"))["last"]
        await change_request(ours, rental)
        await ours.deliver()
        after = await question(ours)
        assert after["ts"] == before["ts"]
        assert "Ana changed the request at" in after["reads"]
        assert after["buttons"][0]["value"] == f"{rental.id}:2"
        pings = (await ours.world.get("pings", after=last))["pings"]
        assert [ping for ping in pings if ping["user"] == BEN] == []


async def test_only_the_owner_can_change_or_withdraw_a_request(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await asked(ours)
        card = await ours.look(BEN, TRAINING, "Waiting for approval")
        await ours.click(BEN, card, "Change")
        assert (await ours.replies())[
            -1
        ] == f"Only the person who asked can change the request {rental.id}. Nothing was changed."
        await ours.click(BEN, card, "Withdraw")
        assert (await ours.replies())[
            -1
        ] == "Only its owner and admins can withdraw this request. Nothing was changed."
        await ours.click(ANA, card, "Withdraw")
        assert (await ours.rental(rental.id)).state is State.WITHDRAWN


async def test_only_the_owner_can_accept_a_price_outside_the_terms(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await asked(ours)
        await let_the_owner_decide(ours, rental)
        await ours.forge(BEN, "accept", f"{rental.id}:1")
        assert await ours.modal(BEN) is None
        assert (await ours.replies())[
            -1
        ] == f"Only the person who asked can decide about {rental.id}. Nothing was changed."
        assert (await ours.rental(rental.id)).state is State.AWAITING_APPROVAL
        await ours.forge(ANA, "accept", f"{rental.id}:1")
        assert (await ours.submit(ANA))["ok"]
        assert (await ours.rental(rental.id)).state is State.PROCURING

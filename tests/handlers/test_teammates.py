"""Teammates are named in the request, in the form or on the card, then checked and shown without a mention."""

from __future__ import annotations

from pathlib import Path

import asyncssh

from bot.model.base import changed
from bot.model.event import facts_in
from bot.model.facts import TeammatesFacts
from bot.model.quote import Quote
from bot.model.rental import Rental
from bot.policy.team.rules import Access
from sandbox.slack.default import ANA, APPROVALS, BEN, CLEO, DAN, GUS, OLGA, TRAINING
from sandbox.slack.state import BOT_USER
from tests.handlers.rental_states import asked, running
from tests.handlers.team import RULES, Team, an_offer, team

NO_KEY = "Ben has no SSH key yet, so I asked for one. Without it, Ben can't log in."


async def add_key(ours: Team, user: str) -> str:
    """Add a new SSH key as a person, and return its line."""
    line = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
    await ours.command(user, f"key {line}")
    return line


async def only_quote(ours: Team, user: str = ANA) -> Quote:
    (quote,) = await ours.quotes(user)
    return quote


async def rented_with(ours: Team, *teammates: str) -> Rental:
    """Rent one H100 in #training with these people as Ana."""
    await ours.context.people.look_up(teammates)
    message = await ours.offered(ANA, an_offer("o1", "2.15"), teammates=teammates)
    await ours.click(ANA, message, "Rent")
    (rental,) = await ours.rentals()
    return rental


async def without_key(ours: Team, rental: Rental) -> list[str]:
    """Return the people who were asked for a key when the rental was shared with them."""
    async with ours.deps.store.read() as tx:
        events = await tx.events.of(rental.id)
    return [user for facts in facts_in(events, TeammatesFacts) for user in facts.without_key]


# --- requesting


async def test_a_request_names_teammates_without_its_owner(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.has_key(ANA)
        assert await ours.command(ANA, "get H100 EU with @ben and @cleo @ana for 6h") == ""
        assert (await only_quote(ours)).request.teammates == (BEN, CLEO)


async def test_the_form_accepts_and_keeps_teammates(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.has_key(ANA)
        await ours.command(ANA, "get")
        assert (await ours.submit(ANA, gpu="H100", teammates=[BEN]))["ok"]
        assert (await only_quote(ours)).request.teammates == (BEN,)
        message = await ours.offered(CLEO, an_offer("o1", "2.15"), teammates=(BEN,))
        await ours.click(CLEO, message, "Change")
        assert (await ours.submit(CLEO, region="US"))["ok"]
        request = (await only_quote(ours, CLEO)).request
        assert (request.region, request.teammates) == ("US", (BEN,))


async def test_only_members_get_access(tmp_path: Path) -> None:
    async with team(tmp_path, rules=changed(RULES, use=Access(guests=True))) as ours:
        rental = await ours.rented()
        await ours.deliver()
        for who, why in (
            (GUS, "Gus is a guest, and only members can be teammates."),
            (OLGA, "Olga belongs to another workspace, and only members of this one can be teammates."),
            (DAN, "Dan has left the workspace."),
            (BOT_USER, "gpubot is an app, and only people can be teammates."),
            ("U0NOBODY", "Slack doesn't tell me who U0NOBODY is."),
        ):
            await ours.command(ANA, "get")
            refused = await ours.submit(ANA, gpu="H100", teammates=[BEN, who])
            assert refused["errors"]["teammates"].startswith(f"{why} Nothing was changed."), who
            await ours.click(ANA, await ours.card(rental), "Add teammate")
            refused = await ours.submit(ANA, teammates=[BEN, who])
            assert refused["errors"]["teammates"].startswith(f"{why} Nothing was changed."), who
            name = (await ours.context.people.get(who)).name.lower() if who != "U0NOBODY" else ""
            for command in (f"get H100 EU with @ben @{name}", f"share {rental.id} @{name}") if name else ():
                assert (await ours.command(ANA, command)).startswith(why), command
            assert await ours.quotes(ANA) == [], who
            assert (await ours.rental(rental.id)).teammates == (), who


async def test_people_who_may_not_use_the_bot_get_no_access(tmp_path: Path) -> None:
    rules = changed(RULES, use=Access(groups=RULES.approvers.groups))
    async with team(tmp_path, rules=rules) as ours:
        await ours.add_eve_and_gus()
        answer = await ours.command(BEN, "get H100 EU with @eve")
        assert answer == "Your team's rules don't let Eve use me. Nothing was changed. Leave Eve out."


async def test_no_search_begins_while_slack_cannot_identify_a_teammate(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.has_key(ANA)
        await ours.refuse("users.info", "internal_error")
        answer = await ours.command(ANA, "get H100 EU with @ben")
        assert answer == (
            "Slack didn't tell me in time who your teammates are, so nothing was changed. Try again in a moment."
        )
        assert await ours.quotes(ANA) == []


# --- renting


async def test_offers_and_card_show_teammates_without_mentioning_them(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await add_key(ours, BEN)
        await ours.context.people.look_up([BEN, CLEO])
        message = await ours.offered(ANA, an_offer("o1", "2.15"), teammates=(BEN, CLEO))
        assert "shared with Ben and Cleo" in message["reads"]
        assert "Cleo has no SSH key yet, so I'll ask for one when you rent." in message["reads"]
        await ours.click(ANA, message, "Rent")
        (rental,) = await ours.rentals()
        assert rental.teammates == (BEN, CLEO)
        assert await without_key(ours, rental) == [CLEO]
        await ours.deliver()
        card = await ours.look(ANA, TRAINING, "Starting")
        assert "in EU for Ana with Ben and Cleo" in card["reads"]
        assert [ping for ping in (await ours.world.get("pings"))["pings"] if ping["why"] != "dm"] == []
        assert (
            "Cleo has no SSH key yet, so I asked for one." in (await ours.look(ANA, TRAINING, "Renting"))["reads"]
        )


async def test_approvers_see_the_teammates(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.context.people.look_up([CLEO])
        message = await ours.offered(ANA, an_offer("o1", "12.00"), teammates=(CLEO,))
        await ours.click(ANA, message, "Ask for")
        await ours.submit(ANA)
        await ours.deliver()
        assert "for 6 h, shared with Cleo" in (await ours.look(BEN, APPROVALS, "Approve up to"))["reads"]


async def test_changing_a_request_changes_its_teammates(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await asked(ours)
        await ours.click(ANA, await ours.card(rental), "Change")
        await ours.submit(ANA, teammates=[BEN, CLEO])
        quote = await only_quote(ours)
        assert (quote.changes, quote.request.teammates) == (rental.id, (BEN, CLEO))


async def test_a_change_keeps_teammates_added_on_the_card(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await asked(ours)
        await ours.command(ANA, f"share {rental.id} @ben")
        await ours.click(ANA, await ours.card(rental), "Change")
        await ours.submit(ANA, note="longer")
        assert (await only_quote(ours)).request.teammates == (BEN,)


# --- adding teammates later


async def test_the_owner_can_add_a_teammate_until_the_purchase(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await add_key(ours, BEN)
        rental = await asked(ours)
        card = await ours.card(rental)
        await ours.click(ANA, card, "Add teammate")
        assert (await ours.submit(ANA, teammates=[BEN, ANA]))["ok"]
        assert (await ours.rental(rental.id)).teammates == (BEN,)
        assert (await ours.replies())[-1:] == []
        await ours.deliver()
        card = await ours.card(rental)
        assert "Ana with Ben" in card["reads"]


async def test_the_owner_sees_that_an_added_teammate_has_no_key(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await ours.rented()
        await ours.deliver()
        await ours.click(ANA, await ours.card(rental), "Add teammate")
        assert (await ours.submit(ANA, teammates=[BEN]))["ok"]
        assert (await ours.replies())[-1] == NO_KEY
        assert await without_key(ours, rental) == [BEN]
        assert (await ours.command(ANA, f"share {rental.id} @ben")) == NO_KEY
        assert await without_key(ours, rental) == [BEN]


async def test_nobody_else_can_add_a_teammate(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await rented_with(ours, CLEO)
        await ours.deliver()
        card = await ours.card(rental)
        for user in (BEN, CLEO):
            await ours.click(user, card, "Add teammate")
            assert await ours.modal(user) is None
            answer = await ours.command(user, f"share {rental.id} @ben")
            assert answer == f"Only its owner can share {rental.id}. Nothing was changed."
        assert (await ours.rental(rental.id)).teammates == (CLEO,)


async def test_an_outdated_card_adds_nobody_to_a_changed_request(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await asked(ours)
        await ours.forge(ANA, "add_teammate", f"{rental.id}:2")
        assert (await ours.replies())[-1].startswith(f"The request {rental.id} has changed, so nobody was added.")
        assert await ours.modal(ANA) is None


async def test_share_shows_lines_that_add_and_remove_keys_on_a_machine(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        ben = await add_key(ours, BEN)
        rental = await running(ours)
        answer = await ours.command(ANA, f"share {rental.id} @ben @cleo")
        paste, add, off, remove, no_key = answer.split("\n")
        assert paste == f"Paste this on 1x H100 SXM 80 GB ({rental.id}) so that Ben can log in:"
        assert f"for k in '{ben}'; do" in add
        assert off == "To remove the keys of Ben again, paste this on the machine:"
        assert remove.startswith("`sed -i -e ")
        assert ben.split()[1] in remove
        assert no_key.startswith("Cleo has no SSH key yet, so I asked for one.")
        assert (await ours.rental(rental.id)).teammates == (BEN, CLEO)
        before = await ours.rental(rental.id)
        assert (await ours.command(ANA, f"share {rental.id} @ben")).startswith(
            "\n".join([paste, add, off, remove])
        )
        assert await ours.command(ANA, f"share {rental.id}") == answer
        assert await ours.rental(rental.id) == before


async def test_the_removing_line_keeps_keys_that_others_share(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.has_key(ANA, BEN)
        rental = await running(ours)
        answer = await ours.command(ANA, f"share {rental.id} @ben")
        assert "sed -i" not in answer
        assert answer.endswith("because other people on the machine have the same keys.")


async def test_share_asks_for_names_if_nobody_has_access_yet(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await ours.rented()
        answer = await ours.command(ANA, f"share {rental.id}")
        assert answer == "Share with whom? Type /gpu share and the ID, then @, and pick a name from Slack's list."
        assert await ours.command(ANA, f"share {rental.id} @ana") == answer


async def test_a_rental_that_has_ended_cannot_be_shared(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await asked(ours)
        await ours.click(ANA, await ours.card(rental), "Withdraw")
        assert (await ours.command(ANA, f"share {rental.id} @ben")).startswith(
            f"{rental.id} is over, so nobody was added."
        )


async def test_share_without_an_id_uses_the_only_rental_or_asks(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        assert (await ours.command(ANA, "share @ben")).startswith("You have no machines right now.")
        first = await ours.rented()
        assert await ours.command(ANA, "share @ben") == NO_KEY
        second = await ours.offered(ANA, an_offer("o2", "2.15"), region="US")
        await ours.click(ANA, second, "Rent")
        assert (await ours.command(ANA, "share @cleo")).startswith("Share which machine?")
        question = await ours.look(ANA, TRAINING, "Share which machine?")
        assert len(question["buttons"]) == 2
        await ours.click(ANA, question, f"Share {first.id}")
        assert (await ours.rental(first.id)).teammates == (BEN, CLEO)
        assert (await ours.command(BEN, "share @cleo")).startswith(
            "You have no machine of your own, and only the owner"
        )


async def test_share_still_removes_the_keys_of_a_person_who_left(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        ben = await add_key(ours, BEN)
        rental = await running(ours)
        await ours.command(ANA, f"share {rental.id} @ben")
        await ours.world.act(f"people/{BEN}", "PATCH", guest="restricted")
        await ours.world.get("events", wait=10)
        off, line, gone = (await ours.command(ANA, f"share {rental.id}")).split("\n")
        assert off == "To remove the keys of Ben again, paste this on the machine:"
        assert ben.split()[1] in line
        assert gone == "Ben can no longer be a teammate."


async def test_the_card_of_a_purchased_machine_adds_nobody(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await running(ours)
        assert "Add teammate" not in str((await ours.card(rental))["buttons"])
        await ours.forge(ANA, "add_teammate", f"{rental.id}:1")
        assert (await ours.replies())[-1].startswith(
            f"{rental.id} is rented already, so nobody was added. Type /gpu share"
        )
        assert await ours.modal(ANA) is None

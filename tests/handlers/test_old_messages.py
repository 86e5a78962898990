"""Buttons and dialogs that older versions of the bot left in Slack still do what they did then.

Their IDs, values and metadata are copied from those versions. None of them is created by the code under test.
"""

from __future__ import annotations

import json
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.model.base import changed
from bot.model.message import MessageKind
from bot.model.quote import Nearby, Quote
from bot.model.state import State
from handlers.ids import ACTION_VALUES, MODAL_VALUES
from handlers.listeners import modals
from handlers.listeners.interaction import submission
from sandbox.slack.default import ANA, BEN, TRAINING
from tests.handlers.rental_states import H, asked, let_the_owner_decide, running
from tests.handlers.team import KEY_LINE, NOON, Team, an_offer, team
from tests.rentals import ending
from tests.store.make import message, unchecked

QUOTE = "q8f3mz2kq7wx"
RENTAL = "k7mq2"
FORM = {"gpu": "H100", "count": "1", "region": "EU", "contract": "ondemand", "vendor": "any", "lease": "6h"}
LISTS = frozenset({"gpu", "count", "region", "contract", "vendor", "hours"})
"""The inputs of old dialogs that offer choices. The other inputs are typed."""


def old_team(folder: Path) -> AbstractAsyncContextManager[Team]:
    """Return a team whose first search and first rental have the IDs that the old messages contain."""
    quotes, rentals = iter([QUOTE, *(f"q{n}" for n in range(2, 9))]), iter([RENTAL, "p4wd9"])
    return team(folder, new_id=lambda length: next(quotes if length == len(QUOTE) else rentals))


def metadata(value: str, value_type: str, channel: str, opened_by: str, **where: bool) -> str:
    """Return the metadata of a dialog that a command or click opened, in the old format."""
    places = {"ephemeral": False, "on_surface": False, "thread_ts": ""}
    url = f"https://hooks.slack.com/{opened_by}/T0/1/x"
    origin = {"channel": channel, "response_url": url, **places, **where, "opened_at": 1764000000}
    return json.dumps({"value": value, "value_type": value_type, "origin": origin}, separators=(",", ":"))


async def submit(ours: Team, user: str, callback_id: str, private_metadata: str, **inputs: str) -> None:
    """Submit a dialog that was open during the update."""
    values = {
        field: {field: {"selected_option": {"value": entered}} if field in LISTS else {"value": entered}}
        for field, entered in inputs.items()
    }
    view = {"callback_id": callback_id, "private_metadata": private_metadata, "state": {"values": values}}
    await ours.handle(submission, modals.submitted, {"user": {"id": user}, "view": view})


async def title_of_modal(ours: Team, user: str) -> str:
    modal = await ours.modal(user)
    assert modal is not None
    return str(modal["title"])


async def only_quote(ours: Team, user: str = ANA) -> Quote:
    (quote,) = await ours.quotes(user)
    return quote


def test_all_ids_used_in_old_messages_are_still_known() -> None:
    actions = (
        "rent rent_another all_offers refresh change show_nearby try_again show_line choose_from_list add_key "
        "show_rental details change_rental withdraw cancel approve deny accept extend_form extend keep destroy "
        "taken_on remove_key make_key_first from_github use_github_keys choose_github_keys cancel_keys "
        "end_when_done keep_without_heartbeat "
        "ssh add_teammate share extend_until keep_for keep_when_done ask_owner_again leave_alone keep_as_it_is "
        "replace not_working probe_installed give_owner not_ours ask_about_again destroy_unknown "
        "put_all_back one_by_one keep_until for_hours price_for_all fewer_hours open_request spend_csv show_spend "
        "reload_policy tell_me rent_for_me rent_then stop_waiting wait_again any_time rent_dearer "
        "ask_for give take home_page show_team show_script owner_spend "
        "new_token token_for_code change_token stop_token approve_token deny_token"
    )
    assert set(actions.split()) == set(ACTION_VALUES)
    dialogs = (
        "key form rent_confirm approve_confirm extend_lease destroy_confirm notice "
        "github_name choose_keys add_teammates replace_rental give_owner_form not_ours_form "
        "destroy_unknown_confirm extend_confirm deny_form fewer_hours_form "
        "highest_price rent_for_me_confirm rent_dearer_confirm take_confirm "
        "new_token_form change_token_form stop_token_confirm approve_token_confirm deny_token_form"
    )
    assert set(dialogs.split()) == set(MODAL_VALUES)


# --- buttons


@pytest.mark.parametrize(("action_id", "value"), [("rent", "q8f3mz2kq7wx:o-1"), ("rent.2", "q8f3mz2kq7wx:o-1")])
async def test_an_old_rent_button_rents_its_offer(tmp_path: Path, action_id: str, value: str) -> None:
    async with old_team(tmp_path) as ours:
        await ours.offered(ANA, an_offer("o-1", "2.15"), an_offer("o-2", "2.42"))
        await ours.forge(ANA, action_id, value)
        rental = await ours.rental(RENTAL)
        assert (rental.state, rental.clicked_offer, rental.quote_id) == (State.PROCURING, "o-1", QUOTE)


async def test_an_old_rent_another_button_rents_a_second_machine(tmp_path: Path) -> None:
    async with old_team(tmp_path) as ours:
        await ours.offered(ANA, an_offer("o-1", "2.15"))
        await ours.forge(ANA, "rent", "q8f3mz2kq7wx:o-1")
        await ours.offered(ANA, an_offer("o-2", "2.15"))
        await ours.forge(ANA, "rent_another", "q2:o-2")
        assert [rental.id for rental in await ours.rentals()] == [RENTAL, "p4wd9"]


@pytest.mark.parametrize(
    ("action_id", "value", "gpu"),
    [
        ("refresh", "q8f3mz2kq7wx", "H100"),
        ("try_again", "q8f3mz2kq7wx", "H100"),
        ("show_nearby", "q8f3mz2kq7wx:0", "A100"),
        ("keep_until", "q8f3mz2kq7wx:1795536000", "H100"),
        ("for_hours", "q8f3mz2kq7wx:4", "H100"),
        ("price_for_all", "q8f3mz2kq7wx", "H100"),
    ],
)
async def test_an_old_button_that_searches_again_starts_a_search(
    tmp_path: Path, action_id: str, value: str, gpu: str
) -> None:
    async with old_team(tmp_path) as ours:
        await ours.offered(ANA, an_offer("o-1", "2.15"))
        async with ours.deps.store.write() as tx:
            quote = await tx.quotes.get(QUOTE)
            assert quote is not None
            nearby = Nearby(request=changed(quote.request, gpu="A100"), cheapest=an_offer("o-3", "1.10"))
            await tx.quotes.save(changed(quote, nearby=(nearby,)))
        await ours.forge(ANA, action_id, value)
        assert (await only_quote(ours)).request.gpu == gpu


async def test_buttons_of_a_forgotten_search_say_so_and_rent_nothing(tmp_path: Path) -> None:
    async with old_team(tmp_path) as ours:
        await ours.offered(ANA, an_offer("o-1", "2.15"))
        async with ours.deps.store.write() as tx:
            # The newest message stays, together with everything that it refers to.
            await tx.messages.add(message(MessageKind.ALERT, None, closed=True))
            assert await tx.quotes.drop_unused(NOON + timedelta(days=1), 9) == 1
        for action_id, value in (
            ("rent", f"{QUOTE}:o-1"),
            ("rent_another", f"{QUOTE}:o-1"),
            *((action_id, QUOTE) for action_id in ("refresh", "try_again", "all_offers", "change")),
            ("show_nearby", f"{QUOTE}:0"),
            ("keep_until", f"{QUOTE}:1795536000"),
            ("for_hours", f"{QUOTE}:4"),
        ):
            before = len(await ours.replies())
            await ours.forge(ANA, action_id, value)
            (said,) = (await ours.replies())[before:]
            assert said.startswith(("This search no longer exists.", "These offers no longer exist.")), action_id
            assert "Ask again: /gpu get" in said
        assert await ours.rentals() == []
        assert await ours.quotes(ANA) == []


async def test_an_old_list_names_its_rental_even_after_its_offers_are_forgotten(
    tmp_path: Path,
) -> None:
    async with old_team(tmp_path) as ours:
        await ours.offered(ANA, an_offer("o-1", "2.15"))
        await ours.forge(ANA, "rent", f"{QUOTE}:o-1")
        async with ours.deps.store.write() as tx:
            assert await tx.quotes.drop_offers(NOON + timedelta(days=1), 9) == 0
        rental = await ours.rental(RENTAL)
        over = changed(rental, version=rental.version + 1, state=State.CANCELLED, over_at=NOON, due_at=None)
        async with ours.deps.store.write() as tx:
            await tx.rentals.apply(unchecked(rental, over))
            assert await tx.quotes.drop_offers(NOON + timedelta(days=1), 9) == 1
        await ours.forge(ANA, "rent", f"{QUOTE}:o-1")
        assert (await ours.replies())[-1].startswith(
            f"These offers were already used to rent {RENTAL}. Nothing more was rented."
        )
        await ours.forge(ANA, "refresh", QUOTE)
        assert [quote.request.gpu for quote in await ours.quotes(ANA)] == ["H100"]


async def test_an_old_all_offers_button_shows_the_complete_list(tmp_path: Path) -> None:
    async with old_team(tmp_path) as ours:
        await ours.offered(ANA, *(an_offer(f"o-{n}", f"2.{n}0") for n in range(1, 6)))
        await ours.forge(ANA, "all_offers", "q8f3mz2kq7wx")
        assert "$2.50/h" in (await ours.replies())[-1]


@pytest.mark.parametrize(
    ("action_id", "value", "title"),
    [
        ("change", "q8f3mz2kq7wx", "Get GPUs"),
        ("choose_from_list", None, "Get GPUs"),
        ("add_key", None, "Your SSH key"),
    ],
)
async def test_an_old_button_below_offers_opens_its_dialog(
    tmp_path: Path, action_id: str, value: str | None, title: str
) -> None:
    async with old_team(tmp_path) as ours:
        await ours.offered(ANA, an_offer("o-1", "2.15"))
        await ours.forge(ANA, action_id, value)
        assert await title_of_modal(ours, ANA) == title


@pytest.mark.parametrize(
    ("user", "action_id", "value", "state"),
    [(BEN, "deny", "k7mq2:1", State.DENIED), (ANA, "withdraw", "k7mq2:1", State.WITHDRAWN)],
)
async def test_an_old_button_that_decides_a_request_decides_it(
    tmp_path: Path, user: str, action_id: str, value: str, state: State
) -> None:
    async with old_team(tmp_path) as ours:
        await asked(ours)
        await ours.forge(user, action_id, value)
        if user == BEN:
            assert (await ours.submit(BEN, reason="use 4"))["ok"]  # newer versions also prompt for a reason
        assert (await ours.rental(RENTAL)).state is state


@pytest.mark.parametrize(
    ("user", "action_id", "value", "title"),
    [(BEN, "approve", "k7mq2:1", "Approve k7mq2?"), (ANA, "change_rental", "k7mq2:1", "Change the request")],
)
async def test_an_old_button_below_a_request_opens_its_dialog(
    tmp_path: Path, user: str, action_id: str, value: str, title: str
) -> None:
    async with old_team(tmp_path) as ours:
        await asked(ours)
        await ours.forge(user, action_id, value)
        assert await title_of_modal(ours, user) == title


async def test_an_old_accept_button_lets_the_owner_confirm_the_higher_price(tmp_path: Path) -> None:
    async with old_team(tmp_path) as ours:
        rental = await asked(ours)
        await let_the_owner_decide(ours, rental)
        await ours.forge(ANA, "accept", "k7mq2:1")
        assert await title_of_modal(ours, ANA) == f"Approve {rental.id}?"


@pytest.mark.parametrize(
    ("action_id", "value", "longer"),
    [("extend", "k7mq2:2:1795543200", 2 * H), ("extend.2", "k7mq2:5400s:1795543200", 1.5 * H)],
)
async def test_an_old_extend_button_extends_the_lease(
    tmp_path: Path, action_id: str, value: str, longer: timedelta
) -> None:
    async with old_team(tmp_path) as ours:
        await running(ours)
        await ours.forge(ANA, action_id, value)
        assert (await ours.rental(RENTAL)).running_lease.ends_at == NOON + 6 * H + longer


@pytest.mark.parametrize(("action_id", "value"), [("keep", "k7mq2:4"), ("keep.2", "k7mq2:4")])
async def test_an_old_keep_button_postpones_the_next_question(tmp_path: Path, action_id: str, value: str) -> None:
    async with old_team(tmp_path) as ours:
        await running(ours)
        await ours.forge(ANA, action_id, value)
        assert (await ours.rental(RENTAL)).running_lease.question.quiet_until == NOON + 4 * H


async def test_an_old_machine_button_is_answered_or_opens_its_dialog(tmp_path: Path) -> None:
    async with old_team(tmp_path) as ours:
        await running(ours)
        for action_id, words in (
            ("details", "Cost limits: $2.47/h"),
            ("show_rental", "Cost limits: $2.47/h"),
            ("taken_on", "k7mq2 has ended, confirmed by the vendor."),
        ):
            before = len(await ours.replies())
            await ours.forge(ANA, action_id, "k7mq2")
            assert words in (await ours.replies())[before:][-1], action_id
        for action_id, title in (
            ("destroy", "Destroy k7mq2?"),
            ("extend_form", "Extend k7mq2?"),
            ("cancel", "Destroy k7mq2?"),
        ):
            await ours.forge(ANA, action_id, "k7mq2")
            assert await title_of_modal(ours, ANA) == title, action_id


# --- dialogs


async def test_an_old_form_starts_a_search(tmp_path: Path) -> None:
    written = metadata("", "none", "C0TRAIN00", "commands")
    async with old_team(tmp_path) as ours:
        await ours.has_key(ANA)
        await submit(ours, ANA, "form", written, **FORM)
        quote = await only_quote(ours)
        assert (quote.request.gpu, quote.asked_in, quote.changes) == ("H100", TRAINING, None)


async def test_an_old_form_below_offers_searches_for_the_same_channel(tmp_path: Path) -> None:
    written = metadata("q8f3mz2kq7wx", "quote", "D0ANA", "actions", ephemeral=True)
    async with old_team(tmp_path) as ours:
        await ours.offered(ANA, an_offer("o-1", "2.15"))
        await submit(ours, ANA, "form", written, **FORM)
        quote = await only_quote(ours)
        assert (quote.request.gpu, quote.asked_in, quote.changes) == ("H100", TRAINING, None)


async def test_an_old_form_of_a_waiting_request_changes_that_request(tmp_path: Path) -> None:
    written = metadata("k7mq2:1", "version", "C0TRAIN00", "actions", on_surface=True)
    async with old_team(tmp_path) as ours:
        await asked(ours)
        await submit(ours, ANA, "form", written, **FORM)
        assert (await only_quote(ours)).changes == RENTAL


async def test_an_old_form_for_a_token_shows_the_secret(tmp_path: Path) -> None:
    written = metadata("n8f3mz2kq7wx", "token", "C0TRAIN00", "commands")
    texts = {"token_name": "nightly eval", "models": "H100", "per_hour": "5", "total": "50", "at_once": "2"}
    texts |= {"per_day": "6", "longest": "4h", "last_day": (NOON + timedelta(days=7)).date().isoformat()}
    lists = {"access": "rent", "beyond": "refuse", "lost": "none"}
    async with old_team(tmp_path) as ours:
        values: dict[str, Any] = {name: {name: {"value": text}} for name, text in texts.items()}
        values |= {name: {name: {"selected_option": {"value": chosen}}} for name, chosen in lists.items()}
        view = {"callback_id": "new_token_form", "private_metadata": written, "state": {"values": values}}
        (ack,) = await ours.handle(submission, modals.submitted, {"user": {"id": ANA}, "view": view})
        assert "gpb_" in str(ack)


async def test_an_old_rent_dialog_rents_its_offer(tmp_path: Path) -> None:
    written = metadata("q8f3mz2kq7wx:o-1", "offer", "C0TRAIN00", "actions", ephemeral=True)
    async with old_team(tmp_path) as ours:
        await ours.offered(ANA, an_offer("o-1", "9.00"))
        await submit(ours, ANA, "rent_confirm", written)
        rental = await ours.rental(RENTAL)
        assert (rental.state, rental.clicked_offer) == (State.PROCURING, "o-1")


async def test_an_old_rent_dialog_for_another_machine_rents_a_second_one(tmp_path: Path) -> None:
    written = metadata("q2:o-2", "another_offer", "C0TRAIN00", "actions", ephemeral=True)
    async with old_team(tmp_path) as ours:
        await ours.offered(ANA, an_offer("o-1", "2.15"))
        await ours.forge(ANA, "rent", "q8f3mz2kq7wx:o-1")
        await ours.offered(ANA, an_offer("o-2", "9.00"))
        await submit(ours, ANA, "rent_confirm", written)
        assert [rental.id for rental in await ours.rentals()] == [RENTAL, "p4wd9"]


async def test_an_old_approval_dialog_approves(tmp_path: Path) -> None:
    written = metadata("k7mq2:1", "version", "C0APPROVE", "actions", on_surface=True)
    async with old_team(tmp_path) as ours:
        await asked(ours)
        await submit(ours, BEN, "approve_confirm", written)
        rental = await ours.rental(RENTAL)
        assert (rental.state, rental.approved_by) == (State.PROCURING, BEN)


async def test_an_old_extend_dialog_extends_the_lease_once(tmp_path: Path) -> None:
    written = metadata("k7mq2:1795543200", "end", "C0TRAIN00", "actions", on_surface=True)
    async with old_team(tmp_path) as ours:
        await running(ours)
        await submit(ours, ANA, "extend_lease", written, hours="4")
        await submit(ours, ANA, "extend_lease", written, hours="4")
        assert (await ours.rental(RENTAL)).running_lease.ends_at == NOON + 10 * H


async def test_an_old_destroy_dialog_destroys(tmp_path: Path) -> None:
    written = metadata("k7mq2", "rental", "C0TRAIN00", "commands")
    async with old_team(tmp_path) as ours:
        await running(ours)
        await submit(ours, ANA, "destroy_confirm", written)
        assert ending(await ours.rental(RENTAL)).outcome is State.DESTROYED


async def test_an_old_key_dialog_saves_the_key(tmp_path: Path) -> None:
    written = metadata("", "none", "C0TRAIN00", "commands")
    async with old_team(tmp_path) as ours:
        await submit(ours, ANA, "key", written, key_line=KEY_LINE)
        assert (await ours.replies())[-1].startswith('Your key is saved: "ana@laptop"')

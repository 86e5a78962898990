"""People without rights see nothing of other people's rentals, whichever way they try."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from bot.model.budget import Scope, ScopeKind
from bot.model.login import Login
from bot.model.rental import Rental
from bot.model.spend import RowsOf
from bot.model.state import State
from bot.model.token import Token
from handlers.ids import (
    ACTION_VALUES,
    MODAL_VALUES,
    Action,
    Callback,
    LineValue,
    LoginValue,
    NoValue,
    ScriptValue,
    SpanValue,
    UntilDoneValue,
    UntilValue,
    Value,
)
from handlers.listeners import modals
from handlers.listeners.interaction import submission
from sandbox.slack.default import ANA, BEN, CLEO, GUS, TRAINING
from tests.handlers.rental_states import H, asked, change_request, question, running
from tests.handlers.team import EVE, FINGERPRINT, NOON, Team, team
from tests.handlers.token_states import NAME as TOKEN_NAME
from tests.handlers.token_states import begin, form, make, now_stored, tokens

ONLY_APPROVERS = "Only approvers can decide about requests. Nothing was changed."
NO_RIGHTS = "Your team's rules don't let you rent here. An admin can change that."
NOTE = "the merger with Initech"
SECRETS = (
    "Ana",
    "Ben",
    ANA,
    BEN,
    "$",
    "203.0.113.7",
    "Initech",
    "H100 EU",
    "hyperstack",
    "Hyperstack",
    FINGERPRINT,
    TOKEN_NAME,
)


async def forge_submission(
    ours: Team, user: str, callback_id: str, value: str, value_type: type[Value] | None = None, /, **inputs: str
) -> str:
    """Submit a dialog that wasn't opened for this person, and return the acknowledgement and the replies.

    If no type of the value is given, it is the first one that the dialog can have.
    """
    before = len(await ours.replies())
    type_name = (value_type or MODAL_VALUES[callback_id][0]).TYPE_NAME
    view = {
        "callback_id": callback_id,
        "private_metadata": json.dumps({"value": value, "value_type": type_name}),
        "state": {"values": {field: {field: {"value": typed}} for field, typed in inputs.items()}},
    }
    acknowledged = await ours.handle(submission, modals.submitted, {"user": {"id": user}, "view": view})
    return f"{acknowledged} {(await ours.replies())[before:]}"


@pytest.mark.parametrize("user", [GUS, EVE, CLEO, ANA], ids=["guest", "member", "admin", "owner"])
@pytest.mark.parametrize("afterwards", ["changed", "decided"])
async def test_an_old_button_hides_a_request_from_people_without_rights(
    tmp_path: Path, user: str, afterwards: str
) -> None:
    async with team(tmp_path) as ours:
        await ours.add_eve_and_gus()
        rental = await asked(ours)
        if afterwards == "changed":
            await change_request(ours, rental)
        else:
            await ours.click(BEN, await question(ours), "Deny")
            await ours.submit(BEN)
        may_know = afterwards == "decided" and user in {ANA, CLEO}
        before = await ours.rental(rental.id)
        for version in (1, 2):
            for action in ("approve", "deny", "accept"):
                await ours.forge(user, action, f"{rental.id}:{version}")
                reply = (await ours.replies())[-1]
                assert reply == (
                    f"Ben declined the request for {rental.id}, a moment before you. "
                    "This time, nothing was changed."
                    if may_know
                    else ONLY_APPROVERS
                )
        answer = await forge_submission(ours, user, Callback.APPROVE_CONFIRM.id, f"{rental.id}:1")
        assert (ONLY_APPROVERS in answer) == (not may_know)
        assert "$" not in answer
        assert await ours.modal(user) is None
        assert await ours.rental(rental.id) == before


async def test_withdraw_applies_only_to_the_version_that_was_shown(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await asked(ours)
        old = await ours.look(ANA, TRAINING, "Waiting for approval")
        await change_request(ours, rental)
        await ours.click(ANA, old, "Withdraw")
        assert (await ours.replies())[-1] == (
            f"The request {rental.id} has changed, so nothing was withdrawn. Its card shows the new version."
        )
        assert (await ours.rental(rental.id)).state is State.AWAITING_APPROVAL
        await ours.forge(ANA, "withdraw", f"{rental.id}:2")
        assert (await ours.rental(rental.id)).state is State.WITHDRAWN


async def test_only_the_owner_gets_the_ssh_command_and_guests_see_no_owner(
    tmp_path: Path,
) -> None:
    async with team(tmp_path) as ours:
        await ours.add_eve_and_gus()
        rental = await running(ours)
        assert "ssh root@203.0.113.7" in await ours.command(ANA, f"ssh {rental.id}")
        for user in (CLEO, EVE):
            assert (
                await ours.command(user, f"ssh {rental.id}")
                == f"Only Ana and the teammates on {rental.id} can see its SSH command."
            )
            await ours.forge(user, Action.SSH.id, rental.id)
            assert (await ours.replies())[
                -1
            ] == f"Only Ana and the teammates on {rental.id} can see its SSH command."
        for rental_id in (rental.id, "zzzzz"):
            assert await ours.command(GUS, f"ssh {rental_id}") == NO_RIGHTS
            assert await ours.command(GUS, f"show {rental_id}") == NO_RIGHTS


async def test_an_owner_who_became_a_guest_still_gets_the_ssh_command(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await running(ours)
        await ours.world.act(f"people/{ANA}", "PATCH", guest="restricted")
        await ours.world.get("events", wait=10)
        assert "ssh root@203.0.113.7" in await ours.command(ANA, f"ssh {rental.id}")
        assert "Cost limits: " in await ours.command(ANA, f"show {rental.id}")


def values_of(value_type: type[Value], rental: Rental, token: Token, login: Login) -> list[str]:
    """Return the values of a type that refer to somebody else's rental, search, API token or login."""
    if value_type in {NoValue, LineValue, ScriptValue}:
        return []
    fields = {
        "rental_id": rental.id,
        "quote_id": rental.quote_id,
        "question_id": "u7mq2",
        "token_id": login.token_id if value_type is LoginValue else token.id,
        "login_id": login.id,
        "code": login.code,
        "offer_id": rental.clicked_offer,
        "index": 0,
        "page": 1,
        "lease": 2 * H,
        "span": 1.5 * H if value_type is SpanValue else 2 * H,
        "by": NOON + 8 * H if value_type in {UntilValue, UntilDoneValue} else 2 * H,
        "gpu_rate": "2.50",
        "first": NOON + 8 * H,
        "fingerprint": FINGERPRINT,
        "name": "ana-dev",
        "scope": Scope(kind=ScopeKind.PERSON, name=ANA),
        "month": "2026-11",
        "period": "2026-11",
        "rows": RowsOf.RENTALS,
        "people": (EVE,),
        "fingerprints": (FINGERPRINT,),
    }
    ends = (NOON, rental.lease.ends_at if rental.lease else NOON)
    values = [{**fields, "version": version, "shown_end": end} for version, end in itertools.product((1, 2), ends)]
    encoded = [
        value_type.model_validate({name: value[name] for name in value_type.model_fields}).encode()
        for value in values
    ]
    return list(dict.fromkeys(encoded))


@pytest.mark.parametrize("user", [GUS, EVE], ids=["guest", "member"])
@pytest.mark.parametrize("state", ["waits", "was changed", "runs"])
async def test_clicks_and_submissions_never_reveal_or_change_other_peoples_rentals(
    tmp_path: Path, user: str, state: str
) -> None:
    async with team(tmp_path) as ours:
        await ours.add_eve_and_gus()
        rental = await running(ours) if state == "runs" else await asked(ours, note=NOTE)
        if state == "was changed":
            await change_request(ours, rental)
        await make(ours, total="200", name=TOKEN_NAME)
        (token,) = await tokens(ours)
        login = await begin(ours)
        await form(ours, login.code)
        login, before = await now_stored(ours, login), await ours.rental(rental.id)
        first = len(await ours.queued())
        for action_id, value_type in ACTION_VALUES.items():
            # Members may see what others rent, but without the costs, and they learn who gets the SSH command.
            may_look = action_id in {Action.DETAILS.id, Action.SHOW_RENTAL.id, Action.SSH.id} and user == EVE
            for value in () if may_look else values_of(value_type, rental, token, login):
                await ours.forge(user, action_id, value)
        for callback_id, value_types in MODAL_VALUES.items():
            for value_type in value_types:
                for value in values_of(value_type, rental, token, login):
                    await forge_submission(ours, user, callback_id, value, value_type, hours="2")
        answers = [str(message.body) for message in (await ours.queued())[first:]]
        assert len(answers) > 20
        assert [(secret, words) for words in answers for secret in SECRETS if secret in words] == []
        assert await ours.modal(user) is None
        assert await ours.rental(rental.id) == before
        assert await tokens(ours) == [token]
        assert await now_stored(ours, login) == login
        assert await ours.quotes(user) == []


async def test_commands_never_show_guests_other_peoples_rentals(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.add_eve_and_gus()
        rental = await running(ours)
        for words in ("", "list", "list all", "help", "key", "catalog", "pause", "resume", "get", "get H100 now"):
            answer = await ours.command(GUS, words)
            assert "$10.00/h" not in answer, words
            assert "Ana" not in answer, words
        for words in ("show", "ssh", "destroy", "extend", "keep"):
            answer = await ours.command(GUS, f"{words} {rental.id}") + await ours.command(
                GUS, f"{words} {rental.id} 2h"
            )
            assert [secret for secret in SECRETS if secret in answer] == [], words
        assert await ours.modal(GUS) is None
        assert [one.id for one in await ours.rentals()] == [rental.id]

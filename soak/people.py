"""Carries out the planned actions, based on what each person sees in Slack at that moment."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from sandbox.client import Button, ControlError, Input, Modal, Outcome, SeenMessage
from sandbox.client.answers import Json
from soak.actions import ADMIN, APPROVER, ZONES, Action, ActionKind, Dialog
from soak.evidence import GRACEFUL_DESTROY, NOT_SUBMITTED, RENTAL_ID, PerformedAction
from soak.world import PEOPLE, World, new_key

T = TypeVar("T")
DIALOG_WAIT = 1.5
"""Wall-clock seconds to wait for a modal to open."""
_RENTAL = re.compile(rf"({RENTAL_ID})(?::|$)")
_IDS = re.compile(rf"\b({RENTAL_ID})(?=[.,:\s)]|$)")
_TO_TYPE = "type the name: "
_CAP = "Highest price, in dollars"
OF_A_QUOTE = {"rent", "rent_another", "all_offers", "refresh", "change", "show_nearby", "try_again", "tell_me"} | {
    "rent_for_me",
    "rent_then",
    "stop_waiting",
    "wait_again",
    "any_time",
    "keep_until",
    "for_hours",
}
"""The kinds of buttons whose value begins with the ID of a quote, which is a saved search with its offers."""


class NothingToActOn(Exception):
    """At the moment, the person sees no such button to click, or no rental to name."""


async def act(world: World, action: Action) -> bool:
    """Carry out an action.

    Returns False if there is nothing to act on, or if Slack's client doesn't allow the action.
    """
    try:
        match action.kind:
            case ActionKind.COMMAND:
                await _type_command(world, action)
            case ActionKind.CLICK:
                await _click_a_button(world, action)
            case ActionKind.SAY:
                message = {"user": PEOPLE[action.who], "dm": True, "text": action.text}
                await world.sandbox.slack.post("say", message)
            case ActionKind.KEY:
                await _set_key(world, action)
            case ActionKind.HOME:
                await _use_home(world, action)
    except (NothingToActOn, ControlError, LookupError):
        return False
    return True


async def _set_key(world: World, action: Action) -> None:
    await _command(world, action, f"key {new_key()}", None)


# --- commands


async def _type_command(world: World, action: Action) -> None:
    text, rental = _with_times(action, await world.sandbox.now()), None
    if "{" in text:
        rental = _pick(await _rentals(world, action), action.pick)
        text = re.sub(r"\{\w+\}", rental, text)
    for _ in range(1 + action.twice):
        await _command(world, action, text, rental)
    if text.startswith("destroy"):
        await _use_dialog(world, action)


def _with_times(action: Action, now: datetime) -> str:
    """Return the command with its placeholders replaced by times, in the zone of the person who types it."""

    def later(minutes: re.Match[str]) -> str:
        moment = now + timedelta(minutes=int(minutes[1]))
        return f"{moment.astimezone(ZoneInfo(ZONES[action.who])):%Y-%m-%d %H:%M}"

    return re.sub(r"\{\+(\d+)\}", later, action.text)


async def _command(world: World, action: Action, text: str, rental: str | None) -> None:
    performed = await _performed(world, action.who, "command", text=text, rental=rental)
    _record(world, performed, await world.sandbox.command(PEOPLE[action.who], action.channel, text))


async def _rentals(world: World, action: Action) -> list[str]:
    """Return the IDs of the rentals that the person can read about, newest first.

    If the command contains `{own}`, only the person's own rentals are returned.
    """
    found: dict[str, None] = {}
    for message in await _newest_first(world, action.who):
        first_line = message.text.split("\n")[0]
        theirs = re.search(rf" for {action.who}(?:\.| with | at )", first_line)
        if message.author in PEOPLE or ("{own}" in action.text and theirs is None):
            continue
        # An ordinary word of five letters could be taken for the ID of a rental. Accept only words with a digit.
        found |= dict.fromkeys(word for word in _IDS.findall(first_line) if any(sign.isdigit() for sign in word))
    return list(found)


async def _newest_first(world: World, who: str, *, versions: bool = False) -> list[SeenMessage]:
    seen = await world.sandbox.see(PEOPLE[who], versions=versions)
    return sorted(seen, key=lambda message: -message.seq)


# --- clicks and modals


async def _click_a_button(world: World, action: Action) -> None:
    """Click one of the buttons that the person sees, and handle the modal that the click opens."""
    buttons = [
        (message, button)
        for message in await _newest_first(world, action.who, versions=action.stale)
        for button in message.buttons
        if not message.deleted and button.text.startswith(action.labels)
    ]
    message, button = _pick(buttons, action.pick)
    clicks = [_click(world, action, message, button) for _ in range(1 + action.twice)]
    if any(await asyncio.gather(*clicks)):
        await _use_dialog(world, action)


async def _click(world: World, action: Action, message: SeenMessage, button: Button) -> bool:
    """Click the button, and return whether the click was acknowledged."""
    performed = await _performed_click(world, action.who, button)
    outcome = await world.sandbox.click(PEOPLE[action.who], message, button, as_read=action.stale)
    _record(world, performed, outcome)
    return outcome.ok


async def _performed_click(world: World, who: str, button: Button) -> PerformedAction:
    kind, value = button.action_id.split(".")[0], button.value or ""
    found = None if kind in OF_A_QUOTE else _RENTAL.match(value)
    return await _performed(world, who, kind, value=value, rental=found[1] if found else None)


async def _use_home(world: World, action: Action) -> None:
    """Open the Home tab, record its current content, and click one of its buttons."""
    user = PEOPLE[action.who]
    await world.sandbox.slack.post("home", {"user": user})
    home = (await world.sandbox.slack.get("views", user=user))["home"]
    if home is None:
        return
    world.modals.append((action.who, home["reads"]))
    buttons = [Button.model_validate(each) for each in home["buttons"]]
    button = _pick([each for each in buttons if each.text.startswith(action.labels)], action.pick)
    for _ in range(1 + action.twice):
        performed = await _performed_click(world, action.who, button)
        click = {"view_id": home["view_id"], "block_id": button.block_id, "action_id": button.action_id}
        outcome = Outcome.model_validate(await world.sandbox.slack.post("click", {"user": user, **click}))
        _record(world, performed, outcome)
    if outcome.ok:
        await _use_dialog(world, action)


async def _use_dialog(world: World, action: Action) -> None:
    """If a modal has opened, handle it according to the action."""
    user = PEOPLE[action.who]
    modal = await world.sandbox.modal(user, wait=DIALOG_WAIT)
    if modal is None:
        return
    world.modals.append((action.who, f"{modal.title}\n{modal.reads}"))
    if action.dialog in {Dialog.LEAVE_OPEN, Dialog.CLOSE} or not modal.submit:
        performed = await _performed(world, action.who, NOT_SUBMITTED, value=_value(modal))
        world.actions.append(replace(performed, ok=True))
        if action.dialog is not Dialog.LEAVE_OPEN:
            await world.sandbox.close(user, modal)
        return
    times = 2 if action.dialog is Dialog.SUBMIT_TWICE else 1
    submissions = (_submit(world, action, modal) for _ in range(times))
    # A person may submit a dialog twice. Slack refuses the second submission if the first has already closed the
    # dialog, so ignore errors in this case.
    await asyncio.gather(*submissions, return_exceptions=times == 2)
    left = await world.sandbox.modal(user)
    if left is not None and modal.callback_id == "highest_price" != left.callback_id:
        world.modals.append((action.who, f"{left.title}\n{left.reads}"))
        await _submit(world, action, left)
        left = await world.sandbox.modal(user)
    if left is not None:
        world.modals.append((action.who, f"{left.title}\n{left.reads}"))
        await world.sandbox.close(user, left)


async def _submit(world: World, action: Action, modal: Modal) -> None:
    who, value = action.who, _value(modal)
    rental = None if modal.callback_id in {"rent_confirm", "form"} else _RENTAL.match(value)
    performed = await _performed(
        world,
        who,
        modal.callback_id,
        text=GRACEFUL_DESTROY if _graceful_destroy(modal) and not _unchecks(action) else "",
        value=value,
        rental=rental[1] if rental else None,
    )
    _record(world, performed, await world.sandbox.submit(PEOPLE[who], modal, _needed(modal, action)))


def _unchecks(action: Action) -> bool:
    """Return whether the person unchecks the box for on-ending.sh.

    The machine is then destroyed immediately.
    """
    return action.pick > 0.25


def _graceful_destroy(modal: Modal) -> Input | None:
    return next((each for each in modal.inputs if each.block_id == GRACEFUL_DESTROY), None)


def _value(modal: Modal) -> str:
    found = re.search(r'"value": ?"([^"]*)"', modal.private_metadata)
    return found[1] if found else ""


def _needed(modal: Modal, action: Action) -> Json:
    """Return the input that a modal needs before it can be submitted: a name to type, a price, or a person.

    If the person unchecks the box for on-ending.sh, the input includes that change.
    """
    values: Json = {}
    box = _graceful_destroy(modal)
    if box is not None and _unchecks(action):
        values[box.block_id] = {box.action_id: []}
    for each in modal.inputs:
        if each.type == "users_select" and not (each.value or {}).get("selected_user"):
            values[each.block_id] = {each.action_id: PEOPLE[APPROVER]}
        elif _TO_TYPE in each.label:
            values[each.block_id] = {each.action_id: each.label.partition(_TO_TYPE)[2]}
        elif modal.callback_id == "highest_price" and each.label.startswith(_CAP):
            values[each.block_id] = {each.action_id: "1.50" if action.pick < 0.5 else "4"}
    return values


async def answer_questions(world: World) -> None:
    """Destroy, as the admin, every machine that the bot asks the admin about.

    These are the unmanaged machines, and the machines whose owner left.
    """
    for message in await _newest_first(world, ADMIN):
        for button in message.buttons:
            left = "left the workspace" in message.text and button.action_id.startswith("destroy")
            if not message.deleted and (
                left or button.action_id.startswith(("destroy_unknown", "one_by_one", "put_all_back"))
            ):
                action = Action(after=0, who=ADMIN, kind=ActionKind.CLICK, pick=1)
                if await _click(world, action, message, button):
                    await _use_dialog(world, action)


# --- the record


async def _performed(world: World, who: str, kind: str, **fields: Any) -> PerformedAction:
    last = await world.last_change()
    return PerformedAction(at=await world.sandbox.now(), after=last, who=who, kind=kind, **fields)


def _record(world: World, performed: PerformedAction, outcome: Outcome) -> None:
    """Add an action to the record, with Slack's answer to it."""
    payload = outcome.payload
    text = str(payload.get("text", payload) if isinstance(payload, dict) else payload or "")
    refused = isinstance(payload, dict) and payload.get("response_action") in {"errors", "update"}
    answer = text or outcome.error or ""
    world.actions.append(replace(performed, ok=outcome.ok and not refused, answer=answer))


def _pick(choices: Sequence[T], pick: float) -> T:
    """Return the choice that a number from 0 to 1 selects. Raise NothingToActOn if there are no choices."""
    if not choices:
        raise NothingToActOn
    return choices[int(pick * len(choices))]

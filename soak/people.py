"""Does what the plan says that people do, with what they see at that moment."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from typing import Any

import asyncssh

from bot.demo.outside import Forbidden, Json, Seen
from soak.deeds import Act, Does, Then
from soak.evidence import RENTAL_ID, Deed
from soak.world import PEOPLE, World

DIALOG_WAIT = 1.5
"""Real seconds that someone waits for a dialog."""
_RENTAL = re.compile(rf"({RENTAL_ID})(?::|$)")
_IDS = re.compile(rf"\b({RENTAL_ID})(?=[.,:\s)]|$)")
OF_A_QUOTE = {"rent", "rent_another", "all_offers", "refresh", "change", "show_nearby", "try_again"}


class Impossible(Exception):
    """There is nothing like that to click or to name at the moment."""


async def act(world: World, wanted: Act) -> bool:
    """Does one act. Returns False if there was nothing to do it with, or Slack's client didn't let the person."""
    try:
        match wanted.does:
            case Does.TYPES:
                await _types(world, wanted)
            case Does.CLICKS:
                await _clicks(world, wanted)
            case Does.SAYS:
                await world.outside.slack(
                    "POST", "say", {"user": PEOPLE[wanted.who], "dm": True, "text": wanted.words}
                )
            case Does.KEY:
                await _sets_key(world, wanted)
    except (Impossible, Forbidden, LookupError):
        return False
    return True


async def _sets_key(world: World, wanted: Act) -> None:
    line = asyncssh.generate_private_key("ssh-ed25519", comment="soak@laptop").export_public_key().decode().strip()
    await _command(world, wanted, f"key {line}", None)


# --- commands


async def _types(world: World, wanted: Act) -> None:
    words, rental = wanted.words, None
    if "{" in words:
        rental = _pick(await _rentals(world, wanted), wanted.pick)
        words = re.sub(r"\{\w+\}", rental, words)
    for _ in range(1 + wanted.twice):
        await _command(world, wanted, words, rental)
    if words.startswith("destroy"):
        await _goes_on(world, wanted)


async def _command(world: World, wanted: Act, words: str, rental: str | None) -> None:
    deed = await _deed(world, wanted.who, "command", words=words, rental=rental)
    said = await world.outside.command(PEOPLE[wanted.who], wanted.where, words)
    _note(world, deed, said)


async def _rentals(world: World, wanted: Act) -> list[str]:
    """The ids of rentals that someone can read of, the newest first: their own, or any."""
    seen = await world.outside.see(PEOPLE[wanted.who])
    found: dict[str, None] = {}
    for message in sorted(seen, key=lambda one: -one.seq):
        first = message.text.split("\n")[0]
        if message.author in PEOPLE or ("{own}" in wanted.words and f", {wanted.who}, " not in first):
            continue
        found |= dict.fromkeys(one for one in _IDS.findall(first) if any(sign.isdigit() for sign in one))
    return list(found)


# --- clicks and dialogs


async def _clicks(world: World, wanted: Act) -> None:
    user = PEOPLE[wanted.who]
    seen = await world.outside.see(user, versions=wanted.stale)
    aims = [
        (message, button)
        for message in sorted(seen, key=lambda one: -one.seq)
        for button in message.buttons
        if not message.deleted and str(button["text"]).startswith(wanted.labels)
    ]
    message, button = _pick(aims, wanted.pick)
    clicks = [_click(world, wanted, message, button) for _ in range(1 + wanted.twice)]
    done = await asyncio.gather(*clicks)
    if any(done):
        await _goes_on(world, wanted)


async def _click(world: World, wanted: Act, message: Seen, button: Json) -> bool:
    action = str(button["action_id"]).split(".")[0]
    value = str(button["value"] or "")
    named = None if action in OF_A_QUOTE else _RENTAL.match(value)
    deed = await _deed(world, wanted.who, action, value=value, rental=named[1] if named else None)
    order: dict[str, Any] = {
        "user": PEOPLE[wanted.who],
        "channel": message.channel,
        "ts": message.ts,
        "action_id": button["action_id"],
        "block_id": button["block_id"],
        "confirmed": True,
    }
    if wanted.stale:
        order["seq"] = message.seq
    said = await world.outside.slack("POST", "click", order)
    _note(world, deed, said)
    return bool(said["ok"])


async def _goes_on(world: World, wanted: Act) -> None:
    """With the dialog that opened, if one did."""
    user = PEOPLE[wanted.who]
    views = (await world.outside.slack("GET", "views", user=user, wait=DIALOG_WAIT))["views"]
    if not views:
        return
    view = views[-1]
    world.modals.append((wanted.who, f"{view['title']}\n{view['reads']}"))
    if wanted.then is Then.LEAVE:
        return
    if wanted.then is Then.CLOSE or not view["submit"]:
        await world.outside.slack("POST", "close", {"user": user, "view_id": view["view_id"], "all": True})
        return
    times = 2 if wanted.then is Then.TWICE else 1
    sent = (_submit(world, wanted.who, view) for _ in range(times))
    await asyncio.gather(
        *sent, return_exceptions=times == 2
    )  # Slack's client refuses the second if the first was quick
    left = (await world.outside.slack("GET", "views", user=user))["views"]
    if left:
        world.modals.append((wanted.who, f"{left[-1]['title']}\n{left[-1]['reads']}"))
        await world.outside.slack("POST", "close", {"user": user, "view_id": left[-1]["view_id"], "all": True})


async def _submit(world: World, who: str, view: Json) -> None:
    carried = re.search(r'"value": ?"([^"]*)"', view["private_metadata"])
    value = carried[1] if carried else ""
    named = _RENTAL.match(value)
    quoted = view["callback_id"] in {"rent_confirm", "form"}
    deed = await _deed(
        world, who, view["callback_id"], value=value, rental=named[1] if named and not quoted else None
    )
    said = await world.outside.submit(PEOPLE[who], view)
    _note(world, deed, said)


# --- the journal


async def _deed(world: World, who: str, kind: str, **more: Any) -> Deed:
    return Deed(at=await world.now(), after=await world.last(), who=who, kind=kind, **more)


def _note(world: World, deed: Deed, said: Json) -> None:
    answer = said.get("payload")
    words = str(answer.get("text", answer) if isinstance(answer, dict) else answer or "")
    refused = isinstance(answer, dict) and answer.get("response_action") in {"errors", "update"}
    world.deeds.append(
        replace(deed, ok=bool(said["ok"]) and not refused, answer=words or str(said.get("error") or ""))
    )


def _pick(among: Any, pick: float) -> Any:
    if not among:
        raise Impossible
    return among[int(pick * len(among))]

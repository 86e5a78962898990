"""Collects the evidence of an episode from the sandbox, the log and /health."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import aiohttp

from bot.demo.outside import Json
from soak.deeds import ADMIN
from soak.evidence import Bought, Evidence, Machine, Post, Request
from soak.world import GRACE, PEOPLE, World

STUBBORN = {"delete_500", "not_deleting", "stale_cache"}
METADATA = "gpubot_message"
PAGE = 200


async def gather(world: World, *, over: bool) -> Evidence:
    """Everything up to now; nothing may be under way."""
    outside = world.outside
    account, bill = await outside.account(), await outside.bill()
    seen = {name: tuple(await outside.see(user, versions=True)) for name, user in PEOPLE.items()}
    market = (await outside.compute("GET", "traffic"))["requests"]
    ready = outside.ready
    return Evidence(
        now=await world.now(),
        grace=GRACE,
        people=PEOPLE,
        admin=ADMIN,
        approvers=("Ben",),
        seen=seen,
        modals=tuple(world.modals),
        deeds=tuple(world.deeds),
        spans=tuple(world.spans),
        machines=tuple(_machines(account, bill)),
        bought=tuple(
            Bought(one["offer_id"], one["vendor"], str(one["resource_name"]), _at(one["at"]))
            for one in account["offers_bought"]
        ),
        market=tuple(
            Request(_at(one["at"]), one["endpoint"], one["path"], one["status"])
            for one in market
            if one["endpoint"] in {"procure_offer", "delete_resource"}
        ),
        posts=tuple(await _posts(world, {message.channel for every in seen.values() for message in every})),
        stubborn=_stubborn(world),
        taken_back=frozenset(world.taken_back),
        log=tuple(world.log.read_text(encoding="utf-8", errors="replace").splitlines()),
        secrets=(ready.bot_token, ready.app_token, ready.compute_token),
        health=await world.look(),
        over=over,
    )


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _machines(account: Json, bill: Json) -> list[Machine]:
    micros = {line["resource_id"]: int(line["micros"]) for line in bill["lines"]}
    return [
        Machine(
            resource_id=one["resource_id"],
            offer_id=one["offer_id"],
            name=one["name"],
            vendor=one["vendor"],
            port=one["port"],
            start=_at(one["billed_from"]),
            end=_at(one["billed_to"]) if one["billed_to"] else None,
            micros=micros.get(one["resource_id"], 0),
        )
        for one in account["resources"]
    ]


def _stubborn(world: World) -> frozenset[str]:
    met = (name.split(" ") for name in world.met)
    return frozenset(name[0] for name in met if name[-1] in STUBBORN)


async def _posts(world: World, channels: set[str]) -> list[Post]:
    """What stands in the channels for everyone, with the ids that the bot gave its messages."""
    found: list[Post] = []
    for channel in sorted(channels):
        for parent in await _history(world, "conversations.history", channel=channel):
            found += _own(channel, [parent])
            if parent.get("reply_count"):
                replies = await _history(world, "conversations.replies", channel=channel, ts=parent["ts"])
                found += _own(channel, replies[1:])
    return list({(post.channel, post.ts): post for post in found}.values())


def _own(channel: str, messages: list[dict[str, Any]]) -> list[Post]:
    posts = []
    for message in messages:
        metadata = message.get("metadata") or {}
        if metadata.get("event_type") == METADATA:
            message_id = str(metadata["event_payload"]["id"])
            posts.append(Post(channel, str(message["ts"]), message_id, str(message.get("text", ""))))
    return posts


async def _history(world: World, method: str, **asked: object) -> list[dict[str, Any]]:
    ready, found, cursor = world.outside.ready, [], ""
    while True:
        query = {name: str(value) for name, value in asked.items()}
        query |= {"limit": str(PAGE), "include_all_metadata": "true", "cursor": cursor}
        headers = {"Authorization": f"Bearer {ready.bot_token}"}
        async with world.session.get(ready.api + method, params=query, headers=headers) as answer:
            said = await answer.json()
        if not said["ok"]:
            raise aiohttp.ClientError(f"{method}: {said}")
        found += said["messages"]
        cursor = (said.get("response_metadata") or {}).get("next_cursor") or ""
        if not cursor:
            return found

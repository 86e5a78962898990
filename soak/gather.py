"""Collects the evidence of an episode from the sandbox, the log and /health."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import aiohttp

from sandbox.client import Account, BillLine, LoggedRequest, SeenMessage
from sandbox.compute.catalog import listings
from sandbox.traffic import NO_ANSWER
from soak.actions import ADMIN, APPROVER, LEAVER
from soak.evidence import MACHINE_NAME, RENTAL_ID, Evidence, Machine, MarketRequest, Post, Purchase
from soak.world import GRACE, PEOPLE, World

SLOW_DELETIONS = {"delete_500", "not_deleting", "stale_cache"}
METADATA = "gpubot_message"
PAGE = 200
_AS = re.compile(rf"\badded (?P<id>{RENTAL_ID}) back to my database \(with the new ID (?P<new>{RENTAL_ID})\) for ")
_BECAME = re.compile(rf": (?P<name>[\w-]+)(?:, [^\n]*?)?\. It has the ID (?P<id>{RENTAL_ID}) now\b")


async def gather(world: World, *, over: bool) -> Evidence:
    """Return the evidence so far. Call this only while no action and no request is in progress."""
    sandbox = world.sandbox
    account, bill = await sandbox.account(), await sandbox.bill()
    seen = {name: tuple(await sandbox.see(user, versions=True)) for name, user in PEOPLE.items()}
    if world.left_at is not None:
        last = max((message.seq for message in world.seen_by_leaver), default=0)
        since = (message for message in seen[LEAVER] if message.seq > last)
        seen[LEAVER] = (*world.seen_by_leaver, *since)
    addresses = sandbox.addresses
    traffic = await sandbox.compute.traffic()
    return Evidence(
        now=await sandbox.now(),
        grace=GRACE,
        people=PEOPLE,
        admin=ADMIN,
        approvers=(APPROVER,),
        seen=seen,
        modals=tuple(world.modals),
        actions=tuple(world.actions),
        jumps=tuple(world.jumps),
        machines=tuple(_machines(account, bill, await _probe_runs(world, account), _became(seen[ADMIN]))),
        purchases=tuple(
            Purchase(
                offer.offer_id,
                offer.vendor,
                str(offer.resource_name),
                offer.at,
                failed=offer.answered == "failed" and offer.offer_id not in _unanswered(traffic),
            )
            for offer in account.offers_bought
        ),
        market=tuple(
            MarketRequest(request.at, request.endpoint, request.path, request.status)
            for request in traffic
            if request.endpoint in {"procure_offer", "delete_resource"}
        ),
        posts=tuple(await _posts(world, {message.channel for messages in seen.values() for message in messages})),
        slow_to_delete=_slow_to_delete(world),
        uses=tuple(world.uses),
        left={LEAVER: world.left_at} if world.left_at else {},
        reclaimed=frozenset(world.reclaimed),
        restored_at=world.restored_at,
        log=tuple(
            line
            for replica in world.replicas
            for line in replica.log.read_text(encoding="utf-8", errors="replace").splitlines()
        ),
        secrets=(addresses.bot_token, addresses.app_token, addresses.compute_token),
        health=await world.read_health(),
        cheapest=_cheapest(),
        calm_since=world.calm_since,
        over=over,
    )


def _unanswered(traffic: Iterable[LoggedRequest]) -> set[str]:
    """Return the offers whose purchase got no answer, even if the market was about to send one."""
    return {one.body["offer_id"] for one in traffic if one.endpoint == "procure_offer" and one.status == NO_ANSWER}


def _cheapest() -> dict[str, Decimal]:
    """Return the lowest on-demand price of each GPU, with a region and without one."""
    found: dict[str, Decimal] = {}
    for listing in listings():
        if listing.contract == "ondemand" and not listing.is_cluster:
            for region in ("", f" {listing.region.group}"):
                what = f"{listing.count}x {listing.variant.family}{region}"
                found[what] = min(listing.total, found.get(what, listing.total))
    return found


def _id_in(name: str) -> str:
    found = MACHINE_NAME.match(name)
    return found["id"] if found else ""


async def _probe_runs(world: World, account: Account) -> dict[str, int]:
    """Return the number of times that the probe logged in to each resource, by resource ID."""
    ids = [resource.resource_id for resource in account.resources]
    return {resource_id: (await world.sandbox.machine(resource_id)).visits for resource_id in ids}


def _became(messages: tuple[SeenMessage, ...]) -> dict[str, str]:
    """Return the rental that each machine became when the admin assigned it to an owner.

    The rentals are read from the bot's messages to the admin. The keys are the names of the machines, or the
    rental IDs that these names contained.
    """
    given = {found["name"]: found["id"] for message in messages for found in _BECAME.finditer(message.text)}
    return given | {found["id"]: found["new"] for message in messages for found in _AS.finditer(message.text)}


def _machines(
    account: Account, bill: list[BillLine], probe_runs: dict[str, int], became: dict[str, str]
) -> list[Machine]:
    micros = {line.resource_id: line.micros for line in bill}
    return [
        Machine(
            resource_id=resource.resource_id,
            offer_id=resource.offer_id,
            name=resource.name,
            vendor=resource.vendor,
            port=resource.port,
            start=resource.billed_from,
            end=resource.billed_to,
            micros=micros.get(resource.resource_id, 0),
            probe_runs=probe_runs[resource.resource_id],
            became=became.get(resource.name) or became.get(_id_in(resource.name)),
        )
        for resource in account.resources
    ]


def _slow_to_delete(world: World) -> frozenset[str]:
    """Return the vendors that made deletions slow.

    The vendors are found in the names of disturbances, such as `nebius delete_500`.
    """
    names = (name.split(" ") for name in world.disturbances_met)
    return frozenset(words[0] for words in names if words[-1] in SLOW_DELETIONS)


async def _posts(world: World, channels: set[str]) -> list[Post]:
    """Return the bot's posts in these channels, with the message IDs that it stored in their metadata."""
    found: list[Post] = []
    for channel in sorted(channels):
        for parent in await _history(world, "conversations.history", channel=channel):
            found += _posts_of_the_bot(channel, [parent])
            if parent.get("reply_count"):
                replies = await _history(world, "conversations.replies", channel=channel, ts=parent["ts"])
                found += _posts_of_the_bot(channel, replies[1:])
    return list({(post.channel, post.ts): post for post in found}.values())


def _posts_of_the_bot(channel: str, messages: list[dict[str, Any]]) -> list[Post]:
    posts = []
    for message in messages:
        metadata = message.get("metadata") or {}
        if metadata.get("event_type") == METADATA:
            message_id = str(metadata["event_payload"]["id"])
            posts.append(Post(channel, str(message["ts"]), message_id, str(message.get("text", ""))))
    return posts


async def _history(world: World, method: str, **arguments: object) -> list[dict[str, Any]]:
    """Return the messages of all pages of a Web API method."""
    addresses, found, cursor = world.sandbox.addresses, [], ""
    headers = {"Authorization": f"Bearer {addresses.bot_token}"}
    while True:
        query = {name: str(value) for name, value in arguments.items()}
        query |= {"limit": str(PAGE), "include_all_metadata": "true", "cursor": cursor}
        async with world.session.get(addresses.api + method, params=query, headers=headers) as response:
            answer = await response.json()
        if not answer["ok"]:
            raise aiohttp.ClientError(f"{method}: {answer}")
        found += answer["messages"]
        cursor = (answer.get("response_metadata") or {}).get("next_cursor") or ""
        if not cursor:
            return found

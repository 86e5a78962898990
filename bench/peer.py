"""The peer: the bot that a careful team would write in a few hundred lines. It serves as a baseline for gpubot.

The peer uses Bolt, plain httpx, one task per rental, and a dict that is read from a JSON file at the start and
written to it at each change. It stores each purchase before it makes the purchase. If a call fails, it looks up
the outcome or polls again. `LACKS` describes the features that it doesn't have.

Run it with `python -m bench.peer FILE [--no-limits]` in the bot's environment, with the tokens and URLs of Slack
and Compute Clear, and GPUBOT_CLOCK_URL.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import random
import re
import signal
from asyncio import Future, Task
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import aiohttp
import httpx
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from bot.net.sandbox_clock import FollowedClock, clock_of

LACKS = (
    "The peer has no probe, no approvals and no ledger. So it knows nothing about the use of machines, budgets or"
    " unmanaged machines, and it doesn't repeat a message that failed."
)
POLL, CHECK = 15.0, 180.0
"""The seconds between two polls: CHECK for ready machines, POLL for all others."""
READY_WITHIN, UNSOLD_AFTER, WARN_BEFORE = 900.0, 120.0, 1800.0
PROCURE_TIMEOUT = 75.0
_GET = re.compile(
    r"get (?P<gpu>\S+)(?: (?P<region>US|EU|APAC))?(?: for (?P<many>\d+)(?P<unit>[mh]))?(?P<now> now)?"
)
_EXPECTED = (httpx.HTTPError, aiohttp.ClientError, SlackApiError, TimeoutError, KeyError, ValueError)
log = logging.getLogger("peer")


@dataclass
class Rental:
    """A rental with its machines. Times are in Unix seconds."""

    offer_id: str
    owner: str
    state: str
    """The state: `buying`, `provisioning`, `ready` or `deleting`."""
    resources: list[str]
    bought_at: float
    lasts: float
    due: float
    ends_at: float = 0.0
    """The end of the lease; 0 until the machine is ready."""
    warned: bool = False


class Time:
    """The sandbox's clock. A bot that uses the machine's clock would need only time.time() and asyncio.sleep()."""

    def __init__(self, clock: FollowedClock) -> None:
        self._clock = clock
        self._asleep: set[Future[None]] = set()

    def now(self) -> float:
        """Return the current time in Unix seconds."""
        return self._clock.now().timestamp()

    async def until(self, moment: float) -> None:
        """Sleep until a time in Unix seconds."""
        loop = asyncio.get_running_loop()
        while (left := moment - self.now()) > 0:
            woken: Future[None] = loop.create_future()
            timer = loop.call_later(left / self._clock.speed if self._clock.speed else 3600, _wake, woken)
            self._asleep.add(woken)
            try:
                await woken
            finally:
                timer.cancel()
                self._asleep.discard(woken)

    async def follow(self) -> None:
        """Wake all sleeping tasks each time the clock is moved, until cancelled.

        The tasks are woken 2 ms apart. If all of them woke up at once, most would wait in vain for one of httpx's
        connections. This doesn't happen when time passes without jumps.
        """
        following = asyncio.ensure_future(self._clock.follow())
        try:
            while True:
                revision = self._clock.revision
                await asyncio.sleep(0.05)
                if self._clock.revision != revision:
                    for woken in list(self._asleep):
                        _wake(woken)
                        await asyncio.sleep(0.002)
        finally:
            following.cancel()


def _wake(woken: Future[None]) -> None:
    if not woken.done():
        woken.set_result(None)


class Peer:
    """The peer, with its rentals and their tasks."""

    def __init__(self, time: Time, market: httpx.AsyncClient, slack: AsyncWebClient, file: Path) -> None:
        self.time, self.market, self.slack, self.file = time, market, slack, file
        stored = json.loads(file.read_text()) if file.exists() else {}
        self.keys: dict[str, str] = stored.get("keys", {})
        self.rentals = {name: Rental(**values) for name, values in stored.get("rentals", {}).items()}
        self.tasks: set[Task[None]] = set()
        for name, rental in self.rentals.items():
            # Some polls were missed while this program was down. Do them at random times within the next interval.
            # Otherwise, all of them would happen at once.
            if rental.due < time.now():
                rental.due = time.now() + random.random() * self._every(rental)  # noqa: S311 - no secret
            self.watch(name)

    def save(self) -> None:
        """Write the file. If the process is killed at any time, either the old or the new file remains."""
        new = self.file.with_suffix(".new")
        new.write_text(json.dumps({"keys": self.keys, "rentals": self.rentals}, default=vars))
        new.replace(self.file)

    def watch(self, name: str) -> None:
        """Start a task that polls a rental until it has ended."""
        task = asyncio.create_task(self._watch(name))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _watch(self, name: str) -> None:
        while (rental := self.rentals.get(name)) is not None:
            await self.time.until(rental.due)
            try:
                await self._step(name, rental)
            except _EXPECTED as error:
                log.warning("%s: %s, polled again", name, type(error).__name__)
            self._plan(rental)

    def _every(self, rental: Rental) -> float:
        return CHECK if rental.state == "ready" else POLL

    def _plan(self, rental: Rental) -> None:
        """Schedule the next poll of a rental.

        Polls keep a fixed interval; if the next one is already overdue, the interval restarts now. A ready machine
        is also polled when its owner has to be warned, and at its end.
        """
        now, every = self.time.now(), self._every(rental)
        rental.due = rental.due + every if rental.due + every > now else now + every
        if rental.state == "ready":
            warn_at = rental.ends_at - WARN_BEFORE
            rental.due = min(rental.due, rental.ends_at if rental.warned else max(warn_at, now))

    async def _step(self, name: str, rental: Rental) -> None:
        if rental.state in {"buying", "provisioning"}:
            await self._poll_offer(name, rental)
        elif rental.state == "ready":
            await self._check(name, rental)
        if rental.state == "deleting":
            await self._delete(name, rental)

    async def _poll_offer(self, name: str, rental: Rental) -> None:
        status = await self._call("GET", f"/offers/{rental.offer_id}/status")
        stage, age = status["procurement_status"], self.time.now() - rental.bought_at
        found = [one["resource_id"] for one in status["resources"]]
        if found != rental.resources:
            rental.resources = found
            self.save()
        if stage == "ready":
            rental.state, rental.ends_at = "ready", self.time.now() + rental.lasts
            where = ", ".join(str(one.get("ssh_command")) for one in status["instances"])
            await self._save_and_notify(name, rental, f"`{name}` is ready: {where}")
        elif stage == "failed":
            await self._end(name, rental, "could not be provided")
        elif stage in {"available", "expired"} and age > UNSOLD_AFTER:
            await self._end(name, rental, "was not bought")
        elif age > READY_WITHIN:
            await self._end(name, rental, "did not get ready in 15 minutes")

    async def _check(self, name: str, rental: Rental) -> None:
        ends_at, now = rental.ends_at, self.time.now()
        if now >= ends_at:
            await self._end(name, rental, "has reached its end")
        elif now >= ends_at - WARN_BEFORE and not rental.warned:
            rental.warned = True
            await self._save_and_notify(
                name, rental, f"`{name}` ends soon", _button("Extend by 1h", "extend", name)
            )
        elif all([await self._is_deleted(resource) for resource in rental.resources]):
            await self._end(name, rental, "was taken back by its vendor")

    async def _end(self, name: str, rental: Rental, why: str) -> None:
        """Mark a rental for deletion, and notify its owner. The rental's task then deletes its machines.

        This includes rentals whose purchase failed, because a failed purchase may nevertheless have bought a
        machine.
        """
        rental.state = "deleting"
        await self._save_and_notify(name, rental, f"`{name}` {why}. It is deleted.")

    async def _delete(self, name: str, rental: Rental) -> None:
        listed = await self._call("GET", "/resources", params={"offer_id": rental.offer_id})
        found = {one["resource_id"] for one in listed.get("resources", [])} | set(rental.resources)
        deleted = [await self._is_deleted(resource) for resource in found]
        for resource, over in zip(found, deleted, strict=True):
            if not over:
                await self._call("DELETE", f"/resources/{resource}", params={"force": "true"})
        if all(deleted):
            del self.rentals[name]
            await self._save_and_notify(name, rental, f"`{name}` is deleted.")

    async def _is_deleted(self, resource: str) -> bool:
        answer = await self._call("GET", f"/resources/{resource}", params={"force_refresh": "true"})
        return bool(answer.get("status", "deleted") == "deleted")

    async def _call(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        """Call the marketplace, and return the response. Empty if the offer or resource is unknown or deleted."""
        answer = await self.market.request(method, path, **options)
        if answer.status_code in {404, 409}:
            return {}
        answer.raise_for_status()
        return cast(dict[str, Any], answer.json())

    async def _save_and_notify(self, name: str, rental: Rental, text: str, *buttons: dict[str, Any]) -> None:
        """Save the rental, then send its owner a message. In this order, only the message can be lost."""
        self.save()
        log.info("%s: %s", name, rental.state)
        await self._post(rental.owner, text, *buttons)

    async def _post(self, person: str, text: str, *buttons: dict[str, Any]) -> None:
        blocks: list[dict[str, Any]] = [{"type": "section", "text": {"type": "mrkdwn", "text": text}}]
        blocks += [{"type": "actions", "elements": list(buttons)}] if buttons else []
        await self.slack.chat_postMessage(channel=person, text=text, blocks=blocks)

    # --- actions of people

    async def command(self, ack: Any, command: dict[str, Any], respond: Any) -> None:
        """Run a command that a person typed."""
        await ack()
        person, text = command["user_id"], command.get("text", "").strip()
        word, _, rest = text.partition(" ")
        if word == "key" and rest.startswith(("ssh-", "ecdsa-")):
            self.keys[person] = rest
            self.save()
            await respond("I use this key from now on.")
        elif word == "list":
            lines = [f"`{name}` {one.state} <@{one.owner}>" for name, one in self.rentals.items()]
            await respond("\n".join(lines[:100]) or "Nobody has a machine.")
        elif word == "destroy" and rest in self.rentals and self.rentals[rest].owner == person:
            await self._destroy(rest)
        elif (wanted := _GET.fullmatch(text)) is not None:
            await self._offer(person, wanted, respond)
        else:
            await respond(
                "Try `/gpu get H100 EU for 4h`, `/gpu list`, `/gpu destroy NAME` or `/gpu key ssh-ed25519 ..`"
            )

    async def _offer(self, person: str, wanted: re.Match[str], respond: Any) -> None:
        if person not in self.keys:
            await respond("Give me your public key first: `/gpu key ssh-ed25519 ..`")
            return
        region = "" if wanted["region"] is None else f"region: {wanted['region']}\n"
        query = f"{region}compute: {{gpu_type: {wanted['gpu']}, gpu_count: 1, contract_type: ondemand}}\n"
        try:
            found = await self._call(
                "POST", "/get_offers", content=query, headers={"Content-Type": "application/yaml"}, timeout=30
            )
        except httpx.HTTPError:
            await respond("Compute Clear does not answer. Try again in a minute.")
            return
        lasts = float(wanted["many"] or 4) * (60 if wanted["unit"] == "m" else 3600)
        offers = [one for one in found["offers"] if one["total_price_per_hour"] is not None][:5]
        if wanted["now"] and offers:
            await self.rent(person, offers[0]["offer_id"], lasts)
            return
        label = "{vendor} {vendor_region} ${total_price_per_hour}".format
        buttons = [_button(label(**one), "rent", f"{one['offer_id']} {lasts}", n) for n, one in enumerate(offers)]
        await self._post(person, "Which one?" if buttons else "Nothing is free.", *buttons)

    async def rent(self, person: str, offer_id: str, lasts: float) -> None:
        """Buy an offer, at most once.

        The rental is saved before the purchase. If the process is then killed, the peer looks up the outcome of
        the purchase at its next start.
        """
        name, now = f"g{offer_id[:6]}", self.time.now()
        if name in self.rentals:
            return
        rental = Rental(
            offer_id=offer_id,
            owner=person,
            state="buying",
            resources=[],
            bought_at=now,
            lasts=lasts,
            due=now + POLL,
        )
        self.rentals[name] = rental
        self.save()
        body = {"offer_id": offer_id, "ssh_public_key": self.keys[person], "resource_name": f"peer-{name}"}
        # Ignore a failure of this call, because the offer may have been bought all the same. The next poll of the
        # rental shows whether it was.
        with suppress(*_EXPECTED):
            await self._call("POST", "/procure_offer", json=body, timeout=PROCURE_TIMEOUT)
            rental.state = "provisioning"
        rental.due = self.time.now() + POLL
        self.save()
        self.watch(name)
        with suppress(*_EXPECTED):
            await self._post(person, f"`{name}` is on its way.")

    async def click(self, ack: Any, action: dict[str, Any], body: dict[str, Any]) -> None:
        """Handle a click on a button."""
        await ack()
        person, value = body["user"]["id"], action["value"]
        if action["action_id"].startswith("rent"):
            offer_id, _, lasts = value.partition(" ")
            await self.rent(person, offer_id, float(lasts))
        elif (rental := self.rentals.get(value)) is not None and rental.state == "ready":
            rental.ends_at, rental.warned = rental.ends_at + 3600, False
            await self._save_and_notify(value, rental, f"`{value}` goes on for an hour.")

    async def _destroy(self, name: str) -> None:
        rental = self.rentals[name]
        await self._end(name, rental, "is not needed any more")
        await self._delete(name, rental)


def _button(text: str, action_id: str, value: str, number: int = 0) -> dict[str, Any]:
    label = {"type": "plain_text", "text": text[:75]}
    return {"type": "button", "action_id": f"{action_id}{number}", "text": label, "value": value}


async def run(file: Path, limits: httpx.Limits) -> None:
    """Run the peer until SIGTERM."""
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    env = os.environ
    async with (
        aiohttp.ClientSession() as session,
        httpx.AsyncClient(
            base_url=env["COMPUTE_CLEAR_URL"],
            headers={"Authorization": f"Bearer {env['COMPUTE_CLEAR_TOKEN']}"},
            limits=limits,
        ) as market,
    ):
        time = Time(cast(FollowedClock, await clock_of(env["GPUBOT_CLOCK_URL"], session)))
        slack = AsyncWebClient(token=env["SLACK_BOT_TOKEN"], base_url=env["SLACK_API_URL"])
        slack.retry_handlers.append(AsyncRateLimitErrorRetryHandler(max_retry_count=3))
        following = asyncio.ensure_future(time.follow())
        peer = Peer(time, market, slack, file)
        app = AsyncApp(client=slack)
        app.command("/gpu")(peer.command)
        app.action(re.compile(".*"))(peer.click)
        sockets = AsyncSocketModeHandler(app, env["SLACK_APP_TOKEN"])
        await sockets.connect_async()  # type: ignore[no-untyped-call]
        await stopped.wait()
        for task in (following, *peer.tasks):
            task.cancel()
        await sockets.close_async()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.peer")
    parser.add_argument("file", type=Path)
    parser.add_argument("--no-limits", action="store_true", help="of httpx's connections: by default 100, 20 kept")
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    free = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    asyncio.run(
        run(
            options.file,
            free if options.no_limits else httpx.Limits(max_connections=100, max_keepalive_connections=20),
        )
    )

"""The Events API: sends events to which the app is subscribed.

Rules: https://docs.slack.dev/apis/events-api/. An event that isn't acknowledged is sent again, up to three times.
The delays are in wall-clock time, and each retry carries its number.
"""

import asyncio
from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from sandbox.clock import Notifier, real_sleep
from sandbox.slack import payloads
from sandbox.slack.model import Channel, Message
from sandbox.slack.objects import message_json, user_json
from sandbox.slack.schema import Json
from sandbox.slack.state import BOT_USER, TEAM, Workspace
from sandbox.slack.timing import Timing
from sandbox.slack.to_app import ToApp

MAX_DELIVERIES = 10_000
"""The number of deliveries that can be looked up. Older ones are forgotten."""


@dataclass
class Delivery:
    """The delivery of one event. `state` is `waiting`, `acknowledged` or `given_up`."""

    event_id: str
    kind: str
    attempts: int = 0
    state: str = "waiting"


class Events:
    """Sends events to the app."""

    def __init__(self, workspace: Workspace, to_app: ToApp, timing: Timing) -> None:
        self._workspace = workspace
        self._to_app = to_app
        self._timing = timing
        self._tasks: set[asyncio.Task[None]] = set()
        self.deliveries: deque[Delivery] = deque(maxlen=MAX_DELIVERIES)
        self.changes = Notifier()
        """Notified when a delivery changes."""

    def send(self, inner: Json) -> Delivery:
        """Start delivering an event, whether or not the app is subscribed to it."""
        payload = payloads.event(self._workspace, inner)
        delivery = Delivery(payload["event_id"], str(inner.get("type")))
        self.deliveries.append(delivery)
        self._start(self._deliver(delivery, payload))
        return delivery

    def send_subscribed(self, name: str, inner: Json) -> None:
        """Start delivering an event if the app is subscribed to it."""
        if self._workspace.app.receives(name):
            self.send(inner)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, delivery: Delivery, payload: Json) -> None:
        reason = ""
        for attempt, wait in enumerate((None, *self._timing.retries)):
            if wait is not None:
                await real_sleep(wait)
            delivery.attempts = attempt + 1
            answer = await self._to_app.deliver(
                "events_api",
                payload,
                answers=False,
                retry=attempt,
                reason=reason,
            )
            reason = answer.reason
            if answer.error is None:
                delivery.state = "acknowledged"
                break
            if answer.given_up:
                delivery.state = "given_up"
                break
        else:
            delivery.state = "given_up"
        self.changes.notify()

    async def close(self) -> None:
        """Stop all deliveries."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # Events about changes in the workspace

    def message_changed(self, before: Message | None, after: Message) -> None:
        """Send the event `message.*` for a message that was posted, edited or deleted, by a person or by the app.

        Nothing is sent for an ephemeral message, or if the bot isn't in the channel. A new message that mentions
        the bot also triggers the event `app_mention`, except in a direct message.
        """
        channel = self._workspace.channels[after.channel]
        kind = {"public": "channel", "private": "group", "im": "im"}[channel.kind]
        family = {"public": "channels", "private": "groups", "im": "im"}[channel.kind]
        name = f"message.{family}"
        app = self._workspace.app
        if not (app.receives(name) or app.receives("app_mention")) or not self._workspace.bot_is_in(channel):
            return
        shown = message_json(self._workspace, after)
        where: Json = {"type": "message", "channel": channel.id, "channel_type": kind}
        if before is None:
            self.send_subscribed(name, {**shown, **where, "event_ts": after.ts})
            if kind != "im" and f"<@{BOT_USER}>" in after.text and not after.by_app:
                mention = {**shown, "type": "app_mention", "channel": channel.id, "event_ts": after.ts}
                self.send_subscribed("app_mention", mention)
            return
        ts = self._workspace.new_ts()
        inner = {**where, "hidden": True, "ts": ts, "event_ts": ts}
        inner["previous_message"] = message_json(self._workspace, before)
        if after.deleted:
            inner |= {"subtype": "message_deleted", "deleted_ts": after.ts}
        else:
            inner |= {"subtype": "message_changed", "message": shown}
        self.send_subscribed(name, inner)

    def person_changed(self, user: str) -> None:
        """Send `user_change` for a person whose profile has changed."""
        self.send_subscribed(
            "user_change",
            {
                "type": "user_change",
                "user": user_json(self._workspace, self._workspace.people[user]),
                "cache_ts": self._workspace.seconds(),
                "event_ts": self._workspace.new_ts(),
            },
        )

    def group_changed(self, group: str, before: tuple[str, ...], after: tuple[str, ...]) -> None:
        """Send `subteam_members_changed`, with the people who joined and left. Their counts are strings."""
        added = [user for user in after if user not in before]
        removed = [user for user in before if user not in after]
        if not added and not removed:
            return
        self.send_subscribed(
            "subteam_members_changed",
            {
                "type": "subteam_members_changed",
                "subteam_id": group,
                "team_id": TEAM,
                "date_previous_update": self._workspace.seconds(),
                "date_update": self._workspace.seconds(),
                "added_users": added,
                "added_users_count": str(len(added)),
                "removed_users": removed,
                "removed_users_count": str(len(removed)),
                "event_ts": self._workspace.new_ts(),
            },
        )

    def _left(self, channel: Channel) -> None:
        """Send `channel_left` or `group_left`. Slack sends no `member_left_channel` for the app's own bot."""
        kind = "channel_left" if channel.kind == "public" else "group_left"
        inner = {"type": kind, "channel": channel.id, "event_ts": self._workspace.new_ts()}
        self.send_subscribed(kind, inner)

    def member_changed(self, channel: Channel, user: str, *, joined: bool) -> None:
        """Send the event for a person or the bot who joined or left a channel."""
        if user == BOT_USER and not joined:
            self._left(channel)
            return
        kind = "member_joined_channel" if joined else "member_left_channel"
        self.send_subscribed(
            kind,
            {
                "type": kind,
                "user": user,
                "channel": channel.id,
                "channel_type": "C" if channel.kind == "public" else "G",
                "team": TEAM,
                "event_ts": self._workspace.new_ts(),
            },
        )

    def file_shared(self, file_id: str, channel: Channel) -> None:
        """Send `file_shared` for a file that a message shares in a channel."""
        self.send_subscribed(
            "file_shared",
            {
                "type": "file_shared",
                "file_id": file_id,
                "file": {"id": file_id},
                "user_id": BOT_USER,
                "channel_id": channel.id,
                "event_ts": self._workspace.new_ts(),
            },
        )

    def home_opened(self, user: str, channel: Channel, tab: str, view: Json | None) -> None:
        """Send `app_home_opened` for a person who opens a tab of the app. `view` is their Home tab, if any."""
        inner: Json = {
            "type": "app_home_opened",
            "user": user,
            "channel": channel.id,
            "tab": tab,
            "event_ts": self._workspace.new_ts(),
        }
        if view is not None:
            inner["view"] = view
        self.send_subscribed("app_home_opened", inner)

"""`/_control/apps`: installs other apps in the workspace or in another one, and posts messages as their bots.

Apps post with chat.postMessage (https://docs.slack.dev/reference/methods/chat.postMessage). Their messages have
the fields `bot_id`, `app_id` and `bot_profile`, which are in the types of Slack's SDK:
https://docs.slack.dev/tools/node-slack-sdk/reference/web-api/interfaces/AppMentionEvent. If an app is installed in
several workspaces, it has a bot user of its own in each of them.
"""

from dataclasses import replace

from aiohttp import web

from sandbox.serving import read, refusal, reply
from sandbox.slack import control_bodies as bodies
from sandbox.slack.arguments import ApiError, Arguments
from sandbox.slack.call import content
from sandbox.slack.model import Channel, Person
from sandbox.slack.state import APP_ID, BOT_USER, OTHER_TEAM, TEAM, Workspace


class OtherAppsControl:
    """The control calls for other apps."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add the routes."""
        router.add_post("/_control/apps", self._install)
        router.add_post("/_control/apps/{user}/messages", self._post)

    async def _install(self, request: web.Request) -> web.Response:
        body = await read(request, bodies.OtherApp)
        workspace, team = self._workspace, OTHER_TEAM if body.elsewhere else TEAM
        taken = any((one.app_id, one.team) == (body.id, team) for one in workspace.people.values())
        if taken or body.id == APP_ID:
            raise refusal(422, f"id: {body.id} is installed there")
        channels = [self._named(one) for one in body.channels]
        user = workspace.new_id("U")
        bot_id = f"B{user[1:]}"
        workspace.people[user] = Person(user, body.name, "UTC", team, is_bot=True, app_id=body.id, bot_id=bot_id)
        for channel in channels:
            workspace.channels[channel.id] = replace(channel, members=channel.members | {user})
        return reply({"ok": True, "user": user, "bot_id": bot_id, "app_id": body.id, "team": team})

    async def _post(self, request: web.Request) -> web.Response:
        """Post a message as the bot of an app. If Slack would refuse it, respond with 409 and its error code."""
        body = await read(request, bodies.AppMessage)
        bot = self._workspace.people.get(request.match_info["user"])
        if bot is None or not bot.app_id or bot.id == BOT_USER:
            raise refusal(404, "no_such_app")
        try:
            channel = self._channel(bot, body.channel)
            posted = content(self._workspace, Arguments(body.model_dump(exclude_none=True)))
            message = self._workspace.post(
                channel,
                bot.id,
                posted.text or "",
                blocks=posted.blocks or [],
                thread_ts=self._thread(channel, body.thread_ts),
            )
        except ApiError as error:
            return reply(error.body, status=409)
        return reply({"ok": True, "channel": channel.id, "ts": message.ts})

    def _named(self, wanted: str) -> Channel:
        channel = self._workspace.channel(wanted) or self._workspace.channel_named(wanted.removeprefix("#"))
        if channel is None or channel.kind == "im":
            raise refusal(404, "no_such_channel")
        return channel

    def _channel(self, bot: Person, wanted: str) -> Channel:
        """Return the channel in which a bot posts. Raise ApiError if Slack doesn't let the bot post there."""
        workspace = self._workspace
        channel = workspace.channel(wanted) or workspace.channel_named(wanted.removeprefix("#"))
        hidden = channel is not None and channel.kind != "public" and bot.id not in channel.members
        elsewhere = channel is not None and bot.team != TEAM and not channel.shared
        if channel is None or hidden or elsewhere or channel.kind == "im":
            raise ApiError("channel_not_found")
        if bot.deleted:
            raise ApiError("account_inactive")
        if channel.archived:
            raise ApiError("is_archived")
        if bot.id not in channel.members:
            raise ApiError("not_in_channel")
        return channel

    def _thread(self, channel: Channel, thread_ts: str | None) -> str | None:
        if thread_ts is None:
            return None
        parent = self._workspace.message(channel.id, thread_ts)
        if parent is None or parent.only_for is not None or parent.deleted:
            raise ApiError("thread_not_found")
        if parent.is_reply:
            raise ApiError("invalid_thread_ts")
        return thread_ts

"""`/_control/` of the workspace: who and what is in it, its sockets, tokens, pace and failings."""

from dataclasses import asdict, replace
from typing import TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aiohttp import web

from sandbox.serving import LONGEST_WAIT, number, read, refusal, reply
from sandbox.slack import control_models as orders
from sandbox.slack import sight
from sandbox.slack.app_config import from_manifest
from sandbox.slack.calling import read_json
from sandbox.slack.events import Events
from sandbox.slack.model import Channel, Group, Person
from sandbox.slack.pace import Pace
from sandbox.slack.schema import Json
from sandbox.slack.sockets import Sockets
from sandbox.slack.state import APP_ID, BOT_ID, BOT_USER, TEAM, Workspace
from sandbox.slack.web_api import WebApi
from sandbox.slack.wire import view_json

Thing = TypeVar("Thing")


class Admin:
    def __init__(self, workspace: Workspace, api: WebApi, sockets: Sockets, events: Events, pace: Pace) -> None:
        self._workspace = workspace
        self._api = api
        self._sockets = sockets
        self._events = events
        self._pace = pace

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_get("/_control/workspace", self._look)
        router.add_post("/_control/people", self._person)
        router.add_patch("/_control/people/{id}", self._person)
        router.add_post("/_control/channels", self._channel)
        router.add_patch("/_control/channels/{id}", self._channel)
        router.add_post("/_control/groups", self._group)
        router.add_patch("/_control/groups/{id}", self._group)
        router.add_post("/_control/event", self._event)
        router.add_get("/_control/events", self._deliveries)
        router.add_post("/_control/events/hurry", self._hurry)
        router.add_post("/_control/home", self._home)
        router.add_get("/_control/sockets", self._look_at_sockets)
        router.add_post("/_control/sockets/disconnect", self._disconnect)
        router.add_post("/_control/lacks", self._lacks)
        router.add_post("/_control/tokens", self._tokens)
        router.add_post("/_control/pace", self._set_pace)
        router.add_post("/_control/app", self._app)

    async def _look(self, _request: web.Request) -> web.Response:
        workspace = self._workspace
        app = workspace.app
        return reply(
            {
                "team": TEAM,
                "bot": {"user": BOT_USER, "bot_id": BOT_ID, "app_id": APP_ID, "name": app.name},
                "people": [asdict(person) for person in workspace.people.values()],
                "channels": [_channel_seen(channel) for channel in workspace.channels.values()],
                "groups": [asdict(group) for group in workspace.groups.values()],
                "tokens": {
                    "bot_token": self._api.bot_token,
                    "app_token": self._api.app_token,
                    "bot": self._api.bot_state,
                    "app": self._api.app_state,
                },
                "scopes": app.scopes,
                "events": app.events,
                "commands": None if app.commands is None else list(app.commands),
                "api_url": f"{self._api.url}/api/",
                "lacks": asdict(workspace.lacks),
                "pace": self._pace.scale,
            }
        )

    async def _person(self, request: web.Request) -> web.Response:
        order = await read(request, orders.PersonOrder)
        before = self._known(request, self._workspace.people, "no_such_person")
        if order.tz is not None:
            _check_zone(order.tz)
        if before is None:
            if order.name is None:
                raise refusal(422, "name: needed")
            before = Person(self._workspace.new_id("U"), order.name, "UTC", TEAM)
        given = order.model_dump(exclude_unset=True)
        person = replace(
            before, **{key: value for key, value in given.items() if value is not None or key == "guest"}
        )
        self._workspace.people[person.id] = person
        if person.deleted:
            for channel in list(self._workspace.channels.values()):
                if channel.kind != "im" and person.id in channel.members:
                    self._change(channel, channel.members - {person.id})
        if "id" in request.match_info:
            self._events.person_changed(person.id)
        return reply(asdict(person))

    async def _channel(self, request: web.Request) -> web.Response:
        order = await read(request, orders.ChannelOrder)
        channel = self._known(request, self._workspace.channels, "no_such_channel")
        if channel is None:
            if order.name is None:
                raise refusal(422, "name: needed")
            created = self._workspace.seconds()
            channel = Channel(self._workspace.new_id("C"), order.name, "public", frozenset(), created=created)
        if channel.kind == "im":
            raise refusal(422, "a direct message can't be changed")
        members = channel.members if order.members is None else frozenset(order.members)
        unknown = members - self._workspace.people.keys()
        if unknown:
            raise refusal(422, f"members: unknown {', '.join(sorted(unknown))}")
        if order.bot is not None or order.members is not None:
            stays = BOT_USER in channel.members if order.bot is None else order.bot
            members = members | {BOT_USER} if stays else members - {BOT_USER}
        changed = replace(
            channel,
            name=order.name or channel.name,
            kind=channel.kind if order.private is None else "private" if order.private else "public",
            archived=channel.archived if order.archived is None else order.archived,
            shared=channel.shared if order.shared is None else order.shared,
        )
        return reply(_channel_seen(self._change(changed, members)))

    def _change(self, channel: Channel, members: frozenset[str]) -> Channel:
        changed = replace(channel, members=members)
        before = self._workspace.channels.get(channel.id, replace(channel, members=frozenset())).members
        self._workspace.channels[channel.id] = changed
        self._workspace.bell.ring()
        for user in sorted(members ^ before):
            if BOT_USER in members or user == BOT_USER:
                self._events.member_changed(changed, user, joined=user in members)
        return changed

    async def _group(self, request: web.Request) -> web.Response:
        order = await read(request, orders.GroupOrder)
        before = self._known(request, self._workspace.groups, "no_such_group")
        if before is None:
            if order.handle is None:
                raise refusal(422, "handle: needed")
            before = Group(self._workspace.new_id("S"), order.handle, ())
        members = before.members if order.members is None else order.members
        unknown = set(members) - self._workspace.people.keys()
        if unknown:
            raise refusal(422, f"members: unknown {', '.join(sorted(unknown))}")
        group = Group(before.id, order.handle or before.handle, members)
        self._workspace.groups[group.id] = group
        self._events.group_changed(group.id, before.members, members)
        return reply(asdict(group))

    def _known(self, request: web.Request, things: dict[str, Thing], error: str) -> Thing | None:
        """The thing that a PATCH names; None for a POST, which makes one."""
        if "id" not in request.match_info:
            return None
        thing = things.get(request.match_info["id"])
        if thing is None:
            raise refusal(404, error)
        return thing

    async def _event(self, request: web.Request) -> web.Response:
        try:
            inner = read_json(await request.read())
        except ValueError:
            inner = None
        if not isinstance(inner, dict) or not isinstance(inner.get("type"), str):
            raise refusal(422, "an event is an object with a type")
        inner.setdefault("event_ts", self._workspace.new_ts())
        return reply({"ok": True, "event_id": self._events.send(inner).event_id})

    async def _deliveries(self, request: web.Request) -> web.Response:
        """With `wait` and `id`, answers once that event is acknowledged or given up."""
        wanted = request.query.get("id")

        def found() -> list[Json]:
            return [asdict(each) for each in self._events.deliveries if wanted is None or each.event_id == wanted]

        await self._events.bell.until(
            lambda: all(each["state"] != "waiting" for each in found()), wait_of(request)
        )
        return reply({"events": found()})

    async def _hurry(self, _request: web.Request) -> web.Response:
        self._events.hurry()
        return reply({"ok": True})

    async def _home(self, request: web.Request) -> web.Response:
        order = await read(request, orders.HomeOrder)
        if order.user not in self._workspace.people:
            raise refusal(404, "no_such_person")
        view = self._workspace.homes.get(order.user)
        channel = self._workspace.dm(order.user)
        self._events.home_opened(order.user, channel, order.tab, view_json(view) if view else None)
        return reply({"ok": True, "view": sight.view_seen(self._workspace, view) if view else None})

    # Sockets and the app

    async def _look_at_sockets(self, request: web.Request) -> web.Response:
        """With `wait`, answers once `least` are connected and `opened` were ever opened."""
        least, opened = number(request, "least", 0), number(request, "opened", 0)
        await self._sockets.bell.until(
            lambda: len(self._sockets.connections) >= least and self._sockets.opened >= opened, wait_of(request)
        )
        return reply(
            {
                "sockets": [
                    {
                        "socket": each.name,
                        "delivered": each.delivered,
                        "acknowledged": each.acknowledged,
                        "waiting": len(each.waiting),
                    }
                    for each in self._sockets.connections
                ],
                "opened": self._sockets.opened,
                "ghosts": self._sockets.ghosts,
                "num_connections": self._sockets.count,
                "refuse_tickets": self._sockets.refuse_tickets,
                "stray_acks": self._sockets.stray_acks,
            }
        )

    async def _disconnect(self, request: web.Request) -> web.Response:
        order = await read(request, orders.DisconnectOrder)
        told = 0
        if order.refuse_tickets is not None:
            self._sockets.refuse_tickets = order.refuse_tickets
        if order.ghosts is not None:
            self._sockets.ghosts = order.ghosts
        if order.kill:
            told = self._sockets.kill(order.socket)
        elif order.reason is not None:
            told = await self._sockets.disconnect(order.reason, order.socket)
        return reply({"ok": True, "sockets": told})

    async def _lacks(self, request: web.Request) -> web.Response:
        order = await read(request, orders.LacksOrder)
        self._workspace.lacks = replace(self._workspace.lacks, **order.model_dump(exclude_none=True))
        return reply(asdict(self._workspace.lacks))

    async def _tokens(self, request: web.Request) -> web.Response:
        order = await read(request, orders.TokensOrder)
        self._api.bot_state = order.bot or self._api.bot_state
        self._api.app_state = order.app or self._api.app_state
        return reply({"bot": self._api.bot_state, "app": self._api.app_state})

    async def _set_pace(self, request: web.Request) -> web.Response:
        order = await read(request, orders.PaceOrder)
        self._pace.scale = order.scale
        return reply({"scale": order.scale})

    async def _app(self, request: web.Request) -> web.Response:
        order = await read(request, orders.AppOrder)
        app = self._workspace.app
        if order.manifest is not None:
            try:
                app = from_manifest(order.manifest)
            except ValueError as wrong:
                raise refusal(422, str(wrong)) from None
        if order.scopes is not None:
            app = replace(app, scopes=order.scopes)
        if order.events is not None:
            app = replace(app, events=order.events)
        self._workspace.app = app
        return reply({"scopes": app.scopes, "events": app.events})


def _channel_seen(channel: Channel) -> Json:
    return {**asdict(channel), "members": sorted(channel.members), "bot": BOT_USER in channel.members}


def wait_of(request: web.Request) -> float:
    return min(number(request, "wait", 0), LONGEST_WAIT)


def _check_zone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise refusal(422, f"tz: unknown {name}") from None

"""`/_control/` of the workspace: changes people, channels, groups and the app, and makes connections fail."""

from dataclasses import asdict, replace
from typing import TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aiohttp import web

from sandbox.serving import number, read, refusal, reply, wait_of
from sandbox.slack import control_bodies as bodies
from sandbox.slack import visibility
from sandbox.slack.app_config import from_manifest
from sandbox.slack.arguments import read_json
from sandbox.slack.events import Events
from sandbox.slack.http_mode import HttpMode
from sandbox.slack.model import Channel, Group, Person
from sandbox.slack.objects import view_json
from sandbox.slack.rate_limits import RateLimits
from sandbox.slack.schema import Json
from sandbox.slack.sockets import Sockets
from sandbox.slack.state import APP_ID, BOT_ID, BOT_USER, TEAM, Workspace
from sandbox.slack.web_api import WebApi
from sandbox.slack.webhook import IncomingWebhook

Item = TypeVar("Item")


class WorkspaceControl:
    """The control calls for the workspace itself."""

    def __init__(
        self,
        workspace: Workspace,
        api: WebApi,
        sockets: Sockets,
        events: Events,
        limits: RateLimits,
        *,
        http: HttpMode,
        webhook: IncomingWebhook,
    ) -> None:
        self._workspace = workspace
        self._api = api
        self._webhook = webhook
        self._sockets = sockets
        self._http = http
        self._events = events
        self._limits = limits

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add the routes."""
        router.add_get("/_control/workspace", self._show)
        router.add_post("/_control/people", self._change_person)
        router.add_patch("/_control/people/{id}", self._change_person)
        router.add_post("/_control/channels", self._change_channel)
        router.add_patch("/_control/channels/{id}", self._change_channel)
        router.add_post("/_control/groups", self._change_group)
        router.add_patch("/_control/groups/{id}", self._change_group)
        router.add_post("/_control/event", self._send_event)
        router.add_get("/_control/events", self._show_deliveries)
        router.add_post("/_control/home", self._open_home)
        router.add_get("/_control/sockets", self._show_sockets)
        router.add_post("/_control/sockets/disconnect", self._disconnect)
        router.add_post("/_control/lacks", self._change_lacks)
        router.add_post("/_control/tokens", self._change_tokens)
        router.add_post("/_control/pace", self._change_pace)
        router.add_post("/_control/app", self._change_app)

    async def _show(self, _request: web.Request) -> web.Response:
        workspace = self._workspace
        app = workspace.app
        return reply(
            {
                "team": TEAM,
                "bot": {"user": BOT_USER, "bot_id": BOT_ID, "app_id": APP_ID, "name": app.name},
                "people": [asdict(person) for person in workspace.people.values()],
                "channels": [_control_channel_json(channel) for channel in workspace.channels.values()],
                "groups": [asdict(group) for group in workspace.groups.values()],
                "tokens": {
                    "bot_token": self._api.bot_token,
                    "app_token": self._api.app_token,
                    "signing_secret": self._http.signing_secret,
                    "bot": self._api.bot_state,
                    "app": self._api.app_state,
                },
                "scopes": app.scopes,
                "events": app.events,
                "commands": None if app.commands is None else list(app.commands),
                "api_url": f"{self._api.url}/api/",
                "webhook_url": self._api.url + self._webhook.path,
                "lacks": asdict(workspace.lacks),
                "pace": self._limits.scale,
            }
        )

    async def _change_person(self, request: web.Request) -> web.Response:
        body = await read(request, bodies.PersonChange)
        before = self._named(request, body.id, self._workspace.people, "no_such_person")
        if body.tz is not None:
            _check_zone(body.tz)
        if before is None:
            if body.name is None:
                raise refusal(422, "name: needed")
            before = Person(body.id or self._workspace.new_id("U"), body.name, "UTC", TEAM)
        given = body.model_dump(exclude_unset=True)
        # In most fields, null means "no change". In `guest`, null is a value: the person becomes a full member.
        changes = {key: value for key, value in given.items() if value is not None or key == "guest"}
        person = replace(before, **changes)
        self._workspace.people[person.id] = person
        self._workspace.changes.notify()
        if person.deleted:
            for channel in list(self._workspace.channels.values()):
                if channel.kind != "im" and person.id in channel.members:
                    self._set_members(channel, channel.members - {person.id})
        if "id" in request.match_info:
            self._events.person_changed(person.id)
        return reply(asdict(person))

    async def _change_channel(self, request: web.Request) -> web.Response:
        body = await read(request, bodies.ChannelChange)
        channel = self._named(request, body.id, self._workspace.channels, "no_such_channel")
        if channel is None:
            if body.name is None:
                raise refusal(422, "name: needed")
            created = self._workspace.seconds()
            channel_id = body.id or self._workspace.new_id("C")
            channel = Channel(channel_id, body.name, "public", frozenset(), created=created)
        if channel.kind == "im":
            raise refusal(422, "a direct message can't be changed")
        members = channel.members if body.members is None else frozenset(body.members)
        self._check_people(members)
        if body.bot is not None or body.members is not None:
            with_bot = BOT_USER in channel.members if body.bot is None else body.bot
            members = members | {BOT_USER} if with_bot else members - {BOT_USER}
        changed = replace(
            channel,
            name=body.name or channel.name,
            kind=channel.kind if body.private is None else "private" if body.private else "public",
            archived=channel.archived if body.archived is None else body.archived,
            shared=channel.shared if body.shared is None else body.shared,
        )
        return reply(_control_channel_json(self._set_members(changed, members)))

    def _set_members(self, channel: Channel, members: frozenset[str]) -> Channel:
        changed = replace(channel, members=members)
        before = self._workspace.channels.get(channel.id, replace(channel, members=frozenset())).members
        self._workspace.channels[channel.id] = changed
        self._workspace.changes.notify()
        for user in sorted(members ^ before):
            if BOT_USER in members or user == BOT_USER:
                self._events.member_changed(changed, user, joined=user in members)
        return changed

    async def _change_group(self, request: web.Request) -> web.Response:
        body = await read(request, bodies.GroupChange)
        before = self._named(request, body.id, self._workspace.groups, "no_such_group")
        if before is None:
            if body.handle is None:
                raise refusal(422, "handle: needed")
            before = Group(body.id or self._workspace.new_id("S"), body.handle, ())
        members = before.members if body.members is None else body.members
        self._check_people(frozenset(members))
        group = Group(before.id, body.handle or before.handle, members)
        self._workspace.groups[group.id] = group
        self._events.group_changed(group.id, before.members, members)
        return reply(asdict(group))

    def _named(self, request: web.Request, new_id: str | None, items: dict[str, Item], error: str) -> Item | None:
        """Return the item that a PATCH changes, or None for a POST, which creates a new item.

        The call is refused if a PATCH names an unknown item or contains a `new_id`, or if the `new_id` of a POST
        is taken.
        """
        if "id" not in request.match_info:
            if new_id in items:
                raise refusal(422, f"id: {new_id} is taken")
            return None
        if new_id is not None:
            raise refusal(422, "id: only a new one can be given an id")
        item = items.get(request.match_info["id"])
        if item is None:
            raise refusal(404, error)
        return item

    def _check_people(self, members: frozenset[str]) -> None:
        unknown = members - self._workspace.people.keys()
        if unknown:
            raise refusal(422, f"members: unknown {', '.join(sorted(unknown))}")

    async def _send_event(self, request: web.Request) -> web.Response:
        try:
            inner = read_json(await request.read())
        except ValueError:
            inner = None
        if not isinstance(inner, dict) or not isinstance(inner.get("type"), str):
            raise refusal(422, "an event is an object with a type")
        inner.setdefault("event_ts", self._workspace.new_ts())
        return reply({"ok": True, "event_id": self._events.send(inner).event_id})

    async def _show_deliveries(self, request: web.Request) -> web.Response:
        """Respond with the deliveries of events: all of them, or only those of the event `id`.

        With `wait`, the call first waits until none of them is waiting for an acknowledgement any more.
        """
        wanted = request.query.get("id")

        def found() -> list[Json]:
            return [asdict(each) for each in self._events.deliveries if wanted in (None, each.event_id)]

        await self._events.changes.wait_for(
            lambda: all(each["state"] != "waiting" for each in found()), wait_of(request)
        )
        return reply({"events": found()})

    async def _open_home(self, request: web.Request) -> web.Response:
        body = await read(request, bodies.OpenHome)
        if body.user not in self._workspace.people:
            raise refusal(404, "no_such_person")
        view = self._workspace.homes.get(body.user)
        channel = self._workspace.dm(body.user)
        self._events.home_opened(body.user, channel, body.tab, view_json(view) if view else None)
        return reply({"ok": True, "view": visibility.view_seen(self._workspace, view) if view else None})

    # Connections and the app

    async def _show_sockets(self, request: web.Request) -> web.Response:
        """Respond with the app's connections.

        With `wait`, the call first waits until at least `least` connections are open, and at least `opened` have
        been opened in total.
        """
        least, opened = number(request, "least", 0), number(request, "opened", 0)
        sockets = self._sockets
        await sockets.changes.wait_for(
            lambda: len(sockets.connections) >= least and sockets.opened >= opened, wait_of(request)
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
                    for each in sockets.connections
                ],
                "opened": sockets.opened,
                "ghosts": sockets.ghosts,
                "num_connections": sockets.count,
                "refuse_tickets": sockets.refuse_tickets,
                "stray_acks": sockets.stray_acks,
            }
        )

    async def _disconnect(self, request: web.Request) -> web.Response:
        body = await read(request, bodies.Disconnect)
        count = 0
        if body.refuse_tickets is not None:
            self._sockets.refuse_tickets = body.refuse_tickets
        if body.ghosts is not None:
            self._sockets.ghosts = body.ghosts
        if body.kill:
            count = self._sockets.kill(body.socket)
        elif body.reason is not None:
            count = await self._sockets.disconnect(body.reason, body.socket)
        return reply({"ok": True, "sockets": count})

    async def _change_lacks(self, request: web.Request) -> web.Response:
        body = await read(request, bodies.LacksChange)
        self._workspace.lacks = replace(self._workspace.lacks, **body.model_dump(exclude_none=True))
        return reply(asdict(self._workspace.lacks))

    async def _change_tokens(self, request: web.Request) -> web.Response:
        body = await read(request, bodies.Tokens)
        if body.bot == "new":
            self._api.renew_bot_token()
        elif body.bot is not None:
            self._api.bot_state = body.bot
        if body.app == "new":
            self._api.renew_app_token()
        elif body.app is not None:
            self._api.app_state = body.app
        if body.signing == "new":
            self._http.renew_secret()
        self._webhook.state = body.webhook or self._webhook.state
        return reply({"bot": self._api.bot_state, "app": self._api.app_state, "webhook": self._webhook.state})

    async def _change_pace(self, request: web.Request) -> web.Response:
        body = await read(request, bodies.PaceChange)
        self._limits.scale = body.scale
        return reply({"scale": body.scale})

    async def _change_app(self, request: web.Request) -> web.Response:
        body = await read(request, bodies.AppChange)
        app = self._workspace.app
        if body.manifest is not None:
            try:
                app = from_manifest(body.manifest)
            except ValueError as wrong:
                raise refusal(422, str(wrong)) from None
        self._http.reach = body.reach or self._http.reach
        url = app.request_urls.get("events_api")
        if body.manifest is not None and url is not None and not await self._http.answers_challenge(url):
            raise refusal(422, "request_url: it didn't answer with the challenge")
        if body.scopes is not None:
            app = replace(app, scopes=body.scopes)
        if body.events is not None:
            app = replace(app, events=body.events)
        self._workspace.app = app
        return reply({"scopes": app.scopes, "events": app.events})


def _control_channel_json(channel: Channel) -> Json:
    return {**asdict(channel), "members": sorted(channel.members), "bot": BOT_USER in channel.members}


def _check_zone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise refusal(422, f"tz: unknown {name}") from None

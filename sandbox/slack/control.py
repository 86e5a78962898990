"""`/_control/` of the workspace: acting for people and seeing what they see. The contract: docs/sandbox.md."""

from collections.abc import Awaitable, Callable
from functools import wraps

from aiohttp import web

from sandbox.serving import LONGEST_WAIT, number, read, refusal, reply
from sandbox.slack import control_models as orders
from sandbox.slack import sight
from sandbox.slack.modals import Modals
from sandbox.slack.model import Channel, Message, Person, View
from sandbox.slack.people import Aim, Impossible, People
from sandbox.slack.schema import Json
from sandbox.slack.state import Workspace

Handler = Callable[[web.Request], Awaitable[web.Response]]


def _told(handler: Handler) -> Handler:
    """What a person can't do answers 409, with the reason as `error`."""

    @wraps(handler)
    async def told(request: web.Request) -> web.Response:
        try:
            return await handler(request)
        except Impossible as why:
            return reply({"ok": False, "error": str(why)}, status=409)

    return told


class Control:
    def __init__(self, workspace: Workspace, people: People, modals: Modals) -> None:
        self._workspace = workspace
        self._people = people
        self._modals = modals

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_post("/_control/command", _told(self._command))
        router.add_post("/_control/click", _told(self._click))
        router.add_post("/_control/suggest", _told(self._suggest))
        router.add_post("/_control/submit", _told(self._submit))
        router.add_post("/_control/close", _told(self._close))
        router.add_post("/_control/say", _told(self._say))
        router.add_post("/_control/reload", _told(self._reload))
        router.add_get("/_control/see", self._see)
        router.add_get("/_control/views", self._views)
        router.add_get("/_control/pings", self._pings)

    # Acting

    async def _command(self, request: web.Request) -> web.Response:
        order = await read(request, orders.CommandOrder)
        person = self._people.acting(order.user)
        channel = self._people.place(person, order.channel, order.dm)
        outcome = await self._people.command(person, channel, order.command, order.text)
        return reply(outcome.shown())

    async def _click(self, request: web.Request) -> web.Response:
        order = await read(request, orders.ClickOrder)
        person, aim = self._people.acting(order.user), _aim(order)
        if order.view_id is not None:
            outcome = await self._people.click_view(person, self._open_view(person, order.view_id), aim)
        else:
            message = self._message(person, order)
            outcome = await self._people.click_message(person, message, aim)
        return reply(outcome.shown())

    async def _suggest(self, request: web.Request) -> web.Response:
        order = await read(request, orders.SuggestOrder)
        person = self._people.acting(order.user)
        if order.view_id is not None:
            view = self._open_view(person, order.view_id)
            blocks, where = view.source["blocks"], {"container": {"type": "view", "view_id": view.id}}
        else:
            message = self._message(person, order)
            blocks = message.blocks
            where = {"container": {"type": "message", "message_ts": message.ts, "channel_id": message.channel}}
        outcome = await self._people.suggest(person, blocks, _aim(order), order.typed, where)
        return reply(outcome.shown())

    async def _submit(self, request: web.Request) -> web.Response:
        order = await read(request, orders.SubmitOrder)
        person = self._people.acting(order.user)
        view = self._modals.on_top(person, order.view_id)
        outcome = await self._modals.submit(person, view, order.values)
        return reply({**outcome.shown(), "errors": outcome.errors})

    async def _close(self, request: web.Request) -> web.Response:
        order = await read(request, orders.CloseOrder)
        person = self._people.acting(order.user)
        view = self._modals.on_top(person, order.view_id)
        outcome = await self._modals.close(person, view, everything=order.all)
        return reply({**outcome.shown(), "errors": {}})

    async def _say(self, request: web.Request) -> web.Response:
        order = await read(request, orders.SayOrder)
        person = self._people.acting(order.user)
        channel = self._people.place(person, order.channel, order.dm)
        message = self._people.say(person, channel, order.text, order.thread_ts)
        return reply({"ok": True, "channel": channel.id, "ts": message.ts})

    async def _reload(self, request: web.Request) -> web.Response:
        order = await read(request, orders.UserOrder)
        return reply({"ok": True, "lost": self._workspace.lose_ephemerals(self._people.acting(order.user).id)})

    def _open_view(self, person: Person, view_id: str) -> View:
        home = self._workspace.homes.get(person.id)
        if home is not None and home.id == view_id:
            return home
        return self._modals.on_top(person, view_id)

    def _message(self, person: Person, order: orders.ClickOrder) -> Message:
        """The message as it is, or with `seq` as it was then on the person's screen."""
        channel = self._workspace.dm(person.id).id if order.dm else order.channel
        named = self._workspace.channel_named((channel or "").removeprefix("#"))
        message = self._workspace.message(named.id if named else channel, order.ts)
        if message is not None and order.seq is not None:
            message = self._workspace.as_it_was(message, order.seq)
        if message is None or message.deleted:
            raise Impossible("no_such_message")
        return message

    # Seeing

    def _asker(self, request: web.Request) -> Person:
        person = self._workspace.person(request.query.get("user"))
        if person is None:
            raise refusal(404, "no_such_person")
        return person

    def _channel(self, request: web.Request) -> Channel | None:
        wanted = request.query.get("channel")
        if wanted is None:
            return None
        channel = self._workspace.channel(wanted) or self._workspace.channel_named(wanted.removeprefix("#"))
        if channel is None:
            raise refusal(404, "no_such_channel")
        return channel

    async def _see(self, request: web.Request) -> web.Response:
        person, channel = self._asker(request), self._channel(request)
        after = int(number(request, "after", 0))
        versions = request.query.get("versions", "") in ("1", "true")

        def found() -> list[Message]:
            return sight.changes(self._workspace, person, channel=channel, after=after, versions=versions)

        await self._wait(request, lambda: bool(found()))
        messages = [sight.message_seen(self._workspace, person, message) for message in found()]
        return reply({"messages": messages, "last": self._workspace.last})

    async def _views(self, request: web.Request) -> web.Response:
        person = self._asker(request)
        stack = self._workspace.views[person.id]
        unlike = request.query.get("not")
        await self._wait(request, lambda: bool(stack) and stack[-1].hash != unlike)
        home = self._workspace.homes.get(person.id)
        told: Json = {"views": [sight.view_seen(self._workspace, view) for view in stack]}
        told["home"] = sight.view_seen(self._workspace, home) if home else None
        return reply(told)

    async def _pings(self, request: web.Request) -> web.Response:
        person = self._asker(request)
        after = int(number(request, "after", 0))

        def found() -> list[Json]:
            return [
                {"why": ping.why, **sight.message_seen(self._workspace, person, ping.message)}
                for ping in self._workspace.pings
                if ping.user == person.id and ping.message.seq > after
            ]

        await self._wait(request, lambda: bool(found()))
        return reply({"pings": found(), "last": self._workspace.last})

    async def _wait(self, request: web.Request, condition: Callable[[], bool]) -> None:
        seconds = min(number(request, "wait", 0), LONGEST_WAIT)
        if seconds:
            await self._workspace.bell.until(condition, seconds)


def _aim(order: orders.ClickOrder) -> Aim:
    return Aim(
        action_id=order.action_id,
        value=order.value,
        block_id=order.block_id,
        selected=order.selected,
        confirmed=order.confirmed,
    )

"""`/_control/` of the workspace: acts for people, and shows what they see. docs/sandbox-api.md lists the calls."""

from collections.abc import Awaitable, Callable
from functools import wraps

from aiohttp import web

from sandbox.serving import number, read, refusal, reply, wait_of
from sandbox.slack import control_bodies as bodies
from sandbox.slack import visibility
from sandbox.slack.modals import Modals
from sandbox.slack.model import Channel, Message, Person, View
from sandbox.slack.people import Impossible, People, Target
from sandbox.slack.pings import Pings
from sandbox.slack.state import Workspace

Handler = Callable[[web.Request], Awaitable[web.Response]]


def _refusing_the_impossible(handler: Handler) -> Handler:
    """Wrap a handler so that it responds with 409 and the reason if it raises Impossible."""

    @wraps(handler)
    async def handle(request: web.Request) -> web.Response:
        try:
            return await handler(request)
        except Impossible as reason:
            return reply({"ok": False, "error": str(reason)}, status=409)

    return handle


class PeopleControl:
    """The control calls that act for people or show what they see."""

    def __init__(self, workspace: Workspace, people: People, modals: Modals, pings: Pings) -> None:
        self._workspace = workspace
        self._people = people
        self._modals = modals
        self._pings = pings

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add the routes."""
        actions = {
            "command": self._command,
            "click": self._click,
            "submit": self._submit,
            "close": self._close,
            "say": self._say,
        }
        for name, handler in actions.items():
            router.add_post(f"/_control/{name}", _refusing_the_impossible(handler))
        router.add_get("/_control/see", self._see)
        router.add_get("/_control/pings", self._notified)
        router.add_get("/_control/views", self._views)

    # Acting

    async def _command(self, request: web.Request) -> web.Response:
        body = await read(request, bodies.Command)
        person = self._people.acting(body.user)
        channel = self._people.place(person, body.channel, body.dm)
        outcome = await self._people.command(person, channel, body.command, body.text)
        return reply(outcome.as_json())

    async def _click(self, request: web.Request) -> web.Response:
        body = await read(request, bodies.Click)
        person = self._people.acting(body.user)
        target = Target(body.action_id, body.value, body.block_id, body.selected)
        if body.view_id is not None:
            outcome = await self._people.click_view(person, self._view(person, body.view_id), target)
        else:
            outcome = await self._people.click_message(person, self._message(person, body), target)
        return reply(outcome.as_json())

    async def _submit(self, request: web.Request) -> web.Response:
        body = await read(request, bodies.Submit)
        person = self._people.acting(body.user)
        outcome = await self._modals.submit(person, self._modals.opened(person, body.view_id), body.values)
        return reply({**outcome.as_json(), "errors": outcome.errors})

    async def _close(self, request: web.Request) -> web.Response:
        body = await read(request, bodies.Close)
        self._modals.close(self._modals.opened(self._people.acting(body.user), body.view_id))
        return reply({"ok": True})

    async def _say(self, request: web.Request) -> web.Response:
        body = await read(request, bodies.Say)
        person = self._people.acting(body.user)
        channel = self._people.place(person, body.channel, body.dm)
        message = self._people.say(person, channel, body.text, body.thread_ts)
        return reply({"ok": True, "channel": channel.id, "ts": message.ts})

    def _view(self, person: Person, view_id: str) -> View:
        home = self._workspace.homes.get(person.id)
        if home is not None and home.id == view_id:
            return home
        return self._modals.opened(person, view_id)

    def _message(self, person: Person, body: bodies.Click) -> Message:
        """Return the message to click, in its current state or as it was on the person's screen at `seq`."""
        channel = self._workspace.dm(person.id).id if body.dm else body.channel
        named = self._workspace.channel_named((channel or "").removeprefix("#"))
        message = self._workspace.message(named.id if named else channel, body.ts)
        if message is not None and body.seq is not None:
            message = self._workspace.as_it_was(message, body.seq)
        if message is None or message.deleted:
            raise Impossible("no_such_message")
        return message

    # Seeing

    def _reader(self, request: web.Request) -> Person:
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
        person, channel = self._reader(request), self._channel(request)
        after = int(number(request, "after", 0))
        versions = request.query.get("versions", "") in ("1", "true")

        def found() -> list[Message]:
            return visibility.changes(self._workspace, person, channel=channel, after=after, versions=versions)

        await self._wait(request, lambda: bool(found()))
        messages = [visibility.message_seen(self._workspace, person, message) for message in found()]
        return reply({"messages": messages, "last": self._workspace.last})

    async def _notified(self, request: web.Request) -> web.Response:
        user = self._reader(request).id if "user" in request.query else None
        after = int(number(request, "after", 0))
        await self._wait(request, lambda: bool(self._pings.found(user=user, after=after)))
        pings = [visibility.ping_seen(self._workspace, ping) for ping in self._pings.found(user=user, after=after)]
        return reply({"pings": pings, "last": self._workspace.last})

    async def _views(self, request: web.Request) -> web.Response:
        person = self._reader(request)
        await self._wait(request, lambda: person.id in self._workspace.modals)
        modal = self._workspace.modals.get(person.id)
        home = self._workspace.homes.get(person.id)
        return reply(
            {
                "modal": visibility.view_seen(self._workspace, modal) if modal else None,
                "home": visibility.view_seen(self._workspace, home) if home else None,
            }
        )

    async def _wait(self, request: web.Request, condition: Callable[[], bool]) -> None:
        if seconds := wait_of(request):
            await self._workspace.changes.wait_for(condition, seconds)

"""What people do: run commands, click, fill in modals, write. Each waits for the app's acknowledgement.

What Slack's own client would not let a person do raises `Impossible`.
"""

from dataclasses import dataclass, field
from typing import Any

from sandbox.slack import payloads
from sandbox.slack.blocks import elements_of
from sandbox.slack.calling import ApiError, Arguments
from sandbox.slack.elements import SHORTEST_QUERY, suggested
from sandbox.slack.model import Channel, Message, Person, View
from sandbox.slack.replies import Replies
from sandbox.slack.schema import Json
from sandbox.slack.sockets import Sockets
from sandbox.slack.state import APP_ID, TEAM, Workspace
from sandbox.slack.triggers import Triggers
from sandbox.slack.typed_text import typed
from sandbox.slack.values import NotOffered, chosen, state_of

SLACKBOT = "USLACKBOT"


class Impossible(Exception):
    """Slack's client does not let this person do that; the text says why."""


@dataclass(frozen=True)
class Outcome:
    """How it went for the person: `error` is what they see, `payload` what the app acknowledged with."""

    error: str | None = None
    payload: Any = None
    confirm: Json | None = None
    errors: dict[str, str] = field(default_factory=dict)
    took: float | None = None
    """Real seconds until the app acknowledged."""

    def shown(self) -> Json:
        told: Json = {
            "ok": self.error is None and self.confirm is None,
            "error": self.error,
            "payload": self.payload,
        }
        if self.took is not None:
            told["took_ms"] = round(self.took * 1000, 3)
        if self.confirm is not None:
            told["confirm"] = self.confirm
        if self.errors:
            told["errors"] = self.errors
        return told


@dataclass(frozen=True)
class Aim:
    """Which button or menu, and what to do with it."""

    action_id: str
    value: str | None = None
    block_id: str | None = None
    selected: Any = None
    confirmed: bool = False


class People:
    def __init__(self, workspace: Workspace, sockets: Sockets, triggers: Triggers, replies: Replies) -> None:
        self._workspace = workspace
        self._sockets = sockets
        self._triggers = triggers
        self._replies = replies
        self.url = ""

    def acting(self, user: str) -> Person:
        """The person, able to act. Raises Impossible."""
        person = self._workspace.person(user)
        if person is None or person.is_bot:
            raise Impossible("no_such_person")
        if person.deleted:
            raise Impossible("deactivated")
        return person

    def place(self, person: Person, channel: str | None, dm: bool) -> Channel:
        """Where the person is. Raises Impossible when they are not in it, or it is archived."""
        found = self._workspace.dm(person.id) if dm else self._workspace.channel(channel)
        if found is None and channel is not None:
            found = self._workspace.channel_named(channel.removeprefix("#"))
        if found is None:
            raise Impossible("no_such_channel")
        if person.id not in found.members:
            raise Impossible("not_a_member")
        if found.archived:
            raise Impossible("is_archived")
        return found

    async def command(self, person: Person, channel: Channel, name: str, text: str) -> Outcome:
        """A slash command. Raises Impossible for outsiders and for commands that no app has."""
        app = self._workspace.app
        if person.team != TEAM:
            raise Impossible("outsiders_cannot_run_commands")
        if not app.has_command(name):
            raise Impossible("no_such_command")
        text = text.strip()
        if app.escapes(name):
            text = typed(self._workspace, text, labels=True)
        payload = payloads.command(
            self._workspace,
            person,
            channel,
            name,
            text,
            response_url=self.url + self._triggers.response_path("command", person.id, channel.id),
            trigger_id=self._triggers.trigger_id(person.id),
        )
        answer = await self._sockets.deliver("slash_commands", payload, answers=True)
        error: str | None = answer.error
        if error is None:
            error = self._command_reply(person, channel, f"{name} {text}".strip(), answer.payload)
        if error is not None:
            self._workspace.post(
                channel,
                SLACKBOT,
                f'{name} failed with the error "{error}"',
                by_app=False,
                only_for=person.id,
            )
        return Outcome(error, answer.payload, took=answer.took)

    def _command_reply(self, person: Person, channel: Channel, line: str, payload: Any) -> str | None:
        """Shows what the acknowledgement says; an error's name when it can't be shown."""
        if payload in (None, "", {}):
            return None
        if isinstance(payload, str):
            payload = {"text": payload}
        if not isinstance(payload, dict):
            return "invalid_command_response"
        in_channel = payload.get("response_type") == "in_channel"
        try:
            if in_channel:
                self._workspace.post(channel, person.id, line)
            if set(payload) - {"response_type"}:
                self._replies.show(person.id, channel.id, Arguments(payload))
        except ApiError:
            return "invalid_command_response"
        return None

    # Clicks

    async def click_message(self, person: Person, message: Message, aim: Aim) -> Outcome:
        """Uses a button or menu of a message, as the person has it before them."""
        channel = self._workspace.channels[message.channel]
        if not self._workspace.can_read(person, channel) or message.only_for not in (None, person.id):
            raise Impossible("no_such_message")
        if channel.archived:
            raise Impossible("is_archived")
        block, element = find(message.blocks, aim)
        if asked := confirmation(element, aim):
            return Outcome(confirm=asked)
        place = (message.channel, message.ts, person.id)
        before = self._workspace.values.get(place, {})
        state = {**before, **state_of(message.blocks, before)}
        value = choose(element, aim)
        if element["action_id"] in state.get(block["block_id"], {}):
            state[block["block_id"]][element["action_id"]] = value
        if state:
            self._workspace.values[place] = state
        payload = payloads.message_click(
            self._workspace,
            person,
            message,
            payloads.action(block, element, value, self._workspace.new_ts()),
            state_of(message.blocks, state),
            response_url=self.url
            + self._triggers.response_path("message", person.id, channel.id, message.ts, message.thread_ts),
            trigger_id=self._triggers.trigger_id(person.id),
        )
        answer = await self._sockets.deliver("interactive", payload, answers=True)
        return Outcome(answer.error, answer.payload, took=answer.took)

    async def click_view(self, person: Person, view: View, aim: Aim) -> Outcome:
        """Uses a button or menu of an open modal or of the Home tab."""
        block, element = find(view.source["blocks"], aim)
        if asked := confirmation(element, aim):
            return Outcome(confirm=asked)
        value = choose(element, aim)
        if element["action_id"] in view.values.get(block["block_id"], {}):
            view.values[block["block_id"]][element["action_id"]] = value
        if block["type"] == "input" and not block.get("dispatch_action"):
            return Outcome()
        payload = payloads.view_click(
            person,
            view,
            payloads.action(block, element, value, self._workspace.new_ts()),
            trigger_id=self._triggers.trigger_id(person.id, view.id if view.kind == "modal" else None),
        )
        answer = await self._sockets.deliver("interactive", payload, answers=True)
        return Outcome(answer.error, answer.payload, took=answer.took)

    async def suggest(self, person: Person, blocks: list[Json], aim: Aim, typed: str, where: Json) -> Outcome:
        """Types into an external select; the acknowledgement carries its options.

        Raises Impossible where too little is typed for the app to be asked.
        """
        block, element = find(blocks, aim)
        if len(typed) < element.get("min_query_length", SHORTEST_QUERY):
            raise Impossible("too_short")
        payload = payloads.suggestion(person, block, element, typed, {**where, "api_app_id": APP_ID})
        answer = await self._sockets.deliver("interactive", payload, answers=True)
        problems: list[str] = []
        suggested(answer.payload, "", problems)
        return Outcome(
            answer.error or ("invalid_response" if problems else None), answer.payload, took=answer.took
        )

    # Writing

    def say(self, person: Person, channel: Channel, text: str, thread_ts: str | None) -> Message:
        """Writes a message. Raises Impossible for a thread that is not there."""
        if thread_ts is not None:
            parent = self._workspace.message(channel.id, thread_ts)
            if parent is None or parent.is_reply or parent.only_for is not None:
                raise Impossible("no_such_thread")
        if channel.kind == "im" and not self._workspace.app.messages_tab:
            raise Impossible("messages_tab_disabled")
        return self._workspace.post(
            channel, person.id, typed(self._workspace, text, labels=False), thread_ts=thread_ts
        )


def find(blocks: list[Json], aim: Aim) -> tuple[Json, Json]:
    """The block and element that are meant. Raises Impossible when there is none, or more than one."""
    found = [
        (block, element)
        for block in blocks
        for element in elements_of(block)
        if element["action_id"] == aim.action_id
        and aim.block_id in (None, block["block_id"])
        and (aim.value is None or element.get("value") == aim.value)
    ]
    if not found:
        raise Impossible("no_such_button")
    if len(found) > 1:
        raise Impossible("several_such_buttons")
    return found[0]


def confirmation(element: Json, aim: Aim) -> Json | None:
    """The dialog that has to be confirmed first."""
    if aim.confirmed or "confirm" not in element:
        return None
    return {key: element["confirm"][key]["text"] for key in ("title", "text", "confirm", "deny")}


def choose(element: Json, aim: Aim) -> Json:
    try:
        return chosen(element, aim.selected)
    except NotOffered as wrong:
        raise Impossible("not_offered") from wrong

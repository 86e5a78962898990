"""Acts for people: runs commands, clicks buttons, and writes messages.

Commands and clicks wait until the app has acknowledged them. If Slack's own client wouldn't let the person do
something, `Impossible` is raised.
"""

from dataclasses import dataclass, field
from typing import Any

from sandbox.slack import payloads
from sandbox.slack.arguments import ApiError, Arguments
from sandbox.slack.blocks import elements_of
from sandbox.slack.model import Channel, Message, Person, View
from sandbox.slack.responses import Responses
from sandbox.slack.schema import Json
from sandbox.slack.state import TEAM, Workspace
from sandbox.slack.to_app import ToApp
from sandbox.slack.triggers import Triggers
from sandbox.slack.typed_text import typed
from sandbox.slack.values import NotOffered, chosen, state_of

SLACKBOT = "USLACKBOT"


class Impossible(Exception):
    """Slack's client doesn't let the person do this. The text is a code such as `no_such_button`."""


@dataclass(frozen=True)
class Outcome:
    """The result of a person's action.

    `error` is the error that the person sees, or None. `payload` is the payload of the app's acknowledgement.
    """

    error: str | None = None
    payload: Any = None
    errors: dict[str, str] = field(default_factory=dict)
    took: float | None = None
    """Wall-clock seconds until the app acknowledged the action."""

    def as_json(self) -> Json:
        """Return the outcome as the control API shows it."""
        answer: Json = {"ok": self.error is None, "error": self.error, "payload": self.payload}
        if self.took is not None:
            answer["took_ms"] = round(self.took * 1000, 3)
        if self.errors:
            answer["errors"] = self.errors
        return answer


@dataclass(frozen=True)
class Target:
    """The button or menu to click, and the choice to make in it."""

    action_id: str
    value: str | None = None
    block_id: str | None = None
    selected: Any = None


class People:
    """Acts for the people of a workspace."""

    def __init__(self, workspace: Workspace, to_app: ToApp, triggers: Triggers, responses: Responses) -> None:
        self._workspace = workspace
        self._to_app = to_app
        self._triggers = triggers
        self._responses = responses
        self.url = ""

    def acting(self, user: str) -> Person:
        """Return the person with this id. Raise Impossible if there is none, or if they can't act.

        Bots and deactivated people can't act.
        """
        person = self._workspace.person(user)
        if person is None or person.is_bot:
            raise Impossible("no_such_person")
        if person.deleted:
            raise Impossible("deactivated")
        return person

    def place(self, person: Person, channel: str | None, dm: bool) -> Channel:
        """Return the channel in which the person acts: the one with this id or name, or the DM with the bot.

        Raises Impossible if there is no such channel, if the person isn't a member, or if it is archived.
        """
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
        """Run a slash command. Raise Impossible for outsiders, and for commands that the app doesn't have."""
        app = self._workspace.app
        if not person.is_in(TEAM):
            raise Impossible("outsiders_cannot_run_commands")
        if not app.has_command(name):
            raise Impossible("no_such_command")
        text = text.strip()
        if app.escapes(name):
            text = typed(self._workspace, text, labels=True)
        payload = payloads.command(
            person,
            channel,
            name,
            text,
            response_url=self.url + self._triggers.response_path("command", person.id, channel.id),
            trigger_id=self._triggers.trigger_id(person.id),
        )
        answer = await self._to_app.deliver("slash_commands", payload, answers=True)
        error: str | None = answer.error
        if error is None:
            error = self._show_acknowledgement(person, channel, f"{name} {text}".strip(), answer.payload)
        if error is not None:
            self._workspace.post(
                channel,
                SLACKBOT,
                f'{name} failed with the error "{error}"',
                by_app=False,
                only_for=person.id,
            )
        return Outcome(error, answer.payload, took=answer.took)

    def _show_acknowledgement(self, person: Person, channel: Channel, line: str, payload: Any) -> str | None:
        """Show the message in the acknowledgement of a command. Return an error code if it can't be shown."""
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
                self._responses.show(person.id, channel.id, Arguments(payload))
        except ApiError:
            return "invalid_command_response"
        return None

    # Clicks

    async def click_message(self, person: Person, message: Message, target: Target) -> Outcome:
        """Click a button of a message, or choose in one of its menus.

        `message` is the state of the message that the person sees, which may be outdated.
        """
        channel = self._workspace.channels[message.channel]
        if not self._workspace.can_read(person, channel) or message.only_for not in (None, person.id):
            raise Impossible("no_such_message")
        if channel.archived:
            raise Impossible("is_archived")
        block, element = find(message.blocks, target)
        place = (message.channel, message.ts, person.id)
        before = self._workspace.values.get(place, {})
        state = {**before, **state_of(message.blocks, before)}
        value = choose(element, target)
        if element["action_id"] in state.get(block["block_id"], {}):
            state[block["block_id"]][element["action_id"]] = value
        if state:
            self._workspace.values[place] = state
        response_path = self._triggers.response_path("message", person.id, channel.id, message.ts)
        payload = payloads.message_click(
            self._workspace,
            person,
            message,
            payloads.action(block, element, value, self._workspace.new_ts()),
            state_of(message.blocks, state),
            response_url=self.url + response_path,
            trigger_id=self._triggers.trigger_id(person.id),
        )
        answer = await self._to_app.deliver("interactive", payload, answers=True)
        return Outcome(answer.error, answer.payload, took=answer.took)

    async def click_view(self, person: Person, view: View, target: Target) -> Outcome:
        """Click a button or choose in a menu of the open modal or the Home tab."""
        block, element = find(view.source["blocks"], target)
        value = choose(element, target)
        if element["action_id"] in view.values.get(block["block_id"], {}):
            view.values[block["block_id"]][element["action_id"]] = value
        if block["type"] == "input" and not block.get("dispatch_action"):
            return Outcome()
        payload = payloads.view_click(
            person,
            view,
            payloads.action(block, element, value, self._workspace.new_ts()),
            trigger_id=self._triggers.trigger_id(person.id),
        )
        answer = await self._to_app.deliver("interactive", payload, answers=True)
        return Outcome(answer.error, answer.payload, took=answer.took)

    # Writing

    def say(self, person: Person, channel: Channel, text: str, thread_ts: str | None) -> Message:
        """Write a message. Raise Impossible if the thread doesn't exist, or the app accepts no direct messages."""
        if thread_ts is not None:
            parent = self._workspace.message(channel.id, thread_ts)
            if parent is None or parent.is_reply or parent.only_for is not None:
                raise Impossible("no_such_thread")
        if channel.kind == "im" and not self._workspace.app.messages_tab:
            raise Impossible("messages_tab_disabled")
        return self._workspace.post(
            channel, person.id, typed(self._workspace, text, labels=False), thread_ts=thread_ts
        )


def find(blocks: list[Json], target: Target) -> tuple[Json, Json]:
    """Return the block and the element of a target. Raise Impossible unless exactly one element matches."""
    found = [
        (block, element)
        for block in blocks
        for element in elements_of(block)
        if element["action_id"] == target.action_id
        and target.block_id in (None, block["block_id"])
        and (target.value is None or element.get("value") == target.value)
    ]
    if not found:
        raise Impossible("no_such_button")
    if len(found) > 1:
        raise Impossible("several_such_buttons")
    return found[0]


def choose(element: Json, target: Target) -> Json:
    """Return the element's value after the click. Raise Impossible if the element doesn't offer the choice."""
    try:
        return chosen(element, target.selected)
    except NotOffered as wrong:
        raise Impossible("not_offered") from wrong

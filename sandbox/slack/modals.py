"""How people use modals: fill them in, submit, close; and what the app's acknowledgement then does.

Rules: https://docs.slack.dev/surfaces/modals.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from sandbox.slack import payloads
from sandbox.slack.api_views import changed_view, checked_view, new_view
from sandbox.slack.blocks import STACK, elements_of
from sandbox.slack.calling import ApiError
from sandbox.slack.model import Person, View
from sandbox.slack.people import Impossible, Outcome
from sandbox.slack.schema import Json
from sandbox.slack.sockets import Sockets
from sandbox.slack.state import Workspace
from sandbox.slack.triggers import Triggers
from sandbox.slack.values import NotOffered, chosen, what_a_client_refuses


class Modals:
    def __init__(self, workspace: Workspace, sockets: Sockets, triggers: Triggers) -> None:
        self._workspace = workspace
        self._sockets = sockets
        self._triggers = triggers
        self.url = ""

    def on_top(self, person: Person, view_id: str) -> View:
        """The person's top modal. Raises Impossible when this one is not it."""
        top = self._workspace.top_view(person.id)
        if top is None or top.id != view_id:
            raise Impossible("not_the_open_modal")
        return top

    async def submit(self, person: Person, view: View, values: dict[str, dict[str, Any]]) -> Outcome:
        """Fills in and submits.

        `incomplete` with `errors` when the client itself refuses; `invalid_response` when the app's
        acknowledgement makes no sense to Slack; errors of the app come as `errors` with `error: "refused"`.
        """
        if not view.source.get("submit"):
            raise Impossible("no_submit_button")
        view = self._filled(view, values)
        complaints = what_a_client_refuses(view.source["blocks"], view.values)
        if complaints:
            return Outcome("incomplete", errors=complaints)
        payload = payloads.submission(
            person,
            view,
            trigger_id=self._triggers.trigger_id(person.id, view.id),
            response_urls=list(self._response_urls(person, view)),
        )
        answer = await self._sockets.deliver("interactive", payload, answers=True)
        if answer.error is not None:
            return Outcome(answer.error, took=answer.took)
        try:
            errors = self._respond(view, answer.payload)
        except ApiError:
            return Outcome("invalid_response", answer.payload, took=answer.took)
        return Outcome("refused" if errors else None, answer.payload, errors=errors, took=answer.took)

    def _response_urls(self, person: Person, view: View) -> Iterator[Json]:
        """One for each conversation that was chosen in a menu with `response_url_enabled`."""
        for block in view.source["blocks"]:
            for element in elements_of(block):
                if not element.get("response_url_enabled"):
                    continue
                value = view.values[block["block_id"]][element["action_id"]]
                channel = value.get("selected_conversation") or value.get("selected_channel")
                if self._workspace.channel(channel) is not None:
                    yield {
                        "response_url": self.url + self._triggers.response_path("command", person.id, channel),
                        "block_id": block["block_id"],
                        "action_id": element["action_id"],
                        "channel_id": channel,
                    }

    def _filled(self, view: View, values: dict[str, dict[str, Any]]) -> View:
        elements = {
            (block["block_id"], element["action_id"]): element
            for block in view.source["blocks"]
            for element in elements_of(block)
        }
        filled = {block_id: dict(actions) for block_id, actions in view.values.items()}
        for block_id, actions in values.items():
            for action_id, value in actions.items():
                element = elements.get((block_id, action_id))
                if element is None or action_id not in filled.get(block_id, {}):
                    raise Impossible("no_such_input")
                try:
                    filled[block_id][action_id] = chosen(element, value)
                except NotOffered as wrong:
                    raise Impossible("not_offered") from wrong
        changed = replace(view, values=filled, errors={})
        self._workspace.put_view(changed)
        return changed

    def _respond(self, view: View, payload: Any) -> dict[str, str]:
        """Does what the acknowledgement says. Returns the errors to show; raises ApiError for nonsense."""
        if payload in (None, "", {}):
            self._close(view)
            return {}
        if not isinstance(payload, dict):
            raise ApiError("invalid_response")
        match payload.get("response_action"):
            case "errors":
                return self._show_errors(view, payload.get("errors"))
            case "clear":
                self._workspace.drop_views(view.user)
            case "update":
                current = self._workspace.view(view.id)
                if current is None:
                    raise ApiError("not_found")
                changed_view(self._workspace, current, checked_view(payload.get("view")))
            case "push":
                source = checked_view(payload.get("view"))
                if len(self._workspace.views[view.user]) >= STACK:
                    raise ApiError("push_limit_reached")
                new_view(self._workspace, view.user, source)
            case _:
                raise ApiError("invalid_response")
        return {}

    def _show_errors(self, view: View, errors: Any) -> dict[str, str]:
        inputs = {block["block_id"] for block in view.source["blocks"] if block["type"] == "input"}
        if not isinstance(errors, dict) or not errors or not set(errors) <= inputs:
            raise ApiError("invalid_response")
        if not all(isinstance(text, str) and text for text in errors.values()):
            raise ApiError("invalid_response")
        current = self._workspace.view(view.id)
        if current is not None:
            self._workspace.put_view(replace(current, errors=errors))
        return errors

    def _close(self, view: View) -> None:
        """Closes a submitted view, and what lies on it; the one below shows again."""
        stack = self._workspace.views[view.user]
        places = [place for place, each in enumerate(stack) if each.id == view.id]
        if places:
            keep = 0 if view.source.get("clear_on_close") else places[0]
            self._workspace.drop_views(view.user, keep=keep)

    async def close(self, person: Person, view: View, *, everything: bool) -> Outcome:
        """Closes the top modal, or the stack with its X. The app hears of those with notify_on_close."""
        clears = everything or bool(view.source.get("clear_on_close"))
        stack = self._workspace.views[person.id]
        closed = self._workspace.drop_views(person.id, keep=0 if clears else len(stack) - 1)
        outcome = Outcome()
        for each in reversed(closed):
            if each.source.get("notify_on_close"):
                payload: Json = payloads.closed(person, each, cleared=clears)
                answer = await self._sockets.deliver("interactive", payload, answers=True)
                outcome = Outcome(answer.error, answer.payload, took=answer.took)
        return outcome

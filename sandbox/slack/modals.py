"""Fills in, submits and closes modals for people, and then does what the app's acknowledgement requests.

Rules: https://docs.slack.dev/surfaces/modals. A person has at most one modal open; stacks of views aren't
supported.
"""

from dataclasses import replace
from typing import Any

from sandbox.slack import payloads
from sandbox.slack.api_views import changed_view, checked_view
from sandbox.slack.arguments import ApiError
from sandbox.slack.blocks import elements_of
from sandbox.slack.model import Person, View
from sandbox.slack.people import Impossible, Outcome
from sandbox.slack.state import Workspace
from sandbox.slack.to_app import ToApp
from sandbox.slack.triggers import Triggers
from sandbox.slack.values import NotOffered, chosen, client_errors


class Modals:
    """Submits and closes the modals of a workspace."""

    def __init__(self, workspace: Workspace, to_app: ToApp, triggers: Triggers) -> None:
        self._workspace = workspace
        self._to_app = to_app
        self._triggers = triggers

    def opened(self, person: Person, view_id: str) -> View:
        """Return the person's open modal. Raise Impossible if no modal with this id is open."""
        view = self._workspace.modals.get(person.id)
        if view is None or view.id != view_id:
            raise Impossible("not_the_open_modal")
        return view

    async def submit(self, person: Person, view: View, values: dict[str, dict[str, Any]]) -> Outcome:
        """Fill in and submit a modal.

        The `error` of the outcome is:

        - `incomplete` if Slack's client doesn't submit the modal because of missing or invalid values;
        - `invalid_response` if the app's acknowledgement is invalid;
        - `refused` if the app returned errors, which are in `errors`;
        - otherwise the error of the delivery, such as `operation_timeout`, or None.
        """
        if not view.source.get("submit"):
            raise Impossible("no_submit_button")
        view = self._filled(view, values)
        errors = client_errors(view.source["blocks"], view.values)
        if errors:
            return Outcome("incomplete", errors=errors)
        payload = payloads.submission(person, view, trigger_id=self._triggers.trigger_id(person.id))
        answer = await self._to_app.deliver("interactive", payload, answers=True)
        if answer.error is not None:
            return Outcome(answer.error, took=answer.took)
        try:
            errors = self._respond(view, answer.payload)
        except ApiError:
            return Outcome("invalid_response", answer.payload, took=answer.took)
        return Outcome("refused" if errors else None, answer.payload, errors=errors, took=answer.took)

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
        self._workspace.put_modal(changed)
        return changed

    def _respond(self, view: View, payload: Any) -> dict[str, str]:
        """Do what the app's acknowledgement requests: close or update the modal, or show errors.

        Returns the errors by block_id, empty if the app accepted the submission. Raises ApiError if the
        acknowledgement is invalid.
        """
        if payload in (None, "", {}):
            self._workspace.close_modal(view)
            return {}
        if not isinstance(payload, dict):
            raise ApiError("invalid_response")
        match payload.get("response_action"):
            case "errors":
                return self._show_errors(view, payload.get("errors"))
            case "clear":
                self._workspace.close_modal(view)
            case "update":
                current = self._workspace.modal(view.id)
                if current is None:
                    raise ApiError("not_found")
                changed_view(self._workspace, current, checked_view(self._workspace, payload.get("view")))
            case _:
                raise ApiError("invalid_response")
        return {}

    def _show_errors(self, view: View, errors: Any) -> dict[str, str]:
        inputs = {block["block_id"] for block in view.source["blocks"] if block["type"] == "input"}
        if not isinstance(errors, dict) or not errors or not set(errors) <= inputs:
            raise ApiError("invalid_response")
        if not all(isinstance(text, str) and text for text in errors.values()):
            raise ApiError("invalid_response")
        current = self._workspace.modal(view.id)
        if current is not None:
            self._workspace.put_modal(replace(current, errors=errors))
        return errors

    def close(self, view: View) -> None:
        """Close the modal. The app isn't notified, because the sandbox doesn't support `notify_on_close`."""
        self._workspace.close_modal(view)

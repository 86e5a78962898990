"""views.* and blocks.validate: shows modals and Home tabs, and validates blocks.

Rules: https://docs.slack.dev/surfaces/modals and https://docs.slack.dev/reference/methods/blocks.validate.
"""

import secrets
from dataclasses import replace
from typing import Any

from sandbox.slack.arguments import ApiError
from sandbox.slack.blocks import message_problems, view_problems, with_ids
from sandbox.slack.call import Call
from sandbox.slack.model import View
from sandbox.slack.objects import view_json
from sandbox.slack.schema import Json
from sandbox.slack.state import Workspace
from sandbox.slack.values import state_of


def open_(call: Call) -> Json:
    """Open a modal, which replaces the modal that the person may have open.

    A refused view uses up its trigger_id. Slack doesn't document this case, so the sandbox is strict.
    """
    user = call.triggers.exchange(call.args.needed("trigger_id"))
    source = _source(call, "modal")
    filled = _with_ids(source)
    view = View(_new_id(), user, filled, _new_hash(call.workspace), state_of(filled["blocks"], {}))
    call.workspace.put_modal(view)
    return {"ok": True, "view": view_json(view)}


def update(call: Call) -> Json:
    """Replace the content of an open modal.

    Raises ApiError `not_found` if the modal isn't open, or `hash_conflict` if it has changed in the meantime.
    """
    source = _source(call, "modal")
    view = call.workspace.modal(call.args.needed("view_id"))
    if view is None:
        raise ApiError("not_found")
    _check_hash(call, view)
    return {"ok": True, "view": view_json(changed_view(call.workspace, view, source))}


def publish(call: Call) -> Json:
    """Set the content of a person's Home tab.

    Raises ApiError `not_enabled` if the app has no Home tab, or `hash_conflict` if it has changed in the meantime.
    """
    workspace = call.workspace
    source = _source(call, "home")
    person = call.person("user_id")
    if not workspace.app.home_tab:
        raise ApiError("not_enabled")
    before = workspace.homes.get(person.id)
    if before is not None:
        _check_hash(call, before)
    filled = _with_ids(source)
    state = state_of(filled["blocks"], before.values if before else {})
    view = View(before.id if before else _new_id(), person.id, filled, _new_hash(workspace), state)
    workspace.homes[person.id] = view
    workspace.changes.notify()
    return {"ok": True, "view": view_json(view)}


def validate(call: Call) -> Json:
    """Validate blocks, a message or a view.

    Raises ApiError with the place and the reason if they are invalid. Only the first problem is reported, because
    Slack doesn't document that it reports all of them.
    """
    given = [name for name in ("blocks", "message", "view") if name in call.args]
    if len(given) != 1:
        raise ApiError("invalid_arguments", ["must provide exactly one of `blocks`, `view`, or `message`"])
    name, value = given[0], call.args.parsed(given[0], "invalid_arguments")
    lacks = call.workspace.lacks
    if name == "view":
        kind = value.get("type") if isinstance(value, dict) else None
        _, problems = view_problems(value, "home" if kind == "home" else "modal", refused=lacks.blocks)
    else:
        blocks = value.get("blocks") if name == "message" and isinstance(value, dict) else value
        _, problems = message_problems(blocks, refused=lacks.blocks)
    if not problems:
        return {"ok": True}
    message, _, pointer = problems[0].removesuffix("]").rpartition(" [json-pointer:")
    pointer = pointer if name == "message" else pointer.removeprefix(f"/{name}")
    reason = {"code": "failed_constraint", "message": message, "pointer": pointer}
    raise ApiError(f"invalid_{name}", errors=[reason])


def _check_hash(call: Call, view: View) -> None:
    """Refuse a call whose `hash` belongs to another state of the view. Raises ApiError `hash_conflict`."""
    if call.args.text("hash") not in (None, view.hash):
        raise ApiError("hash_conflict")


def _source(call: Call, kind: str) -> Json:
    return checked_view(call.workspace, call.args.parsed("view", "invalid_arguments"), kind)


def checked_view(workspace: Workspace, view: Any, kind: str = "modal") -> Json:
    """Return a view if it is valid. Raise ApiError `invalid_arguments` or `view_too_large`."""
    if not isinstance(view, dict):
        raise ApiError("invalid_arguments", ["missing required field: view [json-pointer:/view]"])
    code, reasons = view_problems(view, kind, refused=workspace.lacks.blocks)
    if code:
        raise ApiError(code, reasons[:1])
    return view


def changed_view(workspace: Workspace, view: View, source: Json) -> View:
    """Replace the content of a modal. Inputs whose ids stay the same keep their values."""
    filled = _with_ids(source)
    state = state_of(filled["blocks"], view.values)
    changed = replace(view, source=filled, hash=_new_hash(workspace), values=state, errors={})
    workspace.put_modal(changed)
    return changed


def _with_ids(source: Json) -> Json:
    return {**source, "blocks": with_ids(source["blocks"])}


def _new_id() -> str:
    return f"V0{secrets.token_hex(5).upper()}"


def _new_hash(workspace: Workspace) -> str:
    return f"{workspace.seconds()}.{secrets.token_hex(4)}"

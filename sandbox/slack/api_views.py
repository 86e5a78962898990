"""views.*: modals and the Home tab. Rules: https://docs.slack.dev/surfaces/modals."""

import secrets
from dataclasses import replace
from typing import Any

from sandbox.slack.blocks import STACK, view_problems, with_ids
from sandbox.slack.calling import ApiError
from sandbox.slack.context import Call
from sandbox.slack.model import View
from sandbox.slack.schema import Json
from sandbox.slack.state import Workspace
from sandbox.slack.values import state_of
from sandbox.slack.wire import view_json


def open_(call: Call) -> Json:
    source = _source(call, "modal")
    trigger = call.triggers.exchange(_trigger_id(call))
    _unique(call.workspace, source)
    call.workspace.drop_views(trigger.user)
    view = new_view(call.workspace, trigger.user, source)
    return {"ok": True, "view": view_json(view)}


def push(call: Call) -> Json:
    source = _source(call, "modal")
    trigger = call.triggers.exchange(_trigger_id(call))
    stack = call.workspace.views[trigger.user]
    if trigger.view_id is None or not any(view.id == trigger.view_id for view in stack):
        raise ApiError("invalid_trigger_id")
    if len(stack) >= STACK:
        raise ApiError("push_limit_reached")
    _unique(call.workspace, source)
    view = new_view(call.workspace, trigger.user, source)
    return {"ok": True, "view": view_json(view)}


def update(call: Call) -> Json:
    source = _source(call, "modal")
    view_id, external_id = call.args.text("view_id"), call.args.text("external_id")
    if not view_id and not external_id:
        raise ApiError("invalid_arguments", ["missing required field: view_id [json-pointer:/view_id]"])
    view = call.workspace.view(view_id, external_id)
    if view is None:
        raise ApiError("not_found")
    if call.args.text("hash") not in (None, view.hash):
        raise ApiError("hash_conflict")
    if source.get("external_id") != view.source.get("external_id"):
        _unique(call.workspace, source)
    return {"ok": True, "view": view_json(changed_view(call.workspace, view, source))}


def publish(call: Call) -> Json:
    workspace = call.workspace
    source = _source(call, "home")
    person = call.person("user_id")
    if not workspace.app.home_tab:
        raise ApiError("not_enabled")
    before = workspace.homes.get(person.id)
    if before is not None and call.args.text("hash") not in (None, before.hash):
        raise ApiError("hash_conflict")
    name = before.id if before else new_view_id()
    filled = {**source, "blocks": with_ids(source["blocks"])}
    state = state_of(filled["blocks"], before.values if before else {})
    view = View(name, person.id, filled, new_hash(workspace), state, root=name)
    workspace.homes[person.id] = view
    workspace.bell.ring()
    return {"ok": True, "view": view_json(view)}


def _trigger_id(call: Call) -> str:
    return call.args.text("trigger_id") or call.args.needed("interactivity_pointer")


def _source(call: Call, kind: str) -> Json:
    return checked_view(call.args.parsed("view", "invalid_arguments"), kind)


def checked_view(view: Any, kind: str = "modal") -> Json:
    """The view as it may be shown. Raises ApiError invalid_arguments or view_too_large."""
    if not isinstance(view, dict):
        raise ApiError("invalid_arguments", ["missing required field: view [json-pointer:/view]"])
    code, reasons = view_problems(view, kind)
    if code:
        raise ApiError(code, reasons)
    return view


def _unique(workspace: Workspace, source: Json) -> None:
    if source.get("external_id") and workspace.view(None, source["external_id"]):
        raise ApiError("duplicate_external_id")


def new_view_id() -> str:
    return f"V0{secrets.token_hex(5).upper()}"


def new_hash(workspace: Workspace) -> str:
    return f"{workspace.seconds()}.{secrets.token_hex(4)}"


def new_view(workspace: Workspace, user: str, source: Json) -> View:
    """Puts a modal on top of the person's stack."""
    below = workspace.top_view(user)
    name = new_view_id()
    filled = {**source, "blocks": with_ids(source["blocks"])}
    view = View(
        id=name,
        user=user,
        source=filled,
        hash=new_hash(workspace),
        values=state_of(filled["blocks"], {}),
        root=below.root if below else name,
        previous=below.id if below else None,
    )
    workspace.put_view(view)
    return view


def changed_view(workspace: Workspace, view: View, source: Json) -> View:
    """Shows other content in the same modal; what was typed stays where block_id and action_id do."""
    filled = {**source, "blocks": with_ids(source["blocks"])}
    changed = replace(
        view,
        source=filled,
        hash=new_hash(workspace),
        values=state_of(filled["blocks"], view.values),
        errors={},
    )
    workspace.put_view(changed)
    return changed

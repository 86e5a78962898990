"""What is filled in: Slack's form of each element's value, and what a client checks before it submits."""

from typing import Any

from sandbox.slack.blocks import elements_of
from sandbox.slack.elements import choices
from sandbox.slack.schema import Json

_ONE_OPTION = ("static_select", "external_select", "radio_buttons", "overflow")
_MANY_OPTIONS = ("multi_static_select", "multi_external_select", "checkboxes")
_ONE_ID = {
    "users_select": ("selected_user", "initial_user"),
    "channels_select": ("selected_channel", "initial_channel"),
    "conversations_select": ("selected_conversation", "initial_conversation"),
    "datepicker": ("selected_date", "initial_date"),
    "timepicker": ("selected_time", "initial_time"),
    "datetimepicker": ("selected_date_time", "initial_date_time"),
}
_MANY_IDS = {
    "multi_users_select": ("selected_users", "initial_users"),
    "multi_channels_select": ("selected_channels", "initial_channels"),
    "multi_conversations_select": ("selected_conversations", "initial_conversations"),
}
_STATELESS = ("button", "overflow", "image")


class NotOffered(ValueError):
    """Something was chosen that the element does not offer."""


def chosen(element: Json, selected: Any) -> Json:
    """The element's value after a person chose or typed `selected`. Raises NotOffered.

    `selected` is an option's value, a list of them, an id, a date, or typed text; None clears.
    """
    kind = str(element["type"])
    told: Json = {"type": kind}
    if kind in _ONE_OPTION:
        told["selected_option"] = None if selected is None else _option(element, selected)
    elif kind in _MANY_OPTIONS:
        told["selected_options"] = [_option(element, each) for each in _list(selected)]
    elif kind in _ONE_ID:
        told[_ONE_ID[kind][0]] = selected
    elif kind in _MANY_IDS:
        told[_MANY_IDS[kind][0]] = _list(selected)
    else:
        told["value"] = None if selected in (None, "") else str(selected)
    return told


def _list(selected: Any) -> list[Any]:
    if selected is None:
        return []
    return selected if isinstance(selected, list) else [selected]


def _option(element: Json, value: Any) -> Json:
    if "external" in element["type"]:
        return {"text": {"type": "plain_text", "text": str(value), "emoji": True}, "value": str(value)}
    for choice in choices(element):
        if choice.get("value") == value:
            return choice
    raise NotOffered(f"{element.get('action_id')} does not offer {value!r}")


def initial(element: Json) -> Json:
    kind = str(element["type"])
    told: Json = {"type": kind}
    if kind in _ONE_OPTION:
        told["selected_option"] = element.get("initial_option")
    elif kind in _MANY_OPTIONS:
        told["selected_options"] = element.get("initial_options") or []
    elif kind in _ONE_ID:
        told[_ONE_ID[kind][0]] = element.get(_ONE_ID[kind][1])
    elif kind in _MANY_IDS:
        told[_MANY_IDS[kind][0]] = element.get(_MANY_IDS[kind][1]) or []
    else:
        told["value"] = element.get("initial_value") or None
    return told


def state_of(blocks: list[Json], before: Json) -> Json:
    """The state of these blocks: what `before` holds for the same block_id and action_id, else their initials."""
    state: Json = {}
    for block in blocks:
        for element in elements_of(block):
            if element["type"] in _STATELESS:
                continue
            action = element["action_id"]
            kept = before.get(block["block_id"], {}).get(action)
            same = kept is not None and kept["type"] == element["type"]
            state.setdefault(block["block_id"], {})[action] = kept if same else initial(element)
    return state


def is_empty(value: Json) -> bool:
    return all(part in (None, "", []) for name, part in value.items() if name != "type")


def what_a_client_refuses(blocks: list[Json], values: Json) -> dict[str, str]:
    """The complaints that a person's own client shows instead of submitting, by block_id."""
    complaints: dict[str, str] = {}
    for block in blocks:
        if block.get("type") != "input":
            continue
        element = block["element"]
        value = values[block["block_id"]][element["action_id"]]
        if is_empty(value):
            if not block.get("optional"):
                complaints[block["block_id"]] = "This field is required."
            continue
        complaint = _unfit(element, value.get("value"))
        if complaint:
            complaints[block["block_id"]] = complaint
    return complaints


def _unfit(element: Json, typed: str | None) -> str:
    if typed is None:
        return ""
    if len(typed) < element.get("min_length", 0):
        return f"At least {element['min_length']} characters are needed."
    if len(typed) > element.get("max_length", 3000):
        return f"At most {element.get('max_length', 3000)} characters are allowed."
    if element["type"] == "email_text_input" and "@" not in typed:
        return "This is no email address."
    if element["type"] == "url_text_input" and "://" not in typed:
        return "This is no URL."
    if element["type"] == "number_input" and not _is_number(typed, element["is_decimal_allowed"]):
        return "This is no number."
    return ""


def _is_number(typed: str, decimals: bool) -> bool:
    whole, _, rest = typed.removeprefix("-").partition(".")
    return whole.isdigit() and (not rest or (decimals and rest.isdigit()))

"""The values of interactive elements in Slack's format, and the checks that Slack's client makes in a modal."""

from typing import Any

from sandbox.slack.blocks import elements_of
from sandbox.slack.elements import choices, is_day
from sandbox.slack.schema import Json


class NotOffered(ValueError):
    """A person chose something that the element doesn't offer."""


def chosen(element: Json, selected: Any) -> Json:
    """Return the element's value after a person chose or typed `selected`.

    `selected` is an option's value, a user id, a list of either, a date such as `2026-12-14`, or typed text. None
    clears the element. Raises NotOffered if the element doesn't have the option, or if the date is invalid.
    """
    kind = str(element["type"])
    value: Any
    match kind:
        case "static_select" | "radio_buttons":
            value = {"selected_option": None if selected is None else _option(element, selected)}
        case "multi_static_select" | "checkboxes":
            value = {"selected_options": [_option(element, each) for each in _as_list(selected)]}
        case "users_select":
            value = {"selected_user": selected}
        case "multi_users_select":
            value = {"selected_users": _as_list(selected)}
        case "datepicker":
            if selected and not is_day(str(selected)):
                raise NotOffered(f"{selected!r} is not a date such as 2026-12-14")
            value = {"selected_date": selected or None}
        case _:
            value = {"value": None if selected in (None, "") else str(selected)}
    return {"type": kind, **value}


def _as_list(selected: Any) -> list[Any]:
    if selected is None:
        return []
    return selected if isinstance(selected, list) else [selected]


def _option(element: Json, value: Any) -> Json:
    for choice in choices(element):
        if choice.get("value") == value:
            return choice
    raise NotOffered(f"{element.get('action_id')} does not offer {value!r}")


def initial(element: Json) -> Json:
    """Return the element's initial value."""
    kind = str(element["type"])
    value: Any
    match kind:
        case "static_select" | "radio_buttons":
            value = {"selected_option": element.get("initial_option")}
        case "multi_static_select" | "checkboxes":
            value = {"selected_options": element.get("initial_options") or []}
        case "users_select":
            value = {"selected_user": element.get("initial_user")}
        case "multi_users_select":
            value = {"selected_users": element.get("initial_users") or []}
        case "datepicker":
            value = {"selected_date": element.get("initial_date")}
        case _:
            value = {"value": element.get("initial_value") or None}
    return {"type": kind, **value}


def state_of(blocks: list[Json], before: Json) -> Json:
    """Return the values of all inputs in these blocks.

    Inputs whose ids and type occur in `before` keep their values from `before`. The others have their initial
    values.
    """
    state: Json = {}
    for block in blocks:
        for element in elements_of(block):
            if element["type"] == "button":
                continue
            action = element["action_id"]
            earlier = before.get(block["block_id"], {}).get(action)
            unchanged = earlier is not None and earlier["type"] == element["type"]
            state.setdefault(block["block_id"], {})[action] = earlier if unchanged else initial(element)
    return state


def is_empty(value: Json) -> bool:
    """Return whether a value is empty, because nothing is chosen or typed."""
    return all(part in (None, "", []) for name, part in value.items() if name != "type")


def client_errors(blocks: list[Json], values: Json) -> dict[str, str]:
    """Return the errors, by block_id, that Slack's client shows instead of submitting a modal. Empty if none."""
    errors: dict[str, str] = {}
    for block in blocks:
        if block.get("type") != "input":
            continue
        element = block["element"]
        value = values[block["block_id"]][element["action_id"]]
        if is_empty(value):
            if not block.get("optional"):
                errors[block["block_id"]] = "This field is required."
        elif error := _length_error(element, value.get("value")):
            errors[block["block_id"]] = error
    return errors


def _length_error(element: Json, typed: str | None) -> str:
    if typed is None:
        return ""
    if len(typed) < element.get("min_length", 0):
        return f"At least {element['min_length']} characters are needed."
    if len(typed) > element.get("max_length", 3000):
        return f"At most {element.get('max_length', 3000)} characters are allowed."
    return ""

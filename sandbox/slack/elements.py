"""Validates the interactive elements of blocks that the sandbox supports, and the objects inside them.

Source: https://docs.slack.dev/reference/block-kit/block-elements and
https://docs.slack.dev/reference/block-kit/composition-objects.
"""

import re
from datetime import date
from typing import Any

from sandbox.slack.schema import (
    Check,
    Json,
    add_problem,
    anything,
    array,
    boolean,
    both,
    by_type,
    fields,
    integer,
    one_of,
    string,
)

ID = string(255)
# Slack accepts an empty ID and generates an ID instead, as if the field were missing.
ID_OR_NONE = string(255, least=0)


def text(most: int = 3000, *, kinds: tuple[str, ...] = ("plain_text", "mrkdwn")) -> Check:
    """Return a check for a text object with up to `most` characters."""
    plain = fields({"type": anything, "text": string(most)}, {"emoji": boolean})
    mrkdwn = fields({"type": anything, "text": string(most)}, {"verbatim": boolean})
    rules = {"plain_text": plain, "mrkdwn": mrkdwn}
    return by_type({kind: rules[kind] for kind in kinds}, "a text object")


def plain(most: int) -> Check:
    """Return a check for a plain_text object with up to `most` characters."""
    return text(most, kinds=("plain_text",))


option = fields({"text": plain(75), "value": string(150)}, {"description": plain(75)})
marked_option = fields({"text": text(75), "value": string(150)}, {"description": text(75)})
options = array(option, 100)
option_group = fields({"label": plain(75), "options": options}, {})

COMMON: dict[str, Check] = {"type": anything}
ACTION: dict[str, Check] = {"action_id": ID_OR_NONE, "focus_on_load": boolean}
WITH_PLACEHOLDER: dict[str, Check] = {**ACTION, "placeholder": plain(150)}
DISPATCH: Check = fields({}, {"trigger_actions_on": array(one_of("on_enter_pressed", "on_character_entered"), 2)})


def choices(element: Json) -> list[Json]:
    """Return an element's options, including the options in its groups."""
    grouped = [
        choice
        for group in _as_list(element.get("option_groups"))
        for choice in _as_list(group.get("options") if isinstance(group, dict) else None)
    ]
    return [*_as_list(element.get("options")), *grouped]


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _options_or_groups(value: Any, where: str, problems: list[str]) -> None:
    if isinstance(value, dict) and (value.get("options") is None) == (value.get("option_groups") is None):
        add_problem(problems, "must provide either options or option_groups", where)


def _initial_is_offered(value: Any, where: str, problems: list[str]) -> None:
    if not isinstance(value, dict):
        return
    single, several = value.get("initial_option"), _as_list(value.get("initial_options"))
    if single is not None and single not in choices(value):
        add_problem(problems, "initial_option must be one of the options", where)
    if any(each not in choices(value) for each in several):
        add_problem(problems, "initial_options must be one of the options", where)


def _static_menu(initial: dict[str, Check]) -> Check:
    menu = fields(
        COMMON, {**WITH_PLACEHOLDER, "options": options, "option_groups": array(option_group, 100), **initial}
    )
    return both(menu, _options_or_groups, _initial_is_offered)


def _users_menu(initial: dict[str, Check]) -> Check:
    return fields(COMMON, {**WITH_PLACEHOLDER, **initial})


def _url_is_valid(value: Any, where: str, problems: list[str]) -> None:
    url = value.get("url") if isinstance(value, dict) else None
    if isinstance(url, str) and not url.startswith(("http://", "https://", "mailto:", "slack:")):
        add_problem(problems, "must be a valid url", f"{where}/url")


button = both(
    fields(
        {**COMMON, "text": plain(75)},
        {
            "action_id": ID_OR_NONE,
            "value": string(2000),
            "url": string(3000),
            "style": one_of("primary", "danger"),
            "accessibility_label": string(75),
        },
    ),
    _url_is_valid,
)


def _day_is_valid(value: Any, where: str, problems: list[str]) -> None:
    day = value.get("initial_date") if isinstance(value, dict) else None
    if isinstance(day, str) and not is_day(day):
        add_problem(problems, "must be a date such as 2026-12-14", f"{where}/initial_date")


def is_day(text: str) -> bool:
    """Return whether a text is a date in the format of datepickers, `2026-12-14`."""
    try:
        return re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII) is not None and bool(date.fromisoformat(text))
    except ValueError:
        return False


_UP_TO: dict[str, Check] = {"max_selected_items": integer(1, 1000)}
ELEMENTS: dict[str, Check] = {
    "button": button,
    "checkboxes": both(
        fields(
            {**COMMON, "options": array(marked_option, 10)},
            {**ACTION, "initial_options": array(marked_option, 10)},
        ),
        _initial_is_offered,
    ),
    "radio_buttons": both(
        fields({**COMMON, "options": array(marked_option, 10)}, {**ACTION, "initial_option": marked_option}),
        _initial_is_offered,
    ),
    "static_select": _static_menu({"initial_option": option}),
    "multi_static_select": _static_menu({"initial_options": array(option, 100), **_UP_TO}),
    "users_select": _users_menu({"initial_user": ID}),
    "multi_users_select": _users_menu({"initial_users": array(ID, 100), **_UP_TO}),
    "datepicker": both(fields(COMMON, {**WITH_PLACEHOLDER, "initial_date": string(10)}), _day_is_valid),
    "plain_text_input": fields(
        COMMON,
        {
            **WITH_PLACEHOLDER,
            "dispatch_action_config": DISPATCH,
            "initial_value": string(3000, least=0),
            "multiline": boolean,
            "min_length": integer(0, 3000),
            "max_length": integer(1, 3000),
        },
    ),
}

_CHOICES = ("checkboxes", "radio_buttons", *(name for name in ELEMENTS if name.endswith("_select")))


def _among(names: tuple[str, ...], what: str) -> Check:
    return by_type({name: ELEMENTS[name] for name in names}, what)


in_section = _among(("button", "datepicker", *_CHOICES), "an accessory")
in_actions = _among(("button", "datepicker", *_CHOICES), "an action")
in_input = _among(("plain_text_input", "datepicker", *_CHOICES), "an input")
in_context = by_type(
    {"plain_text": text(kinds=("plain_text",)), "mrkdwn": text(kinds=("mrkdwn",))}, "a context element"
)

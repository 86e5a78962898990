"""The interactive parts of Block Kit and the objects they are made of, with their limits.

Source: https://docs.slack.dev/reference/block-kit/block-elements and
https://docs.slack.dev/reference/block-kit/composition-objects.
"""

from datetime import date
from typing import Any

from sandbox.slack.schema import (
    Check,
    Json,
    anything,
    array,
    boolean,
    both,
    by_type,
    fields,
    integer,
    matching,
    one_of,
    string,
    tell,
)

ID = string(255)
ID_OR_NONE = string(255, least=0)  # an empty id counts as none: Slack makes one


def text(most: int = 3000, *, kinds: tuple[str, ...] = ("plain_text", "mrkdwn")) -> Check:
    plain = fields({"type": anything, "text": string(most)}, {"emoji": boolean})
    mrkdwn = fields({"type": anything, "text": string(most)}, {"verbatim": boolean})
    rules = {"plain_text": plain, "mrkdwn": mrkdwn}
    return by_type({kind: rules[kind] for kind in kinds}, "a text object")


def plain(most: int) -> Check:
    return text(most, kinds=("plain_text",))


confirm = fields(
    {"title": plain(100), "text": text(300), "confirm": plain(30), "deny": plain(30)},
    {"style": one_of("primary", "danger")},
)
option = fields({"text": plain(75), "value": string(150)}, {"description": plain(75)})
marked_option = fields({"text": text(75), "value": string(150)}, {"description": text(75)})
overflow_option = fields(
    {"text": plain(75), "value": string(150)}, {"description": plain(75), "url": string(3000)}
)
options = array(option, 100)
option_group = fields({"label": plain(75), "options": options}, {})
filters = fields(
    {},
    {
        "include": array(one_of("im", "mpim", "private", "public"), 4),
        "exclude_external_shared_channels": boolean,
        "exclude_bot_users": boolean,
    },
)

COMMON: dict[str, Check] = {"type": anything}
ACTION: dict[str, Check] = {"action_id": ID_OR_NONE, "confirm": confirm, "focus_on_load": boolean}
PLACED: dict[str, Check] = {**ACTION, "placeholder": plain(150)}
DISPATCH: Check = fields({}, {"trigger_actions_on": array(one_of("on_enter_pressed", "on_character_entered"), 2)})


def choices(element: Json) -> list[Json]:
    """An element's options, those of its groups too."""
    grouped = [
        choice
        for group in _listed(element.get("option_groups"))
        for choice in _listed(group.get("options") if isinstance(group, dict) else None)
    ]
    return [*_listed(element.get("options")), *grouped]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _options_or_groups(value: Any, where: str, problems: list[str]) -> None:
    if isinstance(value, dict) and (value.get("options") is None) == (value.get("option_groups") is None):
        tell(problems, "must provide either options or option_groups", where)


def _initial_is_offered(value: Any, where: str, problems: list[str]) -> None:
    if not isinstance(value, dict):
        return
    one, many = value.get("initial_option"), _listed(value.get("initial_options"))
    if one is not None and one not in choices(value):
        tell(problems, "initial_option must be one of the options", where)
    if any(each not in choices(value) for each in many):
        tell(problems, "initial_options must be one of the options", where)


def _filters_something(value: Any, where: str, problems: list[str]) -> None:
    if value == {}:
        tell(problems, "filter must not be empty", where)


def _is_a_day(value: Any, where: str, problems: list[str]) -> None:
    try:
        date.fromisoformat(value if isinstance(value, str) and len(value) == len("2026-11-24") else "")
    except ValueError:
        tell(problems, "must be a date, YYYY-MM-DD", where)


_is_a_time = matching(r"([01][0-9]|2[0-3]):[0-5][0-9]", "a time, HH:mm")
web_address = both(string(3000), matching(r"(?s)https?://.+", "a valid url"))


suggested = both(
    fields({}, {"options": array(option, 100, least=0), "option_groups": array(option_group, 100, least=0)}),
    _options_or_groups,
)
"""What an app may answer to who types into an external menu."""
SHORTEST_QUERY = 3
"""Characters from which on an external menu asks the app, where it doesn't say itself."""


def _menu(required: dict[str, Check], optional: dict[str, Check], *, multi: bool) -> Check:
    more: dict[str, Check] = {"max_selected_items": integer(1, 1000)} if multi else {}
    return fields({**COMMON, **required}, {**PLACED, **optional, **more})


def _menus(prefix: str, *, multi: bool) -> dict[str, Check]:
    def initial(single: str, check: Check) -> dict[str, Check]:
        return {f"{single}s": array(check, 100)} if multi else {single: check}

    once: dict[str, Check] = {} if multi else {"response_url_enabled": boolean}
    static = _menu(
        {},
        {
            "options": options,
            "option_groups": array(option_group, 100),
            **initial("initial_option", option),
        },
        multi=multi,
    )
    return {
        f"{prefix}static_select": both(static, _options_or_groups, _initial_is_offered),
        f"{prefix}external_select": _menu(
            {}, {"min_query_length": integer(0, 1000), **initial("initial_option", option)}, multi=multi
        ),
        f"{prefix}users_select": _menu({}, initial("initial_user", ID), multi=multi),
        f"{prefix}channels_select": _menu({}, {**once, **initial("initial_channel", ID)}, multi=multi),
        f"{prefix}conversations_select": _menu(
            {},
            {
                **once,
                **initial("initial_conversation", ID),
                "default_to_current_conversation": boolean,
                "filter": both(filters, _filters_something),
            },
            multi=multi,
        ),
    }


def _url_needs_no_value(value: Any, where: str, problems: list[str]) -> None:
    if isinstance(value, dict) and isinstance(value.get("url"), str):
        url = value["url"]
        if not url.startswith(("http://", "https://", "mailto:", "slack:")):
            tell(problems, "must be a valid url", f"{where}/url")


button = both(
    fields(
        {**COMMON, "text": plain(75)},
        {
            "action_id": ID_OR_NONE,
            "confirm": confirm,
            "value": string(2000),
            "url": string(3000),
            "style": one_of("primary", "danger"),
            "accessibility_label": string(75),
        },
    ),
    _url_needs_no_value,
)
slack_file = fields({}, {"id": string(255), "url": string(3000)})


def _image_has_a_source(value: Any, where: str, problems: list[str]) -> None:
    if isinstance(value, dict) and (value.get("image_url") is None) == (value.get("slack_file") is None):
        tell(problems, "must provide either image_url or slack_file", where)


def an_image(more: dict[str, Check]) -> Check:
    """An image with these further fields: a block has a title."""
    source: dict[str, Check] = {"image_url": web_address, "slack_file": slack_file}
    return both(fields({**COMMON, "alt_text": string(2000)}, {**source, **more}), _image_has_a_source)


image = an_image({})
_typed: dict[str, Check] = {**PLACED, "dispatch_action_config": DISPATCH}

ELEMENTS: dict[str, Check] = {
    "button": button,
    "image": image,
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
    "overflow": fields(
        {**COMMON, "options": array(overflow_option, 5)}, {"action_id": ID_OR_NONE, "confirm": confirm}
    ),
    "datepicker": fields(COMMON, {**PLACED, "initial_date": _is_a_day}),
    "timepicker": fields(COMMON, {**PLACED, "initial_time": _is_a_time, "timezone": string(100)}),
    "datetimepicker": fields(COMMON, {**ACTION, "initial_date_time": integer(0, 10**10 - 1)}),
    **_menus("", multi=False),
    **_menus("multi_", multi=True),
    "plain_text_input": fields(
        COMMON,
        {
            **_typed,
            "initial_value": string(3000, least=0),
            "multiline": boolean,
            "min_length": integer(0, 3000),
            "max_length": integer(1, 3000),
        },
    ),
    "email_text_input": fields(COMMON, {**_typed, "initial_value": string(3000, least=0)}),
    "url_text_input": fields(COMMON, {**_typed, "initial_value": string(3000, least=0)}),
    "number_input": fields(
        {**COMMON, "is_decimal_allowed": boolean},
        {**_typed, "initial_value": string(40), "min_value": string(40), "max_value": string(40)},
    ),
}

_MENUS = tuple(name for name in ELEMENTS if name.endswith("_select"))
_PICKERS = ("datepicker", "timepicker", "datetimepicker", "checkboxes", "radio_buttons")
_TYPED = ("plain_text_input", "email_text_input", "url_text_input", "number_input")


def _among(names: tuple[str, ...], what: str) -> Check:
    return by_type({name: ELEMENTS[name] for name in names}, what)


in_section = _among(("button", "image", "overflow", *_PICKERS, *_MENUS), "an accessory")
in_actions = _among(("button", "overflow", *_PICKERS, *_MENUS), "an action")
in_input = _among((*_TYPED, *_PICKERS, *_MENUS), "an input")
in_context = by_type(
    {"image": image, "plain_text": text(kinds=("plain_text",)), "mrkdwn": text(kinds=("mrkdwn",))},
    "a context element",
)

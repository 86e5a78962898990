"""rich_text blocks as Slack accepts them.

Source: https://docs.slack.dev/reference/block-kit/blocks/rich-text-block.
"""

from sandbox.slack.schema import (
    Check,
    anything,
    array,
    boolean,
    by_type,
    fields,
    integer,
    matching,
    one_of,
    string,
)

_COMMON: dict[str, Check] = {"type": anything}
_ID = string(255)
_STYLES = ("bold", "italic", "strike", "underline", "highlight", "client_highlight", "unlink")
_style = fields({}, dict.fromkeys(_STYLES, boolean))
_text_style = fields({}, {**dict.fromkeys(_STYLES, boolean), "code": boolean})

_inline = by_type(
    {
        "broadcast": fields({**_COMMON, "range": one_of("here", "channel", "everyone")}, {}),
        "channel": fields({**_COMMON, "channel_id": _ID}, {"style": _style}),
        "color": fields({**_COMMON, "value": matching("#[0-9A-Fa-f]{6}", "a color, #RRGGBB")}, {}),
        "date": fields(
            {**_COMMON, "timestamp": integer(0, 10**11), "format": string(3000)},
            {"url": string(3000), "fallback": string(3000)},
        ),
        "emoji": fields(
            {**_COMMON, "name": string(255)},
            {"unicode": string(255), "skin_tone": integer(1, 6), "style": _style},
        ),
        "link": fields(
            {**_COMMON, "url": string(3000)},
            {"text": string(3000), "unsafe": boolean, "style": _text_style},
        ),
        "text": fields({**_COMMON, "text": string(3000)}, {"style": _text_style}),
        "user": fields({**_COMMON, "user_id": _ID}, {"style": _style}),
        "usergroup": fields({**_COMMON, "usergroup_id": _ID}, {"style": _style}),
    },
    "a rich text element",
)
_border: dict[str, Check] = {"border": integer(0, 1)}
_section = fields({**_COMMON, "elements": array(_inline, 1000, least=0)}, {})
_list = fields(
    {
        **_COMMON,
        "style": one_of("bullet", "ordered"),
        "elements": array(by_type({"rich_text_section": _section}, "a list entry"), 1000),
    },
    {"indent": integer(0, 8), "offset": integer(0, 10**6), **_border},
)
_quote = fields({**_COMMON, "elements": array(_inline, 1000)}, _border)
_preformatted = fields({**_COMMON, "elements": array(_inline, 1000)}, {**_border, "language": string(255)})

rich_text = fields(
    {
        **_COMMON,
        "elements": array(
            by_type(
                {
                    "rich_text_section": _section,
                    "rich_text_list": _list,
                    "rich_text_preformatted": _preformatted,
                    "rich_text_quote": _quote,
                },
                "a rich text part",
            ),
            1000,
        ),
    },
    {"block_id": string(255, least=0)},
)
"""A rich_text block, also as a cell of a table. Slack publishes no lengths; these are those of a text object."""

"""The app's Home tab: what the bot is for, a button that opens the request form, and what to type."""

from __future__ import annotations

import hashlib
import json

from handlers.ids import NO_VALUE, Action
from handlers.views.phrases import blocks
from handlers.views.phrases.blocks import Json, button

_TYPED = """\
In a channel, or in Messages here:
/gpu get H100 EU shows offers
/gpu list shows your rentals
/gpu help shows all commands"""


def home_tab() -> Json:
    """Return the Home tab, which is the same for everyone. `private_metadata` is a hash of its blocks, which tells
    whether Slack already shows this version."""
    shown = [
        blocks.section("*Rent GPUs for as long as you need them.* You see live prices first; only a click rents."),
        blocks.actions(button("Get GPUs", Action.CHOOSE_FROM_LIST, NO_VALUE, style="primary")),
        blocks.section(_TYPED),
    ]
    version = hashlib.sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest()
    return {"type": "home", "private_metadata": version, "blocks": shown}

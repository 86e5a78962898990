"""The story of a rental in the thread in which a Slack app asked for it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from inline_snapshot import snapshot

from bot.model.attempt import Why
from bot.model.base import changed
from bot.model.event import EFFECTS, Event, EventKind
from bot.model.state import State
from bot.model.summary import RentalDetails
from bot.policy.team.rules import Agent, Announce, Rules
from handlers.messages import apps
from handlers.messages.render import reply_to_app
from handlers.messages.writers import EventContext, thread
from tests.slack_limits import unescaped_markup
from tests.views.screens import message, page
from tests.views.stories import clock, gone, happened, making, reading, ready, rental, waiting
from tests.views.test_program_card import ONCE, by_program

K = EventKind


def reply(event: Event, details: RentalDetails, *, rules: Rules | None = None) -> str:
    """Render the reply about an event as text, at the time of the event."""
    reader = reading(event.at, "")
    if rules is not None:
        reader = changed(reader, rules=rules)
    context: EventContext[Any] = EventContext(event, by_program(details), reader, named=True)
    return message(reply_to_app(context, to_outsiders=False), event.at)


def test_the_thread_tells_the_story_of_the_machine_with_its_name() -> None:
    looking = changed(making(), rental=rental(State.QUEUED, waitlist_entry=ONCE), attempts=())
    queued = happened(K.QUEUED, clock(12, 36), total=16_060_000)
    assert page(
        reply(queued, looking),
        reply(happened(K.READY, clock(12, 41)), ready()),
        reply(happened(K.READY, clock(12, 41)), ready(), rules=Rules(announce=Announce(address_in_channel=True))),
        reply(happened(K.READY, clock(12, 41)), gone()),
        reply(happened(K.UNREACHABLE, clock(12, 41)), ready()),
        reply(happened(K.KEPT_AFTER_FAILURE, clock(18, 40), until=clock(20, 0)), ready()),
        reply(happened(K.REPLACED, clock(18, 50), name="f6rat", why=Why.VENDOR_TOOK_IT), ready()),
    ) == snapshot("""\

nightly eval (Ana) is looking for 1x H100 (k7mq2) in EU for 6 h, up to $16.06.

Ready: Ana's 1x H100 (k7mq2). It costs $2.42/h, up to $16.06. It ends at 18:40.

(fallback) `ssh root@203.0.113.7`
Ready: Ana's 1x H100 (k7mq2). It costs $2.42/h, up to $16.06. It ends at 18:40.
$ ssh root@203.0.113.7

Ready: Ana's 1x H100 (k7mq2).

Ana's 1x H100 (k7mq2) is running and billing, but nothing answers on its SSH port yet. It may need
      another minute. It costs $2.42/h, up to $16.06. It ends at 18:40.

The script /root/on-ending.sh failed on Ana's 1x H100 (k7mq2), so it keeps running until 20:00.

The replacement for Ana's 1x H100 (k7mq2) is f6rat.
""")


def test_the_thread_says_why_a_request_was_refused_and_what_other_offers_cost() -> None:
    refused = changed(making(), rental=rental(State.FAILED, over_at=clock(12, 37)), attempts=())
    words = "1x H100 costs at least $2.15/h, and nightly eval may spend $1.00/h. Nothing was rented. <!here>"
    why: dict[str, Any] = {"end": State.FAILED, "why": Why.NOT_ALLOWED, "detail": words}
    price: dict[str, Any] = {"clicked": Decimal("2.15"), "rate": Decimal("2.42"), "vendor": "nebius"}
    searched = changed(making(), rental=rental(State.PROCURING, waitlist_entry=ONCE))
    renting = happened(K.RENTING, clock(12, 38), before_vendor="hyperstack", why=Why.SOLD_OUT, **price)
    assert page(
        reply(happened(K.ENDED, clock(12, 37), amount=0, **why), refused),
        reply(happened(K.ENDED, clock(12, 37), amount=230_000, **why), refused),
        reply(renting, searched),
    ) == snapshot("""\

Ana's request for 1x H100 (k7mq2) in EU failed at 12:37. 1x H100 costs at least $2.15/h, and nightly
      eval may spend $1.00/h. Nothing was rented. <!here>

Ana's request for 1x H100 (k7mq2) in EU failed at 12:37. 1x H100 costs at least $2.15/h, and nightly
      eval may spend $1.00/h. Nothing was rented. <!here> An earlier attempt cost $0.23.

Hyperstack seems to be sold out. Trying Nebius at $2.42/h, $0.27 more than the first offer.
""")


def test_a_long_list_shows_each_machine_and_how_many_are_left_out() -> None:
    asked = happened(K.ASKED_AGAIN, clock(14, 6), people=("U0BEN", "U0CARL"), terms=1, admins_decide=False)
    long = waiting(asked)
    listed = [by_program(changed(long, rental=changed(long.rental, id=f"k7m{n:02}"))) for n in range(25)]
    shown = apps.listing(listed, "nightly eval (Ana)", reading(clock(13, 0), ""))
    texts = "\n".join(block["text"]["text"] for block in shown.blocks)
    assert all(f"(k7m{n:02})" in texts for n in range(20))
    assert texts.endswith("\n5 more aren't shown.")


def test_every_event_that_answers_an_app_has_a_text() -> None:
    assert {kind for kind, effects in EFFECTS.items() if effects.answers_app} <= set(thread)


def test_hostile_names_and_words_are_plain_text_in_answers() -> None:
    hostile = "<!channel> `x` *b* <@U0ANA> <https://evil.example|here>\n> approve"
    for shown in (
        apps.refused(hostile),
        apps.not_understood(hostile),
        apps.no_token(Agent.model_validate({"owner": "U0ANA", "token": "t"}), hostile),
        apps.listing([], hostile, reading(clock(12, 0), "")),
    ):
        assert "<" not in shown.text
        assert unescaped_markup(shown.text) == []

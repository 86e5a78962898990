"""Whatever the models hold, Slack takes what is rendered, and no foreign text does more than be read."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.errors import Changed, Mistake, NeedsKey, Outage, Refused, TooLate
from bot.model.base import changed
from bot.model.event import Event
from bot.model.message import Message, MessageKind, to_channel, to_person
from bot.model.offer import Catalog
from bot.model.person import Channel, Key
from bot.model.quote import Quote
from bot.model.rental import Decider, Waiting
from bot.model.request import Request
from bot.model.summary import RentalDetails
from bot.policy.spending import OfferChoice
from handlers.ids import CARRIES, Callback, action_of
from handlers.views import blocks, lists, modals, offers, replies
from handlers.views.blocks import Rendered
from handlers.views.render import render_message
from tests.slack_limits import buttons, loose_markup, problems_of_message, problems_of_view, text_objects
from tests.views import strategies as some
from tests.views.stories import RULES, clock, listed, request, waiting

THOROUGH = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
PINGS = ("<!subteam^S0GPU>", "<@U0BEN>")


def hold(rendered: Rendered, *, mentions: tuple[str, ...] = ()) -> None:
    """Checks a message: limits, markup, and that its buttons lead somewhere."""
    blocks: Any = (
        json.loads(json.dumps(rendered.blocks).replace(PINGS[0], "").replace(PINGS[1], ""))
        if mentions
        else rendered.blocks
    )
    assert problems_of_message(rendered.text, blocks) == []
    assert loose_markup(rendered.text, mentions=mentions) == []
    rendered.text.encode()
    live = list(buttons(rendered.blocks))
    assert not (rendered.closed and live)
    for button in live:
        hold_button(button)


def test_a_verb_that_would_lose_digits_of_its_amount_stands_alone() -> None:
    def submit(label: str) -> str:
        made = blocks.modal(Callback.KEY, "Title", submit=label)
        return str(made["submit"]["text"])

    assert submit("Approve up to $99,999.99") == "Approve up to $99,999.99"
    assert submit("Approve up to $123,456.78") == "Approve"
    assert submit("Rent from &lt;$0.01/h") == "Rent from <$0.01/h"


def hold_button(button: dict[str, Any]) -> None:
    action = action_of(button["action_id"])
    kind = CARRIES[action]
    if kind is None:
        assert "value" not in button
    else:
        assert kind.decode(button["value"]).encode() == button["value"]


@THOROUGH
@given(
    details=some.stories,
    event=some.events,
    kind=st.sampled_from(MessageKind),
    now=some.moment,
    shown=st.integers(0, 1),
)
def test_messages_of_the_outbox(
    details: RentalDetails, event: Event, kind: MessageKind, now: datetime, shown: int
) -> None:
    told = changed(details, events=(event, *details.events))
    for reader in (details.rental.owner, "U0CARL"):
        message = Message(
            kind=kind, to=to_person(reader), shown=shown, envelope=details.rental.envelope.version, created_at=now
        )
        rendered = render_message(message, event, told, rules=RULES, now=now)
        if rendered is not None:
            hold(rendered, mentions=PINGS if kind is MessageKind.APPROVAL and shown == 0 else ())


@THOROUGH
@given(
    quote=some.quotes,
    rows=st.lists(some.rows, max_size=25),
    now=some.moment,
    everything=st.booleans(),
    room=st.none()
    | st.builds(Channel, id=some.channel, member=st.booleans(), direct=st.booleans(), shared=st.booleans()),
)
def test_answers_to_a_quote(
    quote: Quote, rows: list[OfferChoice], now: datetime, everything: bool, room: Channel | None
) -> None:
    hold(offers.found(quote, rows, rules=RULES, now=now, everything=everything, asked_in=room))
    hold(offers.none_found(quote))
    hold(offers.unanswered(quote, now=now))
    hold(offers.looking(quote))


@THOROUGH
@given(
    stories=st.lists(some.stories, max_size=3),
    more=st.integers(0, 10**6),
    now=some.moment,
    everyone=st.booleans(),
)
def test_lists(stories: list[RentalDetails], more: int, now: datetime, *, everyone: bool) -> None:
    for many in (stories, (stories * lists.ROWS)[: lists.ROWS]):
        live = listed(*many, more=more)
        hold(lists.listing(live, everyone=everyone, rules=RULES, now=now))
        live = listed(*many[: lists.HOME_ROWS], more=more)
        hold(lists.home(live, rules=RULES, now=now))
    for details in stories:
        long = changed(details, events=details.events * 20)
        hold(lists.show(long, reader="U0ANA", rules=RULES, now=now))
        hold(lists.ssh(details, reader=details.rental.owner, rules=RULES, now=now))
        hold(offers.rents_already(details.rental, "q1", "o1"))
        hold(replies.rented(details.rental))


@THOROUGH
@given(details=some.stories, quote=some.quotes, row=some.rows, catalog=some.catalogs, key=st.none() | some.keys)
def test_dialogs(
    details: RentalDetails, quote: Quote, row: OfferChoice, catalog: Catalog, key: Key | None
) -> None:
    sound = changed(row, offer=changed(row.offer, offer_id="o-1"))
    now = details.rental.created_at
    for view in (
        modals.key(key),
        modals.form(catalog, rules=RULES, request=details.rental.request),
        modals.form(catalog, rules=RULES),
        modals.rent_confirm(quote, sound, rules=RULES),
        modals.approve_confirm(details, rules=RULES),
        modals.destroy_confirm(details),
        modals.extend(details, rules=RULES, now=now),
    ):
        assert problems_of_view(view) == []
        assert not [one for one in text_objects(view) if one["type"] == "mrkdwn" and "<!date" in one["text"]]
        Callback(view["callback_id"])
    hold(lists.catalog(catalog, rules=RULES, now=now))


@given(words=some.text, nearest=st.lists(some.text, max_size=7), key=some.keys, other=st.none() | some.rental_id)
def test_short_answers(words: str, nearest: list[str], key: Key, other: str | None) -> None:
    for problem in (
        Mistake(words, tuple(nearest)),
        NeedsKey(words),
        Refused(words),
        TooLate(words, other),
        TooLate(words, words),
        Changed(words, other),
        Outage(words),
    ):
        hold(replies.error(problem))
    hold(replies.key_shown(key))
    hold(replies.key_saved(key, 2))
    hold(replies.bug(words))


@given(note=some.text)
def test_a_note_can_not_forge_a_line(note: str) -> None:
    now = clock(14, 5)
    message = Message(kind=MessageKind.APPROVAL, to=to_channel("C0GPUS"), shown=1, envelope=1, created_at=now)

    def lines(wanted: Request) -> int:
        details = waiting(request=wanted)
        rendered = render_message(message, details.events[0], details, rules=RULES, now=now)
        assert rendered is not None
        return len(rendered.text.splitlines())

    assert lines(request(count=8, note=note)) == lines(request(count=8, note="plain"))


def test_a_full_list_stays_within_the_limits_and_says_how_many_more_there_are() -> None:
    live = listed(*[waiting()] * lists.ROWS, more=385)
    rendered = lists.listing(live, everyone=True, rules=RULES, now=clock(14, 6))
    hold(rendered)
    for said in (rendered.text, rendered.blocks[-1]["elements"][0]["text"]):
        assert "385 more not shown." in said


def test_time_can_be_far_away() -> None:
    expires_at = clock(22, 5) + timedelta(days=20_000)
    details = waiting(waiting=Waiting(decider=Decider.APPROVER, expires_at=expires_at))
    message = Message(kind=MessageKind.CARD, to=to_channel("C0GPUS"), created_at=clock(14, 5))
    rendered = render_message(message, None, details, rules=RULES, now=clock(14, 5))
    assert rendered is not None
    hold(rendered)

"""Properties of all messages and dialogs.

Slack accepts each of them, and foreign text can't mention anyone, make a link or forge a line.
"""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.errors import (
    AlreadyDecided,
    Decision,
    Line,
    Mistake,
    NeedsKey,
    Outage,
    OwnerOnly,
    Refused,
    RequestChanged,
    RequestMistake,
    TooLate,
)
from bot.lifecycle.actions.giving import MOST_SHOWN
from bot.model.admin_question import (
    AdminDecision,
    AdminQuestion,
    Decided,
    Purchase,
    Purchases,
    UnmanagedMachine,
)
from bot.model.base import changed
from bot.model.event import Event, EventKind
from bot.model.message import MessageKind
from bot.model.offer import Catalog
from bot.model.person import Channel, Key
from bot.model.quote import Quote, QuoteState, WaitlistEntry
from bot.model.rental import Decider, PendingDecision
from bot.model.request import Request
from bot.model.summary import (
    AccruedCost,
    AdminQuestionView,
    DearerRent,
    IdleMachine,
    OfferChoice,
    RentalDetails,
    WaitPreview,
)
from bot.policy.access.github_keys import GithubKeys
from bot.policy.team.asking import Mentions
from bot.policy.use.giving import Left
from handlers.actions import github_keys
from handlers.actions.github_keys import choose
from handlers.actions.keys import key_dialog
from handlers.actions.offers import rent_dialog
from handlers.actions.rentals import destroy_dialog, extend_form
from handlers.actions.request_form import form_dialog
from handlers.actions.requests import approve_dialog
from handlers.actions.sharing import add_teammate_dialog
from handlers.ids import (
    ACTION_VALUES,
    MODAL_VALUES,
    NO_VALUE,
    Action,
    Callback,
    KeyValue,
    NearbyValue,
    OfferValue,
    QuoteHoursValue,
    QuoteUntilValue,
    QuoteValue,
    RentalValue,
    action_of,
)
from handlers.messages import admin_questions, backups, giving, keys, lists, offers, replies, ssh_lines
from handlers.messages import waiting as waiting_answers
from handlers.messages.card import card
from handlers.messages.render import (
    alert_message,
    card_message,
    direct_message,
    message_to_approvers,
    thread_reply,
)
from handlers.messages.writers import AlertContext, EventContext, QuestionContext, approvers, thread
from handlers.phrases import blocks
from handlers.phrases.blocks import Rendered
from handlers.phrases.classic import SAMPLES, Surface, classic, new_types
from handlers.phrases.format import Times
from tests.slack_limits import buttons, problems_of_message, problems_of_view, text_objects, unescaped_markup
from tests.views import strategies as some
from tests.views.screens import outbox
from tests.views.stories import RULES, clock, listed, reading, request, view_of, waiting

THOROUGH = settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
MENTIONS = Mentions(groups=("S0GPU",), people=("U0BEN",))
PINGS = ("<!subteam^S0GPU>", "<@U0BEN>")


def assert_taken(blocks: Any, surface: Surface) -> None:
    """Check that the bot asks Slack at its start about each newer type on this surface."""
    assert new_types(blocks) <= new_types(SAMPLES[surface]), "add a sample to handlers/phrases/classic.py"


def assert_view_is_valid(view: Any) -> None:
    """Check a dialog against Slack's limits, with newer and with classic blocks."""
    assert_taken(view["blocks"], Surface.MODAL)
    assert problems_of_view(view) == []
    assert problems_of_view({**view, "blocks": classic(view["blocks"])}) == []


def assert_valid(rendered: Rendered, *, mentions: tuple[str, ...] = ()) -> None:
    """Check a message's limits and markup, and that each button's value has the type of its action."""
    blocks: Any = (
        json.loads(json.dumps(rendered.blocks).replace(PINGS[0], "").replace(PINGS[1], ""))
        if mentions
        else rendered.blocks
    )
    assert_taken(blocks, Surface.MESSAGE)
    assert problems_of_message(rendered.text, blocks) == []
    assert problems_of_message(rendered.text, classic(blocks) or [{"type": "divider"}]) == []
    assert unescaped_markup(rendered.text, mentions=mentions) == []
    rendered.text.encode()
    live = list(buttons(rendered.blocks))
    assert not (rendered.closed and live)
    for button in live:
        assert_button_is_whole(button)


def test_a_long_submit_label_is_cut_to_its_verb() -> None:
    def submit(label: str) -> str:
        modal = blocks.modal(Callback.KEY, "Title", submit=label, value=NO_VALUE)
        return str(modal.view["submit"]["text"])

    assert submit("Approve up to $99,999.99") == "Approve up to $99,999.99"
    assert submit("Approve up to $123,456.78") == "Approve"
    assert submit("Rent from &lt;$0.01/h") == "Rent from <$0.01/h"


def assert_button_is_whole(button: dict[str, Any]) -> None:
    """Check a button's value, and that screen readers read the subject of the button."""
    value_type = ACTION_VALUES[action_of(button["action_id"])]
    text, value = button["text"]["text"], value_type.decode(button.get("value", ""))
    assert value.encode() == button.get("value", "")
    read = button.get("accessibility_label", text)
    if rental_id := getattr(value, "rental_id", ""):
        assert rental_id in read
    elif isinstance(value, QuoteValue | OfferValue | NearbyValue | QuoteHoursValue | QuoteUntilValue):
        assert re.search(r"\b[0-9]+x |, [a-z0-9]{2,16}$", read)
    elif isinstance(value, KeyValue):
        assert value.fingerprint[:13] in read


def test_screen_readers_read_the_subject_of_a_button_and_whole_amounts() -> None:
    def read(label: str, about: str = "") -> str:
        shown = blocks.button(label, Action.DETAILS, RentalValue(rental_id="k7mq2"), about=about)
        return str(shown.get("accessibility_label", ""))

    assert read("Extend 2 h", "1x H100 in EU") == "Extend 2 h, k7mq2, 1x H100 in EU"
    assert read("Destroy k7mq2") == ""
    long = "Rent it for me at $24.00/h or less: 6 h, up to $123,456.78"
    assert read(long, "8x H200 in EU") == "Rent it for me at $24.00/h or less: 6 h, up to…, k7mq2, 8x H200 in EU"
    assert len(read("\u0e01" * 80, "\u0e02" * 80)) == 75


@THOROUGH
@given(details=some.details, event=some.events, now=some.moment, asks=st.booleans())
def test_outbox_messages_are_valid(details: RentalDetails, event: Event, now: datetime, *, asks: bool) -> None:
    with_event = changed(details, events=(event, *details.events))
    for who in (details.rental.owner, "U0CARL"):
        context = EventContext(event, with_event, reading(now, who), asks=MENTIONS if asks else None)
        shown = [card_message(with_event, context.reader), alert_message(AlertContext(event, context.reader, {}))]
        if event.kind in thread:
            shown += [thread_reply(context), direct_message(context)]
        for rendered in filter(None, shown):
            assert_valid(rendered)
        if event.kind in approvers:
            assert_valid(message_to_approvers(context), mentions=PINGS if asks else ())


@THOROUGH
@given(
    quote=some.quotes,
    choices=st.lists(some.choices, max_size=25),
    now=some.moment,
    everything=st.booleans(),
    still_waiting=st.none() | some.requests,
    asked_in=st.none()
    | st.builds(Channel, id=some.channel, member=st.booleans(), direct=st.booleans(), shared=st.booleans()),
    waitlist_entry=some.waitlist_entries,
    idle=st.lists(some.idle_machines, max_size=MOST_SHOWN),
)
def test_answers_to_a_search_are_valid(
    *,
    quote: Quote,
    choices: list[OfferChoice],
    now: datetime,
    everything: bool,
    still_waiting: Request | None,
    asked_in: Channel | None,
    waitlist_entry: WaitlistEntry,
    idle: list[IdleMachine],
) -> None:
    view = view_of(quote, choices, asked_in=asked_in, still_waiting=still_waiting, idle=tuple(idle))
    assert_valid(offers.found(view, reading(now), everything=everything))
    terms = choices[0].terms if choices else None
    wait = terms and WaitPreview(quote=quote, terms=terms, over=choices[0].over, until=now)
    for waits in (
        view,
        changed(view, quote=changed(view.quote, waitlist_entry=waitlist_entry)),
        changed(view, wait=wait),
    ):
        if waits.quote.waitlist_entry is not None or waits.quote.state is not QuoteState.WAITING:
            assert_valid(offers.answer(waits, reading(now)))
    assert_valid(offers.none_found(view_of(quote, []), reading(now)))
    assert_valid(offers.unanswered(quote, now=now))
    assert_valid(offers.looking(quote))


@THOROUGH
@given(
    rentals=st.lists(some.details, max_size=3),
    more=st.integers(0, 10**6),
    now=some.moment,
    everyone=st.booleans(),
)
def test_lists_are_valid(rentals: list[RentalDetails], more: int, now: datetime, *, everyone: bool) -> None:
    for many in (rentals, (rentals * lists.ROWS)[: lists.ROWS]):
        live = listed(*many, more=more)
        assert_valid(lists.listing(live, everyone=everyone, reader=reading(now)))
        live = listed(*many[: lists.HOME_ROWS], more=more)
        assert_valid(lists.home(live, reader=reading(now)))
    for details in rentals:
        long = changed(details, events=details.events * 20)
        assert_valid(lists.show(long, reader=reading(now, "U0ANA")))
        assert_valid(ssh_lines.ssh(details, reader=reading(now, details.rental.owner)))
        assert_valid(offers.rents_already(details.rental, "q1", "o1"))
        assert_valid(replies.rented(details.rental, without_key=list(details.names.values())))


@THOROUGH
@given(details=some.details, quote=some.quotes, choice=some.choices, catalog=some.catalogs)
def test_dialogs_are_valid_and_show_no_clock_time(
    details: RentalDetails, quote: Quote, choice: OfferChoice, catalog: Catalog
) -> None:
    fitting = changed(choice, offer=changed(choice.offer, offer_id="o-1"))
    now = details.rental.created_at
    wait = WaitPreview(quote=quote, terms=choice.terms, over=choice.over, until=now)
    dearer = DearerRent(rental=details.rental, offer=fitting.offer, terms=choice.terms, over=choice.over)
    left = Left(rate=choice.terms.max_rate, total=choice.terms.total, ends_at=now, over=choice.over)
    for modal in (
        key_dialog(),
        form_dialog(catalog, reader=reading(now, zone="UTC"), request=details.rental.request),
        form_dialog(catalog, reader=reading(now, zone="UTC")),
        form_dialog(None, reader=reading(now, zone="UTC"), request=details.rental.request),
        rent_dialog(quote, fitting, reader=reading(now)),
        approve_dialog(details, reader=reading(now)),
        destroy_dialog(details),
        destroy_dialog(details, timedelta(minutes=10)),
        waiting_answers.highest_price(quote, reader=reading(now)),
        waiting_answers.rent_for_me_confirm(wait, None, reader=reading(now)),
        waiting_answers.dearer_confirm(dearer, reader=reading(now)),
        *([giving.take_confirm(details, left, reader=reading(now))] if details.rental.lease else []),
        extend_form(details, reader=reading(now)),
        add_teammate_dialog(details),
    ):
        view = modal.view
        assert_view_is_valid(view)
        assert not [text for text in text_objects(view) if text["type"] == "mrkdwn" and "<!date" in text["text"]]
        assert type(modal.value) in MODAL_VALUES[view["callback_id"]]
    assert_valid(lists.catalog(catalog, reader=reading(now)))


@THOROUGH
@given(machine=some.unmanaged_machines, words=some.text, decision=st.sampled_from(AdminDecision), now=some.moment)
def test_messages_about_unmanaged_machines_are_valid(
    machine: UnmanagedMachine, words: str, decision: AdminDecision, now: datetime
) -> None:
    known = AdminQuestion(id="u7mq2", about=Purchase(machines=(machine,)), found_at=now, asked_at=now)
    decided = changed(known, decided=Decided(decision=decision, by="U0BEN", at=now, reason=words), over_at=now)
    event = Event(id=1, rental_id=None, kind=EventKind.UNMANAGED_MACHINE, at=now)
    times, spent = Times(now=now, zone="UTC"), AccruedCost(amount=1, estimated=False)
    view = AdminQuestionView(
        question=known,
        readopted_for=timedelta(hours=24),
        spent={known.id: spent},
        names={"U0BEN": words},
        paused=True,
    )
    for question in (known, decided):
        assert_valid(
            admin_questions.admin_question(QuestionContext(event, changed(view, question=question), times))
        )
        for write in (admin_questions.admin_question, backups.machines_bought_after_backup):
            later = write is backups.machines_bought_after_backup
            whole = changed(known, about=Purchases(count=1, bought_after_backup=later))
            together = changed(view, question=whole, parts=(question,))
            assert_valid(write(QuestionContext(event, together, times)))
    for dialog in (
        admin_questions.give_owner(view, rules=RULES),
        admin_questions.not_ours(view),
        admin_questions.destroy(view),
    ):
        assert_view_is_valid(dialog.view)


@given(words=some.text, lines=st.lists(some.text, max_size=3), key=some.keys, other=st.none() | some.rental_id)
def test_short_replies_are_valid(words: str, lines: list[str], key: Key, other: str | None) -> None:
    for problem in (
        Mistake(words),
        RequestMistake(words, *(Line(line, line) for line in lines)),
        NeedsKey(github=True),
        Refused(words),
        TooLate(words, other),
        TooLate(words, words),
        RequestChanged(words, other),
        Outage(words),
        AlreadyDecided(words, Decision.DENIED, name=words, own=False, ago=timedelta(seconds=2)),
        OwnerOnly(words, words),
    ):
        assert_valid(replies.error(problem))
    assert_valid(keys.listing([key] * 30, keys.removed_text(key), github=True))
    assert_valid(replies.reply(keys.saved_text([key] * 3, [key])))
    found = GithubKeys(name="ana-dev", shown=(key,), known=frozenset(), room=1, not_accepted=2, not_shown=3)
    assert_valid(github_keys.choice(found))
    assert_view_is_valid(choose(found).view)
    assert_valid(replies.bug(words))


@given(note=some.text)
def test_a_note_cannot_forge_a_line(note: str) -> None:
    now = clock(14, 5)

    def lines(wanted: Request) -> int:
        details = waiting(request=wanted)
        rendered = outbox(MessageKind.APPROVAL, details, now, details.events[0])
        assert rendered is not None
        return len(rendered.text.splitlines())

    assert lines(request(count=8, note=note)) == lines(request(count=8, note="plain"))


def test_a_full_list_stays_within_the_limits_and_counts_the_rest() -> None:
    live = listed(*[waiting()] * lists.ROWS, more=385)
    rendered = lists.listing(live, everyone=True, reader=reading(clock(14, 6)))
    assert_valid(rendered)
    for text in (rendered.text, rendered.blocks[-1]["elements"][0]["text"]):
        assert "385 more rentals aren't shown." in text


def test_a_distant_date_is_rendered() -> None:
    expires_at = clock(22, 5) + timedelta(days=20_000)
    details = waiting(decision=PendingDecision(decider=Decider.APPROVER, expires_at=expires_at))
    assert_valid(card(details, reading(clock(14, 5))))

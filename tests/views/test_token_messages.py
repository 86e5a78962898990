"""Messages and dialogs about API tokens: forms, lists, the message to the approvers, and alerts to the owner."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from textwrap import fill
from typing import Any

from hypothesis import given
from inline_snapshot import snapshot
from pydantic import SecretStr

from bot.lifecycle.actions.ending import ToDestroy
from bot.lifecycle.actions.tokens import TermsToDecide, TokenChanged, TokenMade, ToStop
from bot.model.base import changed
from bot.model.budget import Balance, Demand, Scope, ScopeKind
from bot.model.event import Event, EventKind
from bot.model.login import Login
from bot.model.message import MessageKind
from bot.model.person import Person
from bot.model.rental import GracefulDestroy
from bot.model.state import State
from bot.model.summary import Over, PeopleAsked
from bot.model.token import (
    Access,
    BeyondTerms,
    DecidedTerms,
    RequestedTerms,
    Token,
    TokenEnd,
    TokenState,
    TokenSummary,
    TokenTerms,
    TokenUse,
    WhenLost,
)
from bot.policy.team.rules import Always, Approval, Project
from handlers.actions.token_form import changed_text, form_dialog, last_step, proposed_terms
from handlers.actions.tokens import approve_dialog, deny_dialog, stop_dialog
from handlers.messages.tokens import TokenContext, approval, home_line, listing, stopped_text
from handlers.phrases.blocks import Rendered
from handlers.phrases.format import JOINER
from tests.events import facts_for
from tests.slack_limits import problems_of_message, problems_of_view
from tests.views.screens import dialog, message, outbox, page, read
from tests.views.stories import ANA, BEN, NAMES, RULES, H, M, clock, lease, reading, rental
from tests.views.strategies import text as hostile
from tests.views.test_lists import CATALOG

K = EventKind
NOW = clock(10, 5)
ID = "n8f3mz2kq7wx"
SECRET = "gpb_" + "9fK2" * 11
TERMS = TokenTerms(
    access=Access.RENT,
    project="vision",
    models=("H100", "L40S"),
    per_hour=Decimal(5),
    total=200_000_000,
    at_once=2,
    per_day=6,
    longest=4 * H,
    until=datetime(2026, 12, 15, tzinfo=NOW.tzinfo),
)
LOOKS = TokenTerms(access=Access.LOOK, until=TERMS.until)
ASKED = RequestedTerms(terms=TERMS, version=1, asked_at=NOW, expires_at=clock(10, 5, day=25))
LONGEST_ADDRESS = "2001:0db8:85a3:0000:0000:8a2e:0370:7334"
LOGIN = Login(
    id="Jx0kQ7wxn8f3mz2kQ7wxn8f3mz2kQ7wxn8f3mz2kQ7w",
    code="KTRWXQMB",
    public_key="A" * 43 + "=",
    program="gpubot",
    host="build-7",
    address="203.0.113.9",
    created_at=NOW - timedelta(seconds=40),
    expires_at=NOW + 10 * M,
)
USE = TokenUse(spent=17_700_000, per_hour=Decimal("2.08"), live=("m3xt8",), begun=(NOW - H,))
WITH_PROJECT = changed(RULES, projects={"vision": Project(budget=Decimal(2000))})


def token(**changes: Any) -> Token:
    """Return Ana's token `nightly eval`, which was made now and works."""
    live = Token(
        id=ID,
        owner=ANA,
        name="nightly eval",
        state=TokenState.LIVE,
        terms=TERMS,
        secret_hash="0" * 64,
        created_at=NOW,
    )
    return changed(live, **changes)


def waiting(**changes: Any) -> Token:
    """Return the same token while its first terms wait for an approver."""
    return token(**{"state": TokenState.ASKED, "terms": None, "requested": ASKED, **changes})


def summary(of: Token, use: TokenUse = USE) -> TokenSummary:
    return TokenSummary(token=of, use=use, owner_name="Ana")


def asking(
    of: Token, version: int = 1, *, pings: str = "", budget: Demand | None = None, now: datetime = NOW
) -> Rendered:
    context = TokenContext(
        of, version, NAMES, reading(now), expires_at=ASKED.expires_at, budget=budget, pings=pings
    )
    return approval(context)


# --- the form


def test_the_form_proposes_terms_that_need_no_approver() -> None:
    person = Person(id=ANA, name="Ana", tz="Europe/Berlin")
    terms = proposed_terms(person, "C0TRAIN", WITH_PROJECT, NOW)
    reader = reading(NOW, ANA, zone="Europe/Berlin", rules=WITH_PROJECT)
    form = form_dialog(CATALOG, reader, ID, terms, projects=("vision",))
    assert dialog(form, NOW) == snapshot("""\
== New token ==
A token lets a program rent for you without a click, within these terms. You pay for its machines,
      and you get their messages.
Name: ()
Project: (No project) | vision
The program may: (Rent machines) | Only look at offers and at your machines
GPUs: H100 | A100
Most dollars an hour, for all its machines: (10.00)
Most dollars in all: (100.00)
Machines at once: (2)
Machines a day: (6)
Longest lease: (4h)
Last day: (2026-12-01)
Requests beyond these terms: (Refuse them) | Ask an approver
If its heartbeat is lost: (It sends no heartbeats) | Tell me | End the machine, unless its GPUs are
      working | End the machine, even if its GPUs are working
[Make token] [Go back]\
""")
    assert not problems_of_view(form.view)


def test_the_form_for_a_change_shows_the_present_terms() -> None:
    terms = changed(TERMS, beyond=BeyondTerms.ASK, lost=WhenLost.END, models=("H100", "gone-gpu"))
    form = form_dialog(CATALOG, reading(NOW, ANA), ID, terms, projects=(), name="nightly *eval*")
    assert dialog(form, NOW) == snapshot("""\
== Change token ==
*nightly *eval**: terms that allow less apply at once. If terms that allow more need approval, the
      present terms stay in force until somebody decides.
Project: No project | (vision)
The program may: (Rent machines) | Only look at offers and at your machines
GPUs: (H100) | (GONE GPU) | A100
Most dollars an hour, for all its machines: (5.00)
Most dollars in all: (200.00)
Machines at once: (2)
Machines a day: (6)
Longest lease: (4h)
Last day: (2026-12-14)
Requests beyond these terms: Refuse them | (Ask an approver)
If its heartbeat is lost: It sends no heartbeats | Tell me | (End the machine, unless its GPUs are
      working) | End the machine, even if its GPUs are working
[Change] [Go back]\
""")
    assert not problems_of_view(form.view)


def test_without_the_catalog_the_gpus_are_typed() -> None:
    form = form_dialog(None, reading(NOW, ANA), ID, TERMS)
    assert "GPUs: (H100, L40S)" in dialog(form, NOW)


def test_the_last_step_shows_the_secret_and_what_it_can_do() -> None:
    asked = PeopleAsked(names=("Ben",))
    made = (
        TokenMade(waiting(), SecretStr(SECRET), (Over.TOTAL,), asked),
        TokenMade(token(), SecretStr(SECRET), (), None),
        TokenMade(token(terms=LOOKS), SecretStr(SECRET), (), None),
    )
    assert page(*(dialog(last_step(one, RULES), NOW) for one in made)) == snapshot("""\

== nightly eval ==
```gpb_9fK29fK29fK29fK29fK29fK29fK29fK29fK29fK29fK2```
You see this secret only once. Anyone who has it can spend up to $200.00 in your name, so keep it
      out of messages and code.
It won't work until an approver agrees, because $200.00 is over the limit of $100.00. I've asked Ben
      for approval.
[Close]

== nightly eval ==
```gpb_9fK29fK29fK29fK29fK29fK29fK29fK29fK29fK29fK2```
You see this secret only once. Anyone who has it can spend up to $200.00 in your name, so keep it
      out of messages and code.
[Close]

== nightly eval ==
```gpb_9fK29fK29fK29fK29fK29fK29fK29fK29fK29fK29fK2```
You see this secret only once. Anyone who has it can see offers and your machines, so keep it out of
      messages and code.
[Close]
""")


def test_the_form_of_a_login_begins_with_who_asked() -> None:
    form = form_dialog(CATALOG, reading(NOW, ANA), ID, TERMS, login=LOGIN)
    assert dialog(form, NOW).splitlines()[1:5] == snapshot(
        [
            "! gpubot on build-7 (203.0.113.9) asked for a token 40 s ago. Continue only if you started it.",
            "A token lets a program rent for you without a click, within these terms. You pay for its machines,",
            "      and you get their messages.",
            "Name: ()",
        ]
    )
    assert form.view["blocks"][0]["type"] == "alert"
    assert LOGIN.id not in str(form.view)
    assert not problems_of_view(form.view)


def test_the_last_step_of_a_login_shows_no_secret() -> None:
    asked = PeopleAsked(names=("Ben",))
    made = (
        TokenMade(waiting(), None, (Over.TOTAL,), asked, LOGIN),
        TokenMade(token(), None, (), None, LOGIN),
        TokenMade(token(terms=LOOKS), None, (), None, LOGIN),
    )
    assert page(*(dialog(last_step(one, RULES), NOW) for one in made)) == snapshot("""\

== nightly eval ==
gpubot on build-7 can now fetch its token, and spend up to $200.00 in your name. Nobody else can
      read the secret, which was never in Slack. If the program has stopped waiting, nobody can use
      the token, so stop it: /gpu token list
It won't work until an approver agrees, because $200.00 is over the limit of $100.00. I've asked Ben
      for approval.
[Close]

== nightly eval ==
gpubot on build-7 can now fetch its token, and spend up to $200.00 in your name. Nobody else can
      read the secret, which was never in Slack. If the program has stopped waiting, nobody can use
      the token, so stop it: /gpu token list
[Close]

== nightly eval ==
gpubot on build-7 can now fetch its token, and see offers and your machines. Nobody else can read
      the secret, which was never in Slack. If the program has stopped waiting, nobody can use the
      token, so stop it: /gpu token list
[Close]
""")


def test_a_change_says_which_terms_are_in_force() -> None:
    more = changed(TERMS, total=300_000_000)
    requested = changed(ASKED, terms=more, version=2)
    asked = TokenChanged(token(requested=requested), (Over.TOTAL,), PeopleAsked(names=("Ben",)))
    never = TokenChanged(waiting(), (Over.TOTAL,), PeopleAsked(names=("Ben",)))
    answers = [changed_text(one, reading(NOW, ANA)) for one in (TokenChanged(token(), (), None), asked, never)]
    answers.append(changed_text(TokenChanged(token(terms=LOOKS), (), None), reading(NOW, ANA)))
    assert page(*(fill(read(answer, NOW), 100) for answer in answers)) == snapshot("""\

Changed: nightly eval can rent H100 or L40S until Dec 14 for up to $5.00/h and $200.00 in all: 2 at
once, 6 a day, 4 h each.

The new terms of nightly eval need approval, because $300.00 is over the limit of $100.00. I've
asked Ben for approval. Until somebody decides, the present terms apply, and the token can rent H100
or L40S until Dec 14 for up to $5.00/h and $200.00 in all: 2 at once, 6 a day, 4 h each.

The new terms of nightly eval need approval, because $200.00 is over the limit of $100.00. I've
asked Ben for approval. It won't work until somebody approves them.

Changed: nightly eval can look at offers and machines until Dec 14, but not rent.
""")


# --- lists


def test_the_list_says_how_much_each_token_has_used() -> None:
    used = token(last_used_at=NOW - 12 * M, refusal="8x H100 costs at least $18.40/h.")
    more = changed(ASKED, terms=changed(TERMS, total=300_000_000), version=2)
    tokens = [
        summary(used),
        summary(token(requested=more), TokenUse()),
        summary(waiting(), TokenUse()),
        summary(token(terms=LOOKS, last_used_at=NOW - 3 * H), TokenUse()),
    ]
    assert message(listing(tokens, reading(NOW, ANA)), NOW) == snapshot("""\
nightly eval: last used 12 min ago, $17.70 of $200.00 used, 1 machine, last day Dec 14.
  Its last request was refused: "8x H100 costs at least $18.40/h."
[Change] [Stop this token]
nightly eval: not used yet, $0.00 of $200.00 used, last day Dec 14. A request for up to $5.00/h and
      $300.00 in all waits for an approver, and expires tomorrow at 10:05.
[Change] [Stop this token]
nightly eval: not approved yet. A request for up to $5.00/h and $200.00 in all waits for an
      approver, and expires tomorrow at 10:05.
[Change] [Stop this token]
nightly eval: last used 3 h ago, can only look, last day Dec 14.
[Change] [Stop this token]
[New token]\
""")
    assert [read(home_line(one), NOW) for one in tokens] == snapshot(
        [
            "nightly eval: last used 12 min ago, $182.30 of $200.00 left",
            "nightly eval: not used yet, $200.00 of $200.00 left, new terms wait for an approver",
            "nightly eval: waits for an approver",
            "nightly eval: last used 3 h ago, can only look",
        ]
    )


def test_approvers_see_whose_token_it_is_and_can_only_stop_it() -> None:
    listed = listing([summary(token())], reading(NOW, BEN), everyone=True)
    assert message(listed, NOW) == snapshot("""\
nightly eval (Ana): not used yet, $17.70 of $200.00 used, 1 machine, last day Dec 14.
[Stop this token]\
""")


def test_a_person_without_tokens_reads_what_they_are_for() -> None:
    assert message(listing([], reading(NOW, ANA)), NOW) == snapshot("""\
You have no tokens. With a token, a program can rent machines without a click, within terms that you
      set.
[New token]\
""")


def test_a_list_of_many_tokens_fits_into_a_message() -> None:
    many = [summary(token(id=f"t{n}", name=f"eval {n}", refusal="no" * 100)) for n in range(40)]
    shown = listing(many, reading(NOW, ANA))
    assert not problems_of_message(shown.text, shown.blocks)
    assert "30 more tokens are not shown." in shown.text


# --- the approvers


def test_approvers_are_asked_about_the_terms_of_a_token() -> None:
    scope = Scope(kind=ScopeKind.PROJECT, name="vision")
    budget = Demand(balance=Balance(scope=scope, month="2026-11", spent=789_600_000), budget=2_000_000_000, more=0)
    always = changed(RULES, approval=Approval(always=Always(models=("H100",))))
    loosened = token(requested=changed(ASKED, version=2, terms=changed(TERMS, project="unassigned")))
    assert page(
        message(asking(waiting(), pings="<@U0BEN>", budget=budget), NOW),
        message(asking(loosened, 2), NOW),
        message(approval(TokenContext(waiting(), 1, NAMES, reading(NOW, rules=always))), NOW),
    ) == snapshot("""\

(fallback) It can cost up to $5.00/h and $200.00 in all. Machines: 2 at once, 6 a day, 4 h each.
      vision has $1,210.40 left in November. Last day: Dec 14.
# Approve a token for up to $200.00?
Ana wants *nightly eval* to rent H100 or L40S for vision by itself. <@U0BEN>
| Price: up to $5.00/h
| Machines: 2 at once, 6 a day, 4 h each
| Budget: vision has $1,210.40 left in November
| Last day: Dec 14
  over the limit of $100.00 · beyond these terms, requests are refused · expires tomorrow at 10:05
[Approve up to $200.00] [Deny]

(fallback) It can cost up to $5.00/h and $200.00 in all. Machines: 2 at once, 6 a day, 4 h each.
      Last day: Dec 14.
# Approve new terms of up to $200.00?
Ana wants *nightly eval* to rent H100 or L40S by itself. Until somebody decides, the present terms
      apply, and the token can rent H100 or L40S until Dec 14 for up to $5.00/h and $200.00 in all:
      2 at once, 6 a day, 4 h each.
| Price: up to $5.00/h
| Machines: 2 at once, 6 a day, 4 h each
| Last day: Dec 14
  over the limit of $100.00 · beyond these terms, requests are refused · expires tomorrow at 10:05
[Approve up to $200.00] [Deny]

(fallback) It can cost up to $5.00/h and $200.00 in all. Machines: 2 at once, 6 a day, 4 h each.
      Last day: Dec 14.
# Approve a token for up to $200.00?
Ana wants *nightly eval* to rent H100 or L40S for vision by itself.
| Price: up to $5.00/h
| Machines: 2 at once, 6 a day, 4 h each
| Last day: Dec 14
  over the limit of $100.00 · requests for H100 always need approval · beyond these terms, requests
      are refused · expires tomorrow at 10:05
[Approve up to $200.00] [Deny]
""")


def test_after_a_decision_the_question_shows_the_decision() -> None:
    approved = DecidedTerms(version=1, approved=True, by=BEN, at=clock(10, 20))
    denied = changed(approved, approved=False, reason="use the queue")
    expired = changed(denied, by=None, reason="", at=ASKED.expires_at)
    withdrawn = changed(expired, at=clock(10, 30))
    over = {"state": TokenState.STOPPED, "requested": None, "over_at": clock(10, 30), "over_by": BEN}
    states = (
        token(decided=approved),
        waiting(state=TokenState.DENIED, requested=None, decided=denied),
        waiting(state=TokenState.EXPIRED, requested=None, decided=expired),
        token(decided=withdrawn),
        waiting(**over, decided=withdrawn),
        token(requested=changed(ASKED, version=2), decided=withdrawn),
    )
    shown = [asking(each, now=clock(12, 0, day=25)) for each in states]
    assert page(*(message(each, clock(12, 0, day=25)) for each in shown)) == snapshot("""\

Ben approved nightly eval (Ana) yesterday at 10:20: up to $5.00/h and $200.00 in all.

Ben declined nightly eval (Ana) yesterday at 10:20: "use the queue".

The request for nightly eval (Ana) expired at 10:05 without a decision.

The request for nightly eval (Ana) was withdrawn yesterday at 10:30.

nightly eval (Ana) was stopped by Ben yesterday at 10:30, before anybody decided.

Ana changed the request for nightly eval (Ana). A newer message shows the new request.
""")
    assert all(each.closed for each in shown)


def test_approvers_confirm_the_total_or_give_a_reason() -> None:
    plan = TermsToDecide(waiting(), ASKED, Person(id=ANA, name="Ana"))
    dialogs = approve_dialog(plan, reading(NOW)), deny_dialog(plan)
    assert page(*(dialog(each, NOW) for each in dialogs)) == snapshot("""\

== Approve nightly eval? ==
! Its machines can cost up to $200.00 in all, and nobody is asked about each of them.
Ana wants *nightly eval* to rent H100 or L40S for vision by itself, for up to $5.00/h and $200.00 in
      all: 2 at once, 6 a day, 4 h each. $200.00 is over the limit of $100.00.
[Approve up to $200.00] [Go back]

== Deny nightly eval? ==
Ana wants *nightly eval* to rent H100 or L40S for vision by itself, for up to $5.00/h and $200.00 in
      all: 2 at once, 6 a day, 4 h each.
Why: ()
[Deny] [Go back]
""")


# --- stopping


def test_the_stop_dialog_names_the_machines_that_end() -> None:
    first = rental(State.READY, id="m3xt8", rate=Decimal("2.08"), lease=lease(clock(14, 0)))
    second = changed(first, id="c9rwk")
    searching = rental(State.AWAITING_APPROVAL, id="p4wd9")
    plans = (
        ToStop(token(), "Ana", (ToDestroy(first, NOW + 10 * M), ToDestroy(second, None)), 10 * M),
        ToStop(token(), "Ana", (ToDestroy(first, None), ToDestroy(searching, None)), None),
        ToStop(token(), "Ana", (), None),
        ToStop(token(state=TokenState.EXPIRED), "Ana", (ToDestroy(first, None),), None),
    )
    dialogs = [stop_dialog(plan) for plan in plans]
    assert page(*(dialog(each, NOW) for each in dialogs)) == snapshot("""\

== Stop nightly eval? ==
! Everything on the disks of m3xt8 and c9rwk will be deleted.
The token stops working at once and for good.
Its 2 machines end ($4.16/h).
Before the machines are destroyed: [x] Run /root/on-ending.sh first, for up to 10 min
[Stop nightly eval] [Go back]

== Stop nightly eval? ==
! Everything on the disk of m3xt8 will be deleted.
The token stops working at once and for good.
Its machine ends ($2.08/h). 1 waiting request is withdrawn.
[Stop nightly eval] [Go back]

== Stop nightly eval? ==
The token stops working at once and for good.
[Stop nightly eval] [Go back]

== Stop nightly eval? ==
! Everything on the disk of m3xt8 will be deleted.
Its machine ends ($2.08/h).
[Stop nightly eval] [Go back]
""")
    assert not [problem for each in dialogs for problem in problems_of_view(each.view)]


def test_the_reply_after_a_stop_says_what_becomes_of_the_machines() -> None:
    destroying = rental(State.DESTROYING, id="m3xt8")
    graceful = GracefulDestroy(by=ANA, ends_at=clock(14, 0))
    waits = rental(State.READY, id="c9rwk", lease=changed(lease(clock(10, 15)), graceful_destroy=graceful))
    withdrawn = rental(State.WITHDRAWN, id="p4wd9")
    texts = [
        stopped_text(token(), rentals, reading(NOW).times)
        for rentals in ((), (destroying, withdrawn), (destroying, waits))
    ]
    assert page(*(fill(read(text, NOW), 100) for text in texts)) == snapshot("""\

You stopped nightly eval. It no longer works.

You stopped nightly eval. It no longer works. 1x H100 (m3xt8) is being destroyed.

You stopped nightly eval. It no longer works. 1x H100 (m3xt8) is being destroyed. 1x H100 (c9rwk)
ends when its script /root/on-ending.sh is done, at 10:15 at the latest.
""")


# --- alerts to the owner


def alerted(kind: EventKind, actor: str | None = None, **facts: Any) -> str:
    about = facts_for(kind, token_id=ID, name="nightly eval", owner=ANA, **facts)
    event = Event(rental_id=None, kind=kind, at=NOW, actor=actor, facts=about)
    return message(outbox(MessageKind.ALERT, None, NOW, event), NOW)


def test_the_owner_is_told_what_happens_to_a_token() -> None:
    assert page(
        alerted(K.TOKEN_APPROVED, BEN, total=200_000_000),
        alerted(K.TOKEN_DENIED, BEN, detail="use the queue"),
        alerted(K.TOKEN_DENIED, BEN, still_works=True),
        alerted(K.TOKEN_EXPIRED, why=TokenEnd.LAST_DAY),
        alerted(K.TOKEN_EXPIRED, why=TokenEnd.UNDECIDED),
        alerted(K.TOKEN_EXPIRED, why=TokenEnd.UNDECIDED, still_works=True),
        alerted(K.TOKEN_STOPPED, BEN, rentals=("m3xt8", "c9rwk")),
        alerted(K.TOKEN_STOPPED, BEN),
        alerted(K.TOKEN_CROWDED, count=50, rentals=("m3xt8", "c9rwk")),
        alerted(K.TOKEN_CROWDED),
    ) == snapshot("""\

Ben approved your token nightly eval for up to $200.00. You can use it now.

Ben declined your token nightly eval: "use the queue". Its secret will never work.
[New token]

Ben declined the new terms of your token nightly eval. Its present terms stay in force.

Your token nightly eval has expired, because its last day is over. Machines that were rented with it
      keep running until their leases end.
[New token]

Your token nightly eval has expired, because nobody approved it in time.
[New token]

Nobody decided about the new terms of your token nightly eval in time. Its present terms stay in
      force.

Ben stopped your token nightly eval at 10:05. m3xt8 and c9rwk end with it.

Ben stopped your token nightly eval at 10:05.

Your token nightly eval asked for 50 machines in a minute. It has 2, as many as its terms allow; the
      other requests were refused.
[Stop this token]

Your token nightly eval asked for more machines than its terms allow. The other requests were
      refused.
[Stop this token]
""")


# --- names from people


@given(name=hostile)
def test_names_of_a_program_never_cut_the_warning_or_become_markup(name: str) -> None:
    login = changed(LOGIN, program=name, host=name, address=LONGEST_ADDRESS, created_at=NOW)
    form = form_dialog(CATALOG, reading(NOW, ANA), ID, TERMS, login=login)
    warning = form.view["blocks"][0]["text"]["text"]
    assert warning.endswith(" asked for a token a moment ago. Continue only if you started it.")
    assert LONGEST_ADDRESS in warning.replace(JOINER, "")
    assert not {"<", ">", "`"} & set(warning)
    views = (form, last_step(TokenMade(token(), None, (), None, login), RULES))
    assert [problem for each in views for problem in problems_of_view(each.view)] == []


@given(name=hostile)
def test_a_name_with_markup_stays_within_slacks_limits(name: str) -> None:
    named = waiting(name=name)
    plan = TermsToDecide(named, ASKED, Person(id=ANA, name=name))
    views = (
        stop_dialog(ToStop(named, name, (), None)),
        approve_dialog(plan, reading(NOW)),
        deny_dialog(plan),
        last_step(TokenMade(named, SecretStr(SECRET), (), None), RULES),
        form_dialog(CATALOG, reading(NOW, ANA), ID, TERMS, name=name),
    )
    messages = (asking(named), asking(token(name=name)), listing([summary(named)], reading(NOW, ANA)))
    assert [problem for each in views for problem in problems_of_view(each.view)] == []
    assert [problem for each in messages for problem in problems_of_message(each.text, each.blocks)] == []

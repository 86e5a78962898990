"""The Home tab: its texts, and Slack's limits for any content."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.lifecycle.actions.home import ROWS
from bot.lifecycle.actions.queries import MOST_TO_DECIDE
from bot.model.base import changed
from bot.model.budget import TEAM, Balance, Demand, Scope, ScopeKind
from bot.model.message import to_person
from bot.model.person import Key
from bot.model.quote import Quote, QuoteState, WaitlistEntry
from bot.model.summary import HomeView, RentalDetails, RentalSummary, TeamMonth, WaitingView
from handlers.messages.home import KEYS, TEAM_BUDGETS, home_tab
from handlers.phrases.blocks import Rendered
from handlers.phrases.classic import new_types
from tests.slack_limits import buttons, problems_of_view, text_objects, unescaped_markup
from tests.views import strategies as some
from tests.views.screens import read
from tests.views.stories import ANA, BEN, clock, listed, reading, ready, request, waiting
from tests.views.test_limits import assert_button_is_whole
from tests.views.test_token_messages import summary, token
from tests.views.test_token_messages import waiting as requested_terms

NOON = clock(12, 40)
KEY = Key(line="ssh-ed25519 AAAA", comment="you@laptop", fingerprint=f"SHA256:{'A' * 43}")


def home_of(*shown: RentalDetails, **fields: Any) -> HomeView:
    return HomeView(
        **{
            "live": listed(*shown),
            "page": 0,
            "waits": (),
            "month": "2026-11",
            "spent": 212_400_000,
            "budgets": (),
            "keys": (KEY,),
            **fields,
        }
    )


def shown(tab: Rendered, now: datetime) -> list[str]:
    """Return the lines of a Home tab, with each row of buttons as the line that a screen reader reads."""
    lines = []
    for block in tab.blocks:
        words = [read(text["text"], now) for text in text_objects(block) if text["type"] == "mrkdwn"]
        labels = [one.get("accessibility_label", one["text"]["text"]) for one in buttons(block)]
        lines.append("  ".join([*words, *(f"[{label}]" for label in labels)]))
    return lines


def test_home_shows_requests_machines_budgets_and_the_team() -> None:
    vision = Scope(kind=ScopeKind.PROJECT, name="vision")
    left = Demand(
        balance=Balance(scope=vision, month="2026-11", spent=1_789_600_000), budget=3_000_000_000, more=0
    )
    quote = Quote(
        id="q1",
        owner=ANA,
        request=request(),
        asked_in="D1",
        reply_to=to_person(ANA),
        state=QuoteState.FOUND,
        created_at=NOON,
        waitlist_entry=WaitlistEntry(until=clock(18, 0, day=27)),
    )
    live = changed(listed(ready(), team="9.20"), to_decide=(waiting(),), more=3, idle=1)
    view = home_tab(
        home_of(
            live=live,
            page=1,
            budgets=(left,),
            waits=(WaitingView(quote=quote),),
            tokens=(summary(token(last_used_at=clock(12, 28))),),
            tokens_to_decide=(summary(requested_terms()),),
        ),
        reading(NOON, ANA),
    )
    assert shown(view, NOON) == [
        "*Rent GPUs for as long as you need them.* You'll see live prices first. Only a click rents.",
        "[Get GPUs]",
        "*Waiting for you*",
        "Approve up to $137.54? 8x H100 (p4wd9) in EU for Ana. The request expires at 22:05.",
        "[Approve up to $137.54, p4wd9, 8x H100 in EU]  [Approve fewer hours, p4wd9, 8x H100 in EU]"
        "  [Deny, p4wd9, 8x H100 in EU]",
        "Approve a token for up to $200.00? Ana wants *nightly eval* to rent H100 or L40S for vision by itself, "
        "at up to $5.00/h: 2 at once, 6 a day, 4 h each. The request expires tomorrow at 10:05.",
        "[Approve up to $200.00, token nightly eval]  [Deny, token nightly eval]",
        "*Your machines*  As of 12:40.",
        "Ready: 1x H100 (k7mq2) in EU. It ends at 18:40. $2.42/h, $4.96 so far.",
        "[Extend 2 h, about $4.84, k7mq2, 1x H100 in EU]  [Destroy k7mq2, 1x H100 in EU]"
        "  [Details, k7mq2, 1x H100 in EU]",
        "[Previous page]  [Next page, 3 more]",
        "*Your waitlist*",
        "You're on the waitlist for 1x H100 in EU until Nov 27 at 18:00.  [Stop waiting, 1x H100 in EU]",
        "*Your tokens*",
        "nightly eval: last used 12 min ago, $182.30 of $200.00 left  [Stop this token, nightly eval]",
        "*Money*  November: you've spent $212.40; vision has $1,210.40 left "
        "($1,789.60 spent, $0.00 reserved for running machines). Details: /gpu spend",
        "*SSH keys*  [Add SSH key]",
        '"you@laptop" `SHA256:AAAAAAAAAA…` is the default and always works.  '
        "[Remove, key you@laptop, SHA256:AAAAAA]",
        "*Team*  1 machine, $9.20/h, 1 idle.  [Show all]",
        "In a channel, or in Messages here:\n/gpu get H100 EU shows offers\n"
        "/gpu list shows your rentals\n/gpu help shows all commands",
    ]


def test_an_approvers_home_shows_the_teams_spending_and_budgets() -> None:
    team = Demand(balance=Balance(scope=TEAM, month="2026-11", spent=3_900_000_000), budget=9_000_000_000, more=0)
    vision = Balance(
        scope=Scope(kind=ScopeKind.PROJECT, name="vision"), month="2026-11", spent=22_000_000, reserved=57_030_000
    )
    month = TeamMonth(
        spent=4_310_110_000, budgets=(Demand(balance=vision, budget=110_000_000, more=0), *[team] * TEAM_BUDGETS)
    )
    said = shown(home_tab(home_of(team_month=month), reading(NOON, BEN)), NOON)
    at = said.index("*Team*  Nobody has a machine right now. November so far: $4,310.11.  [Show all]")
    budgets = said[at + 1].splitlines()
    assert budgets[:3] == [
        "*Budgets*",
        "vision: $30.97 of $110.00 left ($22.00 spent, $57.03 reserved for running machines)",
        "The team: $5,100.00 of $9,000.00 left ($3,900.00 spent, $0.00 reserved for running machines)",
    ]
    assert len(budgets) == 1 + TEAM_BUDGETS
    assert said[at + 2] == "1 more budget: /gpu spend project NAME"


def test_home_explains_the_next_step_to_new_and_unauthorized_people() -> None:
    said = shown(home_tab(home_of(keys=()), reading(NOON, ANA)), NOON)
    assert "*Your machines*  You have none right now." in said
    assert said[1] == "[Get GPUs]"
    none = home_tab(None, reading(NOON, ANA))
    assert list(buttons(none.blocks)) == []
    assert problems_of_view({"type": "home", "blocks": none.blocks}) == []


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    rentals=st.lists(some.summaries, max_size=3),
    count=st.sampled_from([0, 1, 60, 1000]),
    page=st.integers(0, 3),
    to_decide=st.lists(some.summaries_to_decide, max_size=MOST_TO_DECIDE),
    quotes=st.lists(some.quotes, max_size=2),
    keys=st.lists(some.keys, max_size=2),
    project=some.text,
    money=some.amount,
    now=some.moment,
)
def test_home_is_valid_with_any_names_notes_and_projects(
    *,
    rentals: list[RentalSummary],
    count: int,
    page: int,
    to_decide: list[RentalSummary],
    quotes: list[Quote],
    keys: list[Key],
    project: str,
    money: int,
    now: datetime,
) -> None:
    listed_now = (rentals * ROWS)[: min(count, ROWS)]
    waitlist_entry = WaitlistEntry(until=now + timedelta(days=1))
    balance = Balance(scope=Scope(kind=ScopeKind.PROJECT, name=project), month="2026-11", spent=money)
    view = home_of(
        live=changed(
            listed(*listed_now, more=max(count - ROWS, 0)),
            to_decide=tuple(to_decide),
            more_to_decide=count,
        ),
        page=page,
        waits=tuple(WaitingView(quote=changed(quote, waitlist_entry=waitlist_entry)) for quote in quotes * 3),
        spent=money,
        budgets=(Demand(balance=balance, budget=money, more=0),) * 9,
        team_month=TeamMonth(spent=money, budgets=(Demand(balance=balance, budget=money, more=0),) * 9),
        keys=tuple(keys * KEYS),
    )
    tab = home_tab(view, reading(now, "U0ANA"))
    assert new_types(tab.blocks) == set(), "no Home tab is sent again in classic blocks"
    assert problems_of_view({"type": "home", "blocks": tab.blocks}) == []
    texts = [text["text"] for text in text_objects(tab.blocks) if text["type"] == "mrkdwn"]
    assert all(unescaped_markup(text) == [] for text in texts)
    for one in listed_now:
        assert any(one.rental.id in text for text in texts)
    for button in buttons(tab.blocks):
        assert_button_is_whole(button)

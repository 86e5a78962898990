"""`/gpu spend` as people see it: the summary, the table, the chart, and the permissions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from textwrap import fill
from typing import Any

import pytest
from inline_snapshot import snapshot

from bot.errors import Mistake
from bot.lifecycle.money.spend import notify_unusual_day
from bot.model.attempt import AttemptState
from bot.model.base import changed
from bot.model.budget import TEAM, Charge, Scope, ScopeKind
from bot.model.rental import Ending
from bot.model.spend import RowsOf
from bot.model.state import State
from bot.operator.commands import carry_out
from bot.operator.protocol import Command, Kind
from bot.policy.buying.months import month_of
from bot.policy.team.rules import Access, Budgets, Finance, Project
from handlers.ids import Action, SpendRowsValue
from sandbox.slack.default import ANA, APPROVALS, BEN, CLEO, GUS, TRAINING
from tests.handlers.rental_states import asked, question
from tests.handlers.team import EVE, NOON, RULES, Json, Team, team
from tests.store import make

H, DAY, DOLLAR = timedelta(hours=1), timedelta(days=1), 1_000_000
OURS = changed(
    RULES,
    projects={"vision": Project(budget=Decimal("3000.00")), "speech": Project()},
    budgets=Budgets(team=Decimal("9000.00"), person=Decimal("500.00")),
    finance=Finance(people=(GUS,)),
)


@pytest.fixture
async def ours(tmp_path: Path) -> AsyncIterator[Team]:
    async with team(tmp_path, rules=OURS) as found:
        await found.add_eve_and_gus()
        yield found


async def billed(ours: Team, rental_id: str, owner: str, start: datetime, hours: int, **fields: Any) -> Charge:
    """Store a rental that has ended, with one charge of $10.00 per hour."""
    amount = 10 * DOLLAR * hours
    end = start + hours * H
    ended = changed(
        make.rental(rental_id, owner=owner, state=State.DESTROYED),
        ending=Ending(outcome=State.DESTROYED, since=end),
        over_at=end,
        due_at=None,
        project=fields.get("project", "vision"),
    )
    resource_id = f"res-{rental_id}"
    row = make.ledger_row(resource_id, rental_id, owner=owner, started_at=start, ended_at=end, amount=amount)
    given = {
        "resource_id": resource_id,
        "n": 1,
        "started_at": start,
        "ended_at": end,
        "rental_id": rental_id,
        "month": month_of(start, OURS.billing_zone),
        "owner": owner,
        "project": "vision",
        "gpus": 8,
        "rate": Decimal(10),
        "amount": amount,
        "unknown": amount - fields.get("idle", 0),
        **fields,
    }
    charge = Charge(**given)
    async with ours.deps.store.write() as tx:
        await tx.quotes.add(make.quote(ended.quote_id or "", owner=owner))
        change = make.unchecked(
            None,
            ended,
            attempts=(make.attempt(rental_id, state=AttemptState.TERMINATED),),
            resources=(make.resource(resource_id, rental_id, status="deleted", terminated_at=end),),
            ledger=(row,),
        )
        await tx.rentals.apply(change)
        await tx.budgets.add_charges([charge])
    return charge


async def some_days(ours: Team) -> None:
    """Store spending by Ana and Ben on some days of November, and by Ana in October."""
    await ours.command(ANA, "help")  # so that the bot knows her name
    await billed(ours, "octob", ANA, datetime(2026, 10, 30, 22, tzinfo=UTC), 5)
    for day in range(10, 16):
        await billed(ours, f"a{day}", ANA, datetime(2026, 11, day, 8, tzinfo=UTC), 2, idle=DOLLAR)
    await billed(ours, "bens1", BEN, NOON - 3 * DAY, 7, idle=30 * DOLLAR, project="speech", estimated=True)
    await billed(ours, "a25", ANA, NOON - 3 * H, 2, used=20 * DOLLAR, unknown=0, late=5 * DOLLAR)


async def asks(ours: Team, user: str, text: str = "spend") -> Json:
    """Type a command that is answered through the `response_url`, and return the answer as the person sees it."""
    assert await ours.command(user, text) == ""
    await ours.deliver()
    return (await ours.world.see(user, channel=TRAINING))[-1]


def page(message: Json) -> str:
    """Return the text of a message, wrapped to the line length of this file."""
    return "\n".join(fill(line, 100, subsequent_indent="      ") for line in message["reads"].splitlines())


def labels(message: Json) -> list[str]:
    return [button["text"] for button in message["buttons"]]


async def test_anyone_can_read_their_own_the_teams_and_the_projects_spending(ours: Team) -> None:
    await some_days(ours)
    answer = await asks(ours, EVE)
    assert answer["only_you"]
    assert fill(answer["text"], 100) == snapshot(
        """\
November so far: you've spent nothing (your budget is $500.00). The team has spent $210.00 of
$9,000.00. At this rate, the team will have spent about $270 by the 30th.\
"""
    )
    assert page(answer) == snapshot("""\
November so far: you've spent nothing (your budget is $500.00). The team has spent $210.00 of
      $9,000.00. At this rate, the team will have spent about $270 by the 30th.
Spend by project
Project | Rentals | GPU hours | In use | Connected but idle | Idle | Not monitored | Total
vision | 7 | 112.0 | $20.00 | $0.00 | $6.00 | $114.00 | $140.00
speech | 1 | 56.0 | $0.00 | $0.00 | $30.00 | $40.00 | $70.00
[chart: Spend by week, in USD]
$5.00 was billed for machines after I had requested their deletion. $70.00 of the total is
      estimated. The invoice may differ by tax and by machines not rented through me.\
""")
    assert labels(answer) == ["October", "CSV"]


async def test_approvers_can_read_people_projects_and_the_previous_month(ours: Team) -> None:
    await some_days(ours)
    answer = await asks(ours, BEN)
    assert page(answer) == snapshot("""\
November so far: you've spent $70.00, $30.00 of it on idle machines (your budget is $500.00). The
      team has spent $210.00 of $9,000.00. At this rate, the team will have spent about $270 by the
      30th.
Spend by person
Person | Rentals | GPU hours | In use | Connected but idle | Idle | Not monitored | Total
Ana | 7 | 112.0 | $20.00 | $0.00 | $6.00 | $114.00 | $140.00
Ben | 1 | 56.0 | $0.00 | $0.00 | $30.00 | $40.00 | $70.00
[chart: Spend by week, in USD]
$5.00 was billed for machines after I had requested their deletion. $70.00 of the total is
      estimated. The invoice may differ by tax and by machines not rented through me.\
""")
    assert labels(answer) == ["Projects", "October", "CSV"]
    await ours.click(BEN, answer, "Projects")
    await ours.deliver()
    projects = (await ours.world.see(BEN, channel=TRAINING))[-1]
    assert (projects["ts"], labels(projects)) == (answer["ts"], ["People", "October", "CSV"])
    assert "Project | Rentals" in projects["reads"]
    await ours.click(BEN, projects, "October")
    await ours.deliver()
    assert page((await ours.world.see(BEN, channel=TRAINING))[-1]) == snapshot("""\
October: you spent nothing. The team spent $50.00.
Spend by project
Project | Rentals | GPU hours | In use | Connected but idle | Idle | Not monitored | Total
vision | 1 | 40.0 | $0.00 | $0.00 | $0.00 | $50.00 | $50.00
[chart: Spend by week, in USD]
The invoice may differ by tax and by machines not rented through me.\
""")


async def test_only_approvers_and_admins_see_a_requesters_spending(ours: Team) -> None:
    await some_days(ours)
    rental = await asked(ours)
    said = "Ana has spent $140.00 in November so far, $6.00 of it on idle machines."
    for user in (BEN, CLEO):
        await ours.forge(user, "owner_spend", rental.id)
        assert (await ours.replies())[-1] == said
    for user in (ANA, EVE, GUS):
        await ours.forge(user, "owner_spend", rental.id)
        assert (await ours.replies())[-1].startswith("Only approvers and admins can see what a person has spent")


async def test_the_approver_who_clicks_sees_the_requesters_spending(ours: Team) -> None:
    await some_days(ours)
    await asked(ours)
    await ours.click(BEN, await question(ours), "Ana's spending")
    await ours.deliver()
    answer = await ours.look(BEN, APPROVALS, "Ana has spent $140.00")
    assert answer["only_you"]
    await ours.click(BEN, answer, "By rental")
    await ours.deliver()
    assert "Rental | GPU hours" in (await ours.world.see(BEN, channel=APPROVALS))[-1]["reads"]


async def test_own_spending_has_a_row_for_each_rental(ours: Team) -> None:
    await some_days(ours)
    answer = await asks(ours, ANA, "spend me")
    assert page(answer) == snapshot("""\
November so far: you've spent $140.00 on 7 rentals, 4% of it on idle machines (your budget is
      $500.00). At this rate, you will have spent about $140 by the 30th.
Spend by rental
Rental | GPU hours | In use | Connected but idle | Idle | Not monitored | Total
a10, 1x H100 SXM 80 GB in EU | 16.0 | $0.00 | $0.00 | $1.00 | $19.00 | $20.00
a11, 1x H100 SXM 80 GB in EU | 16.0 | $0.00 | $0.00 | $1.00 | $19.00 | $20.00
a12, 1x H100 SXM 80 GB in EU | 16.0 | $0.00 | $0.00 | $1.00 | $19.00 | $20.00
a13, 1x H100 SXM 80 GB in EU | 16.0 | $0.00 | $0.00 | $1.00 | $19.00 | $20.00
a14, 1x H100 SXM 80 GB in EU | 16.0 | $0.00 | $0.00 | $1.00 | $19.00 | $20.00
a15, 1x H100 SXM 80 GB in EU | 16.0 | $0.00 | $0.00 | $1.00 | $19.00 | $20.00
a25, 1x H100 SXM 80 GB in EU | 16.0 | $20.00 | $0.00 | $0.00 | $0.00 | $20.00
[chart: Spend by week, in USD]
$5.00 was billed for machines after I had requested their deletion.\
""")


async def test_other_periods_and_projects_can_be_shown(ours: Team) -> None:
    await some_days(ours)
    for text, words in (
        ("costs today", "Today so far: you've spent $20.00. The team has spent $20.00."),
        ("bill week", "This week so far: you've spent $20.00. The team has spent $20.00."),
        ("spend last month", "October: you spent $50.00. The team spent $50.00."),
        ("budget me october", "October: you spent $50.00 on 1 rental."),
        ("spend 2025-10", "October 2025: you spent nothing. The team spent $0.00."),
        ("spend project Vision today", 'Today so far: project "vision" has spent $20.00. You\'ve spent $20.00.'),
        ("spend for project unassigned", 'November so far: project "unassigned" has spent $0.00.'),
    ):
        assert (await asks(ours, ANA, text))["text"] == words, text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("spend project nowhere", "I don't know that project. The projects are: vision, speech, unassigned."),
        ("spend 2027-01", "2027-01 hasn't begun yet. /gpu spend shows this month."),
        ("spend vision", 'I don\'t know "vision" here.'),
        ("spend me team", 'I don\'t know "team" here.'),
        ("spend project", 'I don\'t know "project" here.'),
    ],
)
async def test_an_unreadable_argument_is_reported(ours: Team, text: str, words: str) -> None:
    assert words in await ours.command(ANA, text)


async def test_finance_without_rental_rights_is_answered_directly_without_idle_times(
    ours: Team,
) -> None:
    await some_days(ours)
    assert await ours.command(GUS, "spend") == ""
    await ours.deliver()
    (answer,) = [m for m in await ours.world.see(GUS) if m["is_dm"]]
    assert "Person | Rentals | GPU hours | Total" in answer["reads"]
    assert "Idle" not in answer["reads"]
    assert "don't let you rent" in await ours.command(GUS, "list")


async def test_a_person_without_access_sees_nothing(tmp_path: Path) -> None:
    rules = changed(OURS, use=Access(guests=False), finance=Finance())
    async with team(tmp_path, rules=rules) as ours:
        await ours.add_eve_and_gus()
        assert "don't let you rent" in await ours.command(GUS, "spend")


async def test_forged_buttons_never_show_another_persons_spending(ours: Team) -> None:
    await some_days(ours)
    value = SpendRowsValue(
        period="2026-11", scope=Scope(kind=ScopeKind.PERSON, name=ANA), rows=RowsOf.RENTALS
    ).encode()
    await ours.forge(EVE, Action.SHOW_SPEND.id, value)
    assert (await ours.replies())[
        -1
    ] == "Only that person, approvers, admins and finance can see what a person has spent."
    people = SpendRowsValue(period="2026-11", scope=TEAM, rows=RowsOf.PEOPLE).encode()
    await ours.forge(EVE, Action.SHOW_SPEND.id, people)
    await ours.deliver()
    assert "Person" not in (await ours.look(EVE, TRAINING, "November so far"))["reads"]


async def test_a_workspace_that_refuses_tables_gets_a_plain_one(ours: Team) -> None:
    await some_days(ours)
    await ours.world.act("lacks", blocks=["data_table", "data_visualization"])
    assert page(await asks(ours, CLEO)) == snapshot("""\
November so far: you've spent nothing (your budget is $500.00). The team has spent $210.00 of
      $9,000.00. At this rate, the team will have spent about $270 by the 30th.
Person     Rentals  GPU hours  In use  Connected but idle    Idle  Not monitored    Total
Ana              7      112.0  $20.00               $0.00   $6.00        $114.00  $140.00
U0BEN0000        1       56.0   $0.00               $0.00  $30.00         $40.00   $70.00
$5.00 was billed for machines after I had requested their deletion. $70.00 of the total is
      estimated. The invoice may differ by tax and by machines not rented through me.\
""")
    await ours.command(GUS, "spend")
    await ours.deliver()
    assert "GPU hours" in [m for m in await ours.world.see(GUS) if m["is_dm"]][-1]["reads"]


async def test_if_all_blocks_are_refused_only_the_text_is_sent(ours: Team) -> None:
    await some_days(ours)
    await ours.fault("response_url", "status", status=400, times=2)
    answer = await asks(ours, BEN)
    assert (answer["buttons"], answer["reads"]) == ([], answer["text"])
    assert answer["reads"].startswith("November so far: you've spent $70.00")
    await ours.refuse("chat.postMessage", "invalid_blocks", times=2)
    await ours.command(GUS, "spend")
    await ours.deliver()
    (answer,) = [m for m in await ours.world.see(GUS) if m["is_dm"]]
    assert (answer["buttons"], answer["reads"]) == ([], answer["text"])


async def test_the_answer_is_sent_even_if_the_store_accepts_no_writes(ours: Team) -> None:
    await some_days(ours)
    await ours.command(BEN, "help")  # so that Ben is known: later, nothing can be stored
    with ours.locked():
        assert await ours.command(BEN, "spend") == ""
    assert "Person | Rentals" in (await ours.look(BEN, TRAINING, "November so far"))["reads"]


async def test_without_writes_the_answer_can_still_fall_back_to_classic_blocks(ours: Team) -> None:
    await some_days(ours)
    await ours.command(BEN, "help")
    await ours.world.act("lacks", blocks=["data_table", "data_visualization"])
    with ours.locked():
        assert await ours.command(BEN, "spend") == ""
    assert "Rentals  GPU hours" in (await ours.look(BEN, TRAINING, "November so far"))["reads"]


async def test_approvers_are_notified_of_an_unusual_day_once(ours: Team) -> None:
    await some_days(ours)
    await notify_unusual_day(ours.deps)
    assert await ours.queued() == []
    await billed(ours, "dear1", ANA, NOON - 11 * H, 9, project="speech")
    for _ in range(2):
        await notify_unusual_day(ours.deps)
    await ours.deliver_all()
    (told,) = [m for m in await ours.world.see(BEN, channel=APPROVALS) if "unusually expensive" in m["reads"]]
    assert page(told) == snapshot(
        """\
Today is unusually expensive: $110.00 so far, against $10.00 on a usual day. Most of it: 1x H100 SXM
      80 GB (dear1), $90.00 for Ana; 1x H100 SXM 80 GB (a25), $20.00 for Ana.\
"""
    )
    assert labels(told) == ["Show dear1", "Show a25"]
    await ours.click(BEN, told, "Show dear1")
    await ours.deliver()
    assert "dear1" in (await ours.look(BEN, APPROVALS, "Ended"))["reads"]
    ours.clock.jump(DAY)
    await notify_unusual_day(ours.deps)
    assert await ours.queued() == []


async def test_the_operator_sees_the_report_as_lines_on_a_terminal(ours: Team) -> None:
    await billed(ours, "k7mq2", ANA, NOON - 8 * H, 6)
    await billed(ours, "w8xyz", BEN, NOON - 8 * H, 2, project="speech")
    assert await carry_out(ours.deps, Command(kind=Kind.SPEND, words="")) == snapshot("""\
November so far: the team has spent $80.00 of $9,000.00.
Person     Rentals  GPU hours  In use  Connected but idle   Idle  Not monitored   Total
U0ANA0000        1       48.0   $0.00               $0.00  $0.00         $60.00  $60.00
U0BEN0000        1       16.0   $0.00               $0.00  $0.00         $20.00  $20.00
The invoice may differ by tax and by machines not rented through me.\
""")
    assert await carry_out(ours.deps, Command(kind=Kind.SPEND, words="project vision")) == snapshot("""\
November so far: project "vision" has spent $60.00 of $3,000.00.
Person     Rentals  GPU hours  In use  Connected but idle   Idle  Not monitored   Total
U0ANA0000        1       48.0   $0.00               $0.00  $0.00         $60.00  $60.00\
""")
    with pytest.raises(Mistake, match=r'^I don\'t know "tomorrow" here'):
        await carry_out(ours.deps, Command(kind=Kind.SPEND, words="tomorrow"))
    with pytest.raises(Mistake, match=r"^The operator rents nothing"):
        await carry_out(ours.deps, Command(kind=Kind.SPEND, words="me"))

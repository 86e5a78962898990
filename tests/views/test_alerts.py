"""Alerts about the account and about the bot's own failures."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from inline_snapshot import snapshot

from bot.model.base import changed
from bot.model.budget import TEAM, Balance, Scope, ScopeKind
from bot.model.event import Event, EventKind
from bot.model.facts import SaidFacts
from bot.model.message import MessageKind
from bot.model.person import OPERATOR
from handlers.messages.render import alert_message
from handlers.messages.writers import AlertContext
from tests.events import facts_for
from tests.views.screens import message, outbox, page
from tests.views.stories import ANA, BEN, CARL, M, clock, reading

K = EventKind
NOW = clock(13, 0)
GPU = "nvidia-h100-sxm5-80gb"


def notice(kind: EventKind, actor: str | None = None, **facts: object) -> str:
    event = Event(rental_id=None, kind=kind, at=NOW, actor=actor, facts=facts_for(kind, **facts))
    return message(outbox(MessageKind.ALERT, None, NOW, event), NOW)


def test_account_alerts_say_what_happened_and_what_to_do() -> None:
    assert page(
        notice(K.UNAUTHORIZED),
        notice(K.AUTHORIZED_AGAIN),
        notice(K.PAUSED, CARL, detail="The bill is too high"),
        notice(K.PAUSED, CARL),
        notice(K.RESUMED, CARL),
    ) == snapshot("""\

Compute Clear rejects my API token. I can't rent or destroy anything, and running machines keep
      billing. Set a valid COMPUTE_CLEAR_TOKEN and restart me.

Compute Clear accepts my API token again, so I can rent and destroy machines again.

Carl paused buying: "The bill is too high". Machines can still be destroyed. An admin can end the
      pause with /gpu resume.

Carl paused buying. Machines can still be destroyed. An admin can end the pause with /gpu resume.

Carl resumed buying, so machines can be rented again.
""")


def test_alerts_about_a_receiver_of_webhooks_name_only_its_host() -> None:
    since, until = clock(9, 12), clock(9, 12) + timedelta(days=1)
    fails = notice(K.WEBHOOK_FAILS, host="hooks.example.com", since=since, until=until, detail="status 503")
    works = notice(K.WEBHOOK_WORKS, host="hooks.example.com", since=since)
    assert page(fails, works) == snapshot("""\

hooks.example.com hasn't accepted events since 09:12 (status 503). I'll keep trying until tomorrow
      at 09:12, then those events are dropped.

hooks.example.com accepts events again. It hadn't since 09:12.
""")


def test_an_ended_pause_is_reported_together_with_its_end() -> None:
    def paused(actor: str, why: str | None = None) -> str:
        pause = Event(rental_id=None, kind=K.PAUSED, at=clock(9, 2), actor=actor, facts=SaidFacts(detail=why))
        resumed = Event(rental_id=None, kind=K.RESUMED, at=clock(11, 4), actor=CARL)
        return message(alert_message(AlertContext(pause, reading(NOW), {CARL: "Carl"}, resumed)), NOW)

    operators, carls = paused(OPERATOR.id, "bill check"), paused(CARL, "The bill is too high")
    assert page(operators, carls, paused(CARL)) == snapshot("""\

The operator paused buying at 09:02: "bill check". Carl resumed buying at 11:04, so machines can be
      rented again.

Carl paused buying at 09:02: "The bill is too high". Carl resumed buying at 11:04, so machines can
      be rented again.

Carl paused buying at 09:02. Carl resumed buying at 11:04, so machines can be rented again.
""")


def test_policy_alerts_say_what_changed_or_what_is_wrong() -> None:
    assert page(
        notice(K.POLICY_CHANGED, CARL, count=2, detail="auto_approve.per_hour, projects.vision"),
        notice(K.POLICY_CHANGED, count=3, detail="lease.max"),
        notice(
            K.POLICY_REFUSED, count=1, detail="line 2, lease.max: '<!here>' is no duration; write it such as 4h"
        ),
        notice(
            K.POLICY_REFUSED,
            count=7,
            detail="line 3, leese: there is no such key. The most similar one is lease\n"
            "line 9, budgets.team: write a number",
        ),
    ) == snapshot("""\

Carl changed the team's rules: auto_approve.per_hour, projects.vision in the policy file. /gpu
      policy shows all rules.

The team's rules changed: lease.max in the policy file. /gpu policy shows all rules.

The policy file has mistakes, so the previous rules stay in force.
line 2, lease.max: '<!here>' is no duration; write it such as 4h.
Correct the file, then type /gpu policy reload

The policy file has mistakes, so the previous rules stay in force.
line 3, leese: there is no such key. The most similar one is lease.
line 9, budgets.team: write a number.
To see all 7 mistakes: gpubot policy check
Correct the file, then type /gpu policy reload
""")


def test_the_upgrade_notice_names_channels_that_charge_projects_for_fewer_people() -> None:
    assert page(notice(K.CHANNELS_CHARGE_LESS, detail="C0V vision\nC0W <!here>")) == snapshot("""\

I was upgraded. In the channel of a project that names people, only those people and approvers can
      charge the project from now on. This changes <#C0V> (vision) and <#C0W> (<!here>). Anyone else
      who asks there is charged to their own project if they have exactly one, and otherwise to
      none, within the team's limits. Earlier machines and requests keep their project. To let more
      people charge a project, add them to its `people`.
""")


def test_an_alert_about_a_failing_step_has_the_error_number_and_consequences() -> None:
    failed: dict[str, Any] = {"name": "k7mq2", "number": "E-4F2K"}
    assert page(
        notice(K.STEP_FAILED, **failed, count=3, until=clock(19, 10)),
        notice(K.STEP_FAILED, **failed, count=4),
        notice(K.STEP_WORKS, **failed),
        notice(K.DELETED_OVERDUE, name="k7mq2", since=clock(18, 40)),
    ) == snapshot("""\

An error on my side has stopped my work on the rental k7mq2 3 times in a row. I'll keep trying. If
      the error is still there at 19:10, I'll delete the machine then. Give an admin this number,
      which is in my log: E-4F2K.

An error on my side has stopped my work on the rental k7mq2 4 times in a row. I'll keep trying. Give
      an admin this number, which is in my log: E-4F2K.

The error E-4F2K no longer stops my work on the rental k7mq2.

I've requested the deletion of the machine k7mq2, which should have ended at 18:40. The vendor
      hasn't confirmed it yet.
""")


def test_an_alert_about_a_broken_database_says_what_no_longer_works() -> None:
    assert page(
        notice(K.NO_WRITES, span=30 * M),
        notice(K.NO_WRITES, name="k7mq2", since=clock(18, 40), until=clock(19, 10)),
        notice(K.NO_READS),
        notice(K.STORE_BACK),
        notice(K.STORE_BACK, name="k7mq2"),
    ) == snapshot("""\

My database can't save anything, so nothing can be rented, extended or approved. I still delete
      machines, but only 30 min after their end. Make room on the disk of the database, and I'll
      continue.

The machine k7mq2 can't be extended right now, because my database can't save anything. Its time is
      over at 18:40, and I'll delete it at 19:10. Copy your results off: the disk is deleted with
      the machine.

I can't read my database, so I can't delete anything, and machines keep billing past their end.
      Until my database works again, delete machines in Compute Clear.

My database works again, and I've continued where I stopped.

My database works again, so the machine k7mq2 can be extended again.
""")


def test_an_alert_about_a_wrong_clock_says_what_still_works() -> None:
    assert page(
        notice(K.WRONG_CLOCK, name="gpubot-2", span=120 * M, detail="database"),
        notice(K.WRONG_CLOCK, name="gpubot-2", span=-600 * M, detail="witnesses"),
    ) == snapshot("""\

The clock of gpubot-2, a computer that I run on, is 2 h ahead of the database's. Until that clock is
      set right, gpubot-2 only deletes machines that are long past their end.

The clock of gpubot-2, a computer that I run on, is 10 h behind Compute Clear's and Slack's. Until
      that clock is set right, gpubot-2 only deletes machines that are long past their end.
""")


def test_a_budget_alert_has_the_spent_share_and_the_consequences() -> None:
    vision = Balance(
        scope=Scope(kind=ScopeKind.PROJECT, name="vision"),
        month="2026-11",
        spent=2_101_850_000,
        reserved=510_220_000,
        alerted=80,
    )
    mine = Balance(
        scope=Scope(kind=ScopeKind.PERSON, name=CARL),
        month="2026-11",
        spent=9_500_000,
        reserved=600_000,
        alerted=100,
    )
    assert page(
        notice(K.BUDGET_ALERT, balance=vision, total=3_000_000_000),
        notice(K.BUDGET_ALERT, balance=mine, total=10_000_000),
        notice(K.BUDGET_ALERT, balance=changed(vision, scope=TEAM), total=3_000_000_000),
    ) == snapshot("""\

vision has spent or reserved 87% of its $3,000.00 budget for November: $2,101.85 is spent, and
      running machines can cost $510.22 more. Nothing is stopped. At 100%, every new rental for
      vision needs approval.

Carl has spent or reserved 101% of their $10.00 budget for November: $9.50 is spent, and running
      machines can cost $0.60 more. Nothing is stopped. From now on, every new rental for Carl needs
      approval.

The team has spent or reserved 87% of its $3,000.00 budget for November: $2,101.85 is spent, and
      running machines can cost $510.22 more. Nothing is stopped. At 100%, every new rental needs
      approval.
""")


def test_a_budget_alert_says_when_the_budget_will_be_used_up() -> None:
    team = Balance(scope=TEAM, month="2026-11", spent=2_101_850_000, reserved=510_220_000)
    facts = facts_for(K.BUDGET_ALERT, balance=team, total=3_000_000_000)
    event = Event(rental_id=None, kind=K.BUDGET_ALERT, at=NOW, facts=facts)
    alert = AlertContext(event, reading(NOW), {}, used_up_at=NOW + timedelta(hours=26))
    assert message(alert_message(alert), NOW) == snapshot("""\
The team has spent or reserved 87% of its $3,000.00 budget for November: $2,101.85 is spent, and
      running machines can cost $510.22 more. At today's rate, the budget will be used up tomorrow
      at about 15:00. Nothing is stopped. At 100%, every new rental needs approval.\
""")
    late = alert._replace(reader=reading(NOW + timedelta(hours=27)))
    assert "today's rate" not in message(alert_message(late), NOW)


def test_an_alert_about_an_unusual_day_has_a_button_per_expensive_rental() -> None:
    dearest = [
        {"rental_id": "k7mq2", "owner": BEN, "amount": 331_200_000, "count": 8, "gpu": GPU},
        {"rental_id": "k7mq2", "owner": ANA, "amount": 190_100_000, "count": 8, "gpu": GPU},
        {"rental_id": "p4wd9", "owner": CARL, "amount": 31_200_000},
    ]
    assert page(
        notice(K.UNUSUAL_DAY, amount=612_400_000, estimate=84_100_000, dearest=dearest),
        notice(K.UNUSUAL_DAY, amount=612_400_000, estimate=0),
    ) == snapshot("""\

Today is unusually expensive: $612.40 so far, against $84.10 on a usual day. Most of it: 8x H100 SXM
      80 GB (k7mq2), $331.20 while Ben owned it and $190.10 while Ana owned it; p4wd9, $31.20 for
      Carl.
[Show k7mq2] [Show p4wd9]

Today is unusually expensive: $612.40 so far, against $0.00 on a usual day.
""")

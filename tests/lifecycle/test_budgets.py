"""Reservations and charges from the click to the bill, decisions about requests over a budget, and alerts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from bot.errors import OverBudget, Refused
from bot.lifecycle.actions import leasing, offers, spend
from bot.lifecycle.actions.action import carry_out
from bot.lifecycle.actions.admin_questions import change_owner
from bot.lifecycle.actions.home import home_for
from bot.lifecycle.changes.snapshot import load_snapshot
from bot.lifecycle.loops.selfcheck import check_balances
from bot.lifecycle.money.budgets import ALERTS_JOB, correct, count_again
from bot.lifecycle.money.spend import check_budget_alerts
from bot.lifecycle.money.used_up import alerted_budget_used_up_at
from bot.model.base import changed
from bot.model.budget import TEAM, UNASSIGNED, Balance, Scope, ScopeKind
from bot.model.event import Event
from bot.model.event import EventKind as E
from bot.model.facts import BudgetAlertFacts
from bot.model.money import Micros, cost_at_most
from bot.model.person import OPERATOR
from bot.model.records import PolicyFile, PolicyVersion
from bot.model.state import State
from bot.model.summary import Over
from bot.policy.buying.budgets import projects_to_name, used_up_at
from bot.policy.team.rules import Approval, AutoApprove, Bill, Budgets, Project, Rules, WhenOver
from tests.lifecycle.test_step_failures import execute
from tests.lifecycle.test_steps_startup_script import new_key
from tests.lifecycle.test_steps_teammates import EVE, add_eve
from tests.lifecycle.world import ANA, BEN, CLEO, HOUR, MINUTE, RULES, TRAINING, World, world

MONTH, NEXT = "2026-11", "2026-12"
VISION = Project(channels=(TRAINING,), budget=Decimal(40), cost_center="4711")


def rules(**budgets: Any) -> Rules:
    return changed(
        RULES,
        projects={"vision": VISION},
        budgets=Budgets(**budgets),
        approval=Approval(expires=timedelta(days=9)),
    )


def of(name: str) -> Scope:
    kind = ScopeKind.PERSON if name.startswith("U0") else ScopeKind.PROJECT
    return Scope(kind=kind, name=name)


async def balance(here: World, scope: Scope | str, month: str = MONTH) -> Balance:
    async with here.deps.store.read() as tx:
        (found,) = await tx.budgets.balances(month, [of(scope) if isinstance(scope, str) else scope])
    return found


async def money(here: World, scope: Scope | str, month: str = MONTH) -> tuple[Micros, Micros]:
    """Return the reserved and the spent amount of a balance."""
    found = await balance(here, scope, month)
    return found.reserved, found.spent


async def test_the_next_check_charges_ledger_rows_that_a_killed_process_left(
    sqlite_url: str,
) -> None:
    """A charge that is missing because the process was killed doesn't count as a bug."""
    async with world(sqlite_url, rules=rules()) as here:
        rental = await here.until(await here.destroy(await here.ready()), State.DESTROYED)
        (row,) = await here.ledger(rental)
        async with here.deps.store.write() as tx:
            await tx.policies.add(PolicyVersion(n=1, at=here.now, by=None, file=PolicyFile(text="")))
        await execute(here, "DELETE FROM charges WHERE rental_id = :of", rental.id)
        await execute(here, "UPDATE balances SET spent = 0, late = 0 WHERE :of = :of", rental.id)
        wrong: list[int] = []
        await check_balances(here.deps, on_wrong=wrong.append)
        assert await money(here, TEAM) == (0, row.amount)
        assert wrong == []


async def test_the_reservation_made_at_the_click_shrinks_to_the_bill(sqlite_url: str) -> None:
    async with world(sqlite_url, rules=rules()) as here:
        rental = await here.rent(await here.ask(), settle=False)
        assert rental.project == "vision"
        for scope in (ANA.id, "vision", TEAM):
            assert await money(here, scope) == (rental.terms.total, 0)
        assert await money(here, UNASSIGNED) == (0, 0)
        rental = await here.until(rental, State.READY)
        reserved, spent = await money(here, TEAM)
        (resource,) = await here.resources(rental)
        assert resource.valid_from is not None
        assert rental.lease is not None
        assert rental.rate is not None
        longest = rental.lease.ends_at + here.deps.rules.lease.grace - resource.valid_from
        assert (reserved, spent) == (cost_at_most(rental.rate, longest), 0)
        await here.be_down(HOUR)
        rental = await here.until(await here.destroy(rental), State.DESTROYED)
        (row,) = await here.ledger(rental)
        for scope in (ANA.id, "vision", TEAM):
            assert await money(here, scope) == (0, row.amount)


async def test_a_denied_request_reserves_only_what_failed_attempts_may_bill(sqlite_url: str) -> None:
    async with world(sqlite_url, rules=rules()) as here:
        await here.behaves("*", "sold_out")
        rental = await here.until(await here.rent(await here.ask()), State.AWAITING_APPROVAL)
        while_it_waits = await money(here, TEAM)
        assert 0 < while_it_waits[0] < rental.terms.total
        rental = await here.deny(rental, BEN)
        assert rental.state is State.DESTROYING
        assert await money(here, TEAM) == while_it_waits
        await here.until(rental, State.DENIED)
        assert await money(here, TEAM) == (0, 0)


async def test_a_request_over_a_budget_asks_an_approver(sqlite_url: str) -> None:
    async with world(sqlite_url, rules=rules()) as here:
        await here.ready(lease=8 * HOUR)  # reserves about $18 of $40
        quote = await here.ask(lease=10 * HOUR)
        choice = (await offers.offers_of_quote(here.deps, ANA, quote.id, most=3)).choices[0]
        assert (choice.over, choice.refused) == ((Over.BUDGET,), None)
        assert choice.passed[0].balance.scope == of("vision")
        assert choice.shorter is not None
        assert timedelta(0) < choice.shorter < 10 * HOUR
        before = await money(here, "vision")
        rental = await here.rent(quote)
        assert rental.state is State.AWAITING_APPROVAL
        assert await money(here, "vision") == before
        approved = await here.approve(rental)
        assert approved.approved_by == BEN.id
        event = await here.last_event(rental, E.APPROVED)
        assert [one.balance.scope for one in event.facts.passed] == [of("vision")]
        assert sum(await money(here, "vision")) > 40_000_000
        shorter = await here.get(lease=HOUR)
        assert shorter.state is State.AWAITING_APPROVAL


async def test_a_refused_request_names_the_budget_left_and_rents_nothing(sqlite_url: str) -> None:
    async with world(sqlite_url, rules=rules(over=WhenOver.REFUSE, person=Decimal(5))) as here:
        quote = await here.ask(lease=4 * HOUR)
        choice = (await offers.offers_of_quote(here.deps, ANA, quote.id, most=3)).choices[0]
        assert isinstance(choice.refused, OverBudget)
        left = r"^The request could cost \$11\.12, and you have only \$5\.00 left in November\.$"
        with pytest.raises(OverBudget, match=left) as refused:
            await here.rent(quote)
        assert refused.value.instead.startswith("Nothing was rented or changed. Ask for less time")
        assert await here.rentals() == []
        assert choice.shorter == HOUR
        rental = await here.get(lease=HOUR)
        assert (await here.until(rental, State.READY)).state is State.READY


async def test_an_approver_cannot_exceed_a_budget_that_refuses(sqlite_url: str) -> None:
    refuse = changed(rules(over=WhenOver.REFUSE), auto_approve=AutoApprove(total=Decimal(1)))
    async with world(sqlite_url, rules=refuse) as here:
        first, second = await here.get(lease=8 * HOUR), await here.get(lease=8 * HOUR)
        assert first.state is second.state is State.AWAITING_APPROVAL
        await here.approve(first)
        with pytest.raises(
            OverBudget, match=r"^The request could cost .*, and project vision has only .* left in November \(.*"
        ) as refused:
            await here.approve(second)
        assert refused.value.instead.startswith("Nothing was approved. Approve fewer hours, deny it")


async def test_an_extension_reserves_the_difference_or_asks_an_approver(sqlite_url: str) -> None:
    async with world(sqlite_url, rules=rules()) as here:
        rental = await here.ready(lease=2 * HOUR)
        before, _ = await money(here, "vision")
        longer = await here.extend(rental, 3 * HOUR)
        after, _ = await money(here, "vision")
        assert rental.rate is not None
        assert abs(after - before - cost_at_most(rental.rate, 3 * HOUR)) <= 1
        asks = await here.extend(longer, 40 * HOUR)
        assert asks.extension is not None
        assert (await money(here, "vision"))[0] == after
        assert (await here.approve(asks)).extension is None
        assert sum(await money(here, "vision")) > 40_000_000


async def test_a_flexible_end_reserves_the_cost_until_the_latest_end(sqlite_url: str) -> None:
    """Moving the end later therefore doesn't add to the reservation."""
    async with world(sqlite_url, rules=rules()) as here:
        rental = await here.ready(lease=2 * HOUR, up_to=6 * HOUR)
        assert rental.lease is not None
        assert rental.lease.latest_end is not None
        assert rental.rate is not None
        (resource,) = await here.resources(rental)
        assert resource.valid_from is not None
        longest = rental.lease.latest_end + here.deps.rules.lease.grace - resource.valid_from
        assert (await money(here, TEAM))[0] == cost_at_most(rental.rate, longest)


async def test_across_a_month_end_each_month_reserves_what_it_may_cost(
    sqlite_url: str,
) -> None:
    """Until the machine is ready, both months reserve the whole total."""
    async with world(sqlite_url, rules=rules()) as here:
        await here.be_down(timedelta(days=30) - (here.now - here.now.replace(day=1, hour=0)) - 3 * HOUR)
        rental = await here.rent(await here.ask(lease=6 * HOUR), settle=False)
        total = rental.terms.total
        assert [await money(here, "vision", month) for month in (MONTH, NEXT)] == [(total, 0), (total, 0)]
        rental = await here.until(rental, State.READY)
        november, december = (await money(here, "vision", MONTH))[0], (await money(here, "vision", NEXT))[0]
        assert 0 < november < december < total
        await here.be_down(5 * HOUR)
        rental = await here.until(await here.destroy(rental), State.DESTROYED)
        (row,) = await here.ledger(rental)
        spent = [(await money(here, scope, month)) for scope in ("vision", ANA.id) for month in (MONTH, NEXT)]
        assert [one[0] for one in spent] == [0, 0, 0, 0]
        assert spent[0][1] + spent[1][1] == row.amount == spent[2][1] + spent[3][1]
        assert spent[0][1] <= november
        assert spent[1][1] <= december


async def test_each_owner_pays_for_the_time_they_owned_the_machine(sqlite_url: str) -> None:
    async with world(sqlite_url, rules=rules()) as here:
        rental = await here.ready(lease=4 * HOUR)
        held = (await money(here, ANA.id))[0]
        await here.be_down(HOUR)
        async with here.deps.store.write() as tx:
            await tx.rentals.lock_spending()
            await change_owner(tx, here.deps, CLEO, rental.id, BEN)
        async with here.deps.store.read() as tx:
            billed = (await load_snapshot(tx, await here.rental(rental.id))).spent(here.now).amount
        assert (await money(here, ANA.id), await money(here, BEN.id)) == ((billed, 0), (held - billed, 0))
        await here.be_down(HOUR)
        rental = await here.until(await here.destroy(rental, BEN), State.DESTROYED)
        (row,) = await here.ledger(rental)
        anas, bens = (await money(here, ANA.id))[1], (await money(here, BEN.id))[1]
        assert anas + bens == row.amount
        assert anas > 0
        assert abs(anas - bens) < row.amount // 10
        assert (await money(here, "vision"))[1] == row.amount


async def alerts_after(here: World, span: timedelta) -> list[tuple[str, Event[Any]]]:
    """Let time pass, and return all alerts that have been sent by then."""
    await here.be_down(span)
    await check_budget_alerts(here.deps)
    return await here.notices(E.BUDGET_ALERT)


async def test_the_channel_and_the_person_get_each_budget_alert_once(sqlite_url: str) -> None:
    """The person is the one whose click made the budget reach the alert."""
    async with world(sqlite_url, rules=rules(alerts=(Decimal("0.6"), Decimal(1)))) as here:
        first = await here.ready(lease=8 * HOUR)
        assert await alerts_after(here, 5 * MINUTE) == []
        await here.get(lease=4 * HOUR)
        assert await alerts_after(here, 4 * MINUTE) == []
        alerts = await alerts_after(here, MINUTE)
        assert [to for to, _ in alerts] == [ANA.id, here.deps.rules.home_channel]
        facts = alerts[0][1].facts
        assert facts.balance is not None
        assert (facts.balance.scope, facts.balance.alerted, facts.total) == (of("vision"), 60, 40_000_000)
        await here.destroy(first)
        await here.get(lease=4 * HOUR)
        assert len(await alerts_after(here, 5 * MINUTE)) == 2


async def test_a_reservation_that_shrinks_within_minutes_causes_no_alert(sqlite_url: str) -> None:
    """The machine is bought for less than the click allowed, so its reservation falls below the alert."""
    async with world(sqlite_url, rules=rules(alerts=(Decimal("0.5"),))) as here:
        async with here.deps.store.write() as tx:
            await tx.jobs.begin(ALERTS_JOB, here.now + HOUR)
        rental = await here.rent(await here.ask(lease=8 * HOUR), settle=False)
        assert (await money(here, "vision"))[0] > 20_000_000
        async with here.deps.store.read() as tx:
            job_due_at = await tx.jobs.next_due()
        assert (await balance(here, "vision")).alert_due_at == job_due_at == here.now + 5 * MINUTE
        await here.until(rental, State.READY)
        assert (await money(here, "vision"))[0] < 20_000_000
        assert (await balance(here, "vision")).alert_due_at is None
        assert await alerts_after(here, 10 * MINUTE) == []


async def test_a_budget_is_used_up_at_the_rate_of_what_runs_now(url: str) -> None:
    """Alerts and reports name the same time. What running machines have cost until now counts as spent."""
    async with world(url, rules=rules(team=Decimal(50))) as here:
        ended, running = await here.ready(), await here.ready()
        await here.be_down(HOUR)
        await here.until(await here.destroy(ended), State.DESTROYED)
        shown = await spend.report(here.deps, ANA, TEAM, "month")
        assert running.rate is not None
        assert (await money(here, TEAM))[1] < shown.whole.amount
        assert shown.used_up_at == used_up_at(
            50_000_000, shown.whole.amount, running.rate, here.now, here.deps.rules.billing_zone
        )
        alerted = [
            BudgetAlertFacts(balance=await balance(here, TEAM, one), total=50_000_000) for one in (MONTH, NEXT)
        ]
        async with here.deps.store.read() as tx:
            found = [await alerted_budget_used_up_at(tx, here.deps.rules, one, here.now) for one in alerted]
        assert found == [shown.used_up_at, None]
        await here.until(await here.destroy(running), State.DESTROYED)
        assert (await spend.report(here.deps, ANA, TEAM, "month")).used_up_at is None


async def test_spent_money_causes_an_immediate_alert(sqlite_url: str) -> None:
    async with world(sqlite_url, rules=rules(alerts=(Decimal("0.1"), Decimal("0.5")))) as here:
        rental = await here.ready(lease=8 * HOUR)
        await here.be_down(3 * HOUR)
        await here.until(await here.destroy(rental), State.DESTROYED)
        alerts = [event.facts.balance for _, event in await here.notices(E.BUDGET_ALERT)]
        assert [(one.alerted, one.reserved) for one in alerts if one is not None] == [(10, 0)]
        assert (await balance(here, "vision")).alert_due_at is None


async def test_a_new_budget_counts_what_its_month_has_used_already(sqlite_url: str) -> None:
    async with world(sqlite_url) as here:
        await here.ready(lease=8 * HOUR)
        here.restart(replace(here.deps, rules=changed(RULES, budgets=Budgets(person=Decimal(20)))))
        assert (await here.get(lease=2 * HOUR)).state is State.AWAITING_APPROVAL


async def test_recalculating_budgets_gives_the_same_result_as_each_change(
    sqlite_url: str,
) -> None:
    """A different billing time zone moves money between months."""
    async with world(sqlite_url, rules=rules()) as here:
        await here.be_down(timedelta(days=30) - (here.now - here.now.replace(day=1, hour=0)) - 90 * MINUTE)
        rental = await here.ready(lease=4 * HOUR)
        await here.be_down(30 * MINUTE)
        rental = await here.until(await here.destroy(rental), State.DESTROYED)
        runs = await here.ready(lease=4 * HOUR)
        async with here.deps.store.read() as tx:
            before = await tx.budgets.all_balances(), await tx.budgets.charges_of(rental.id)
        async with here.deps.store.write() as tx:
            assert await correct(tx) == 0
            await count_again(tx, here.deps.rules, here.now)
        async with here.deps.store.read() as tx:
            assert (await tx.budgets.all_balances(), await tx.budgets.charges_of(rental.id)) == before
        berlin = changed(here.deps.rules, billing=Bill(timezone="Europe/Berlin"))
        async with here.deps.store.write() as tx:
            await count_again(tx, berlin, here.now)
            assert {one.month for one in await tx.budgets.charges_of(rental.id)} == {MONTH, NEXT}
            assert await correct(tx) == 0
            assert await tx.budgets.reservations(runs.id)
            assert await tx.budgets.add(TEAM, MONTH, reserved=7) is not None
            assert await correct(tx) == 1


async def test_a_project_has_limits_of_its_own_and_named_people(sqlite_url: str) -> None:
    own = changed(VISION, auto_approve=AutoApprove(total=Decimal(3)), channels=(), people=(BEN.id,))
    projects = {"vision": own, "Speech": Project(people=(ANA.id,))}
    async with world(sqlite_url, rules=changed(RULES, projects=projects)) as here:
        mine = await here.get()
        assert (mine.project, mine.state) == ("Speech", State.PROVISIONING)
        with pytest.raises(Refused, match="Only people of project vision and approvers can charge that project"):
            await here.ask(project="vision")
        bens = await here.rent(await here.ask(BEN, project="VISION"), person=BEN)
        assert (bens.project, bens.state) == ("vision", State.AWAITING_APPROVAL)
        assert (await here.get(person=CLEO)).project == UNASSIGNED
        named = {person.name: projects_to_name(person, here.deps.rules) for person in (ANA, BEN, CLEO)}
        assert named == {"Ana": ("Speech",), "Ben": ("vision", "Speech"), "Cleo": ()}


async def test_a_channel_charges_its_project_only_for_named_people_and_approvers(sqlite_url: str) -> None:
    """Requests of all others count as if the channel had no project, within the team's limits."""
    vision = changed(VISION, budget=None, auto_approve=AutoApprove(per_hour=Decimal(50)), people=(ANA.id,))
    projects = {"vision": vision, "speech": Project(people=(EVE.id,))}
    own = changed(RULES, projects=projects, auto_approve=AutoApprove(per_hour=Decimal(1)))
    async with world(sqlite_url, rules=own) as here:
        await add_eve(here)
        await new_key(here, EVE, "eve@laptop")
        found = {}
        for person in (ANA, BEN, CLEO, EVE):
            rental = await here.get(person=person)
            found[person.name] = rental.project, rental.state
        alone, asks = State.PROVISIONING, State.AWAITING_APPROVAL
        assert found == {
            "Ana": ("vision", alone),
            "Ben": ("vision", alone),
            "Cleo": (UNASSIGNED, asks),
            "Eve": ("speech", asks),
        }


async def test_a_projects_limits_apply_only_to_owners_among_its_people(sqlite_url: str) -> None:
    """A machine keeps its project even if its owner is no longer one of the people that the rules name."""
    rich = changed(VISION, budget=None, auto_approve=AutoApprove(per_hour=Decimal(50), total=Decimal(500)))
    own = changed(RULES, projects={"vision": rich}, auto_approve=AutoApprove(per_hour=Decimal(1)))
    async with world(sqlite_url, rules=own) as here:
        rental = await here.ready()
        for people in ((), (ANA.id,)):
            named = changed(own, projects={"vision": changed(rich, people=people)})
            here.restart(replace(here.deps, rules=named))
            rental = await here.extend(rental, (1 + len(people)) * HOUR)
            assert rental.extension is None
        named = changed(own, projects={"vision": changed(rich, people=(CLEO.id,))})
        here.restart(replace(here.deps, rules=named))
        rental = await here.extend(rental, 3 * HOUR)
        assert rental.extension is not None
        assert rental.project == "vision"


async def test_home_shows_the_teams_month_to_approvers_and_admins(
    sqlite_url: str,
) -> None:
    """The numbers are those of the spending report, and each budget is listed."""
    async with world(sqlite_url, rules=rules(team=Decimal(900), person=Decimal(50))) as here:
        await add_eve(here)
        await here.until(await here.destroy(await here.ready()), State.DESTROYED)
        await here.ready()
        await here.be_down(30 * MINUTE)
        whole = (await spend.report(here.deps, BEN, TEAM, "month")).whole.amount
        for person in (BEN, CLEO):
            home = await home_for(here.deps, person, 0)
            assert home is not None
            assert home.team_month is not None
            assert home.team_month.spent == whole > 0
            assert {demand.balance.scope for demand in home.team_month.budgets} == {TEAM, of("vision")}
        for person in (ANA, EVE):
            home = await home_for(here.deps, person, 0)
            assert home is not None
            assert home.team_month is None


async def test_a_teammates_refused_extension_does_not_reveal_the_owners_money(
    sqlite_url: str,
) -> None:
    async with world(sqlite_url, rules=rules(over=WhenOver.REFUSE, person=Decimal(9))) as here:
        rental = await here.ready(lease=2 * HOUR, teammates=(BEN.id,))
        with pytest.raises(
            OverBudget, match=r"^The request could cost \$\d+\.\d\d, and you have only \$\d\.\d\d left in November"
        ):
            await here.extend(rental, 40 * HOUR)
        with pytest.raises(
            OverBudget, match=rf"^A budget has no room for that much more time on {rental.id}\.$"
        ) as refused:
            await here.extend(rental, 40 * HOUR, BEN)
        assert refused.value.instead.startswith("Nothing was changed. Extend it by less")


async def test_an_alert_about_a_persons_budget_goes_to_that_person(sqlite_url: str) -> None:
    """The person gets the alert even if somebody else's click caused it."""
    async with world(sqlite_url, rules=rules(person=Decimal(19))) as here:
        rental = await here.ready(lease=2 * HOUR, teammates=(BEN.id,))
        await here.extend(rental, 5 * HOUR, BEN)
        alerts = [(to, event.facts.balance) for to, event in await alerts_after(here, 5 * MINUTE)]
        assert [to for to, _ in alerts] == [ANA.id, here.deps.rules.home_channel]
        assert all(balance is not None and balance.scope == of(ANA.id) for _, balance in alerts)


async def test_the_operator_may_extend_over_a_budget_without_approval(sqlite_url: str) -> None:
    """The approvers' channel gets the alerts, and the owner gets the alert about their own budget.

    A budget that refuses approvers refuses the operator too.
    """
    async with world(sqlite_url, rules=rules(person=Decimal(19), team=Decimal(25))) as here:
        rental = await here.ready(lease=2 * HOUR)
        await carry_out(here.deps, OPERATOR, leasing.Extend(rental.id, 10 * HOUR, why="a long run"))
        event = await here.last_event(rental, E.EXTENDED_BY_OPERATOR)
        assert (event.actor, event.facts.detail) == (OPERATOR.id, "a long run")
        assert {demand.balance.scope for demand in event.facts.passed} == {of(ANA.id), TEAM}
        after = await here.rental(rental.id)
        assert (after.terms.total, after.approved_by) == (event.facts.total, OPERATOR.id)
        assert (await money(here, TEAM))[0] == after.terms.total
        alerts = {
            (event.facts.balance.scope, to)
            for to, event in await alerts_after(here, 5 * MINUTE)
            if event.facts.balance
        }
        home = here.deps.rules.home_channel
        assert alerts == {(of(ANA.id), ANA.id), (of(ANA.id), home), (TEAM, home)}
        here.restart(replace(here.deps, rules=rules(over=WhenOver.REFUSE, person=Decimal(19))))
        with pytest.raises(OverBudget):
            await carry_out(here.deps, OPERATOR, leasing.Extend(rental.id, 11 * HOUR, why="longer"))

"""The request form shows the price of its choices while the market answers late, wrongly or not at all."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from textwrap import fill
from typing import Any

import pytest
from inline_snapshot import snapshot

from bot.errors import MarketAway
from bot.model.offer import Offer
from bot.model.request import OfferQuery
from handlers.listeners.context import FORMS_REMEMBERED, OpenForms
from sandbox.slack.default import ANA, BEN
from tests.handlers.team import NOON, Json, Team, an_offer, team

HANGS = 'because Compute Clear hasn\'t responded. You can continue: "Show offers" asks again.'
FRIDAY_EVENING = NOON + timedelta(days=3, hours=7)
"""The time at which the hours in the rules end, in Ana's zone."""


@dataclass
class SlowMarket:
    """The part of `bot.lifecycle.outside.Market` that forms use.

    Queries for a GPU without a prepared answer hang.
    """

    answers: dict[str, tuple[Offer, ...] | MarketAway] = field(default_factory=dict)
    asked: list[OfferQuery] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def offers(self, query: OfferQuery) -> tuple[Offer, ...]:
        async with self.changed:
            self.asked.append(query)
            self.changed.notify_all()
            await self.changed.wait_for(lambda: query.gpu in self.answers)
        answer = self.answers[query.gpu]
        if isinstance(answer, MarketAway):
            raise answer
        return answer

    async def answer(self, gpu: str, answer: tuple[Offer, ...] | MarketAway) -> None:
        async with self.changed:
            self.answers[gpu] = answer
            self.changed.notify_all()

    async def was_asked(self, gpu: str) -> None:
        async with self.changed, asyncio.timeout(10):
            await self.changed.wait_for(lambda: any(query.gpu == gpu for query in self.asked))


async def choose(ours: Team, user: str, field: str, value: str | None, *, wait: bool = True) -> Json:
    """Choose a value in an input of the open form, and wait until the form shows the consequences."""
    view = await ours.modal(user)
    assert view is not None
    done = await ours.world.act(
        "click", user=user, view_id=view["view_id"], block_id=field, action_id=field, selected=value
    )
    if wait:
        await ours.context.gate.idle()
    return done


async def price_line(ours: Team, user: str) -> str:
    """Return the first line of the form. The line below the lease must have the same text."""
    view = await ours.modal(user)
    assert view is not None
    lines = str(view["reads"]).splitlines()
    assert lines.count(lines[0]) == 2
    return lines[0]


async def entered(ours: Team, user: str) -> dict[str, Any]:
    """Return the choices and texts in the open form."""
    view = await ours.modal(user)
    assert view is not None
    values = {seen["block_id"]: seen["value"] or {} for seen in view["inputs"]}
    chosen = {name: value.get("selected_option") or value for name, value in values.items()}
    boxes = {name: value["selected_options"] for name, value in values.items() if "selected_options" in value}
    texts = {name: value.get("value") for name, value in chosen.items()}
    return texts | {name: [box["value"] for box in checked] for name, checked in boxes.items()}


def h100(rate: str = "2.15") -> tuple[Offer, ...]:
    return (an_offer("o1", rate), an_offer("o2", "9.99"))


async def test_the_form_shows_and_updates_the_price_of_its_choices(tmp_path: Path) -> None:
    market = SlowMarket({"H100": h100(), "A100": ()})
    async with team(tmp_path, market=market) as ours:
        await ours.command(ANA, "get")
        assert await price_line(ours, ANA) == "Choose a GPU to see its price."
        await choose(ours, ANA, "gpu", "H100")
        assert await price_line(ours, ANA) == snapshot(
            "From $2.15/h, about $8.60 for 4 h: 1x H100, on demand, at Hyperstack."
        )
        await choose(ours, ANA, "lease", "2h")
        assert await price_line(ours, ANA) == snapshot(
            "From $2.15/h, about $4.30 for 2 h: 1x H100, on demand, at Hyperstack."
        )
        await choose(ours, ANA, "cap", "1,000")
        assert fill(await price_line(ours, ANA), 100) == snapshot(
            "Type your highest price in dollars per GPU-hour: $1000.00 or less, such as 3 or 2.50."
        )
        await choose(ours, ANA, "cap", "2.50")
        await choose(ours, ANA, "region", "EU")
        await choose(ours, ANA, "gpu", "A100")
        assert fill(await price_line(ours, ANA), 100) == snapshot("""\
Nobody offers this right now: 1x A100 in EU, on demand, under $2.50 per GPU-hour. You can still
search for similar offers.\
""")


async def test_the_form_for_an_existing_search_opens_with_a_price(tmp_path: Path) -> None:
    async with team(tmp_path, market=SlowMarket({"H100": h100("2.42")})) as ours:
        await ours.click(ANA, await ours.offered(ANA, an_offer("o1", "2.15")), "Change")
        assert await price_line(ours, ANA) == snapshot(
            "From $2.42/h, about $14.52 for 6 h: 1x H100 in EU, on demand, at Hyperstack."
        )


async def test_the_form_works_and_says_what_is_missing_if_the_market_hangs(
    tmp_path: Path,
) -> None:
    market = SlowMarket()
    async with team(tmp_path, market=market, answer_within=0.01) as ours:
        message = await ours.offered(ANA, an_offer("o1", "2.15"))
        await ours.click(ANA, message, "Change")
        assert await price_line(ours, ANA) == f"I have no price for 1x H100 in EU, on demand, {HANGS}"
        for field, value in (("note", "run 7"), ("cap", "3"), ("count", "2"), ("region", "US")):
            await choose(ours, ANA, field, value)
        before = await entered(ours, ANA)
        assert [before[each] for each in ("note", "cap", "count", "region")] == ["run 7", "3", "2", "US"]
        assert (
            await price_line(ours, ANA)
            == f"I have no price for 2x H100 in US, on demand, under $3.00 per GPU-hour, {HANGS}"
        )
        outcome = await ours.submit(ANA, lease="soon")
        assert list(outcome["errors"]) == ["lease"]
        assert await entered(ours, ANA) == {**before, "lease": "soon"}
        assert (await ours.submit(ANA, lease="2h"))["ok"]
        (quote,) = await ours.quotes(ANA)
        assert (quote.request.count, quote.request.region, quote.request.note) == (2, "US", "run 7")
        await market.answer("H100", h100())


async def test_without_a_catalog_the_form_accepts_typed_values(
    tmp_path: Path,
) -> None:
    async with team(tmp_path, market=SlowMarket({"A100": h100("1.29")})) as ours:
        catalog, ours.catalog = ours.catalog, None
        await ours.command(ANA, "get")
        missing = "I don't have Compute Clear's catalog yet"
        assert (await price_line(ours, ANA)).startswith(missing)
        for field, value in (("gpu", "a100 80gb"), ("region", "europe"), ("note", "run 7")):
            await choose(ours, ANA, field, value)
        assert (await price_line(ours, ANA)).startswith(missing)
        before = await entered(ours, ANA)
        outcome = await ours.submit(ANA)
        assert missing in outcome["errors"]["gpu"]
        assert await entered(ours, ANA) == before

        ours.catalog = catalog
        errors = (await ours.submit(ANA, gpu="h10", region="mars", vendor="aws"))["errors"]
        assert errors["gpu"] == "Nobody offers this GPU right now. Similar names: H100, A10, H200."
        assert errors["region"] == "I don't know this region. Regions: US, EU, APAC, Other."
        assert errors["vendor"].startswith("I don't know this vendor. Vendors: nebius, hyperstack,")
        await choose(ours, ANA, "gpu", "a100 80gb")
        await choose(ours, ANA, "region", "europe")
        await choose(ours, ANA, "vendor", "")
        assert (await price_line(ours, ANA)).startswith("From $1.29/h")
        assert (await ours.submit(ANA))["ok"]
        (quote,) = await ours.quotes(ANA)
        request = quote.request
        assert (request.gpu, request.features, request.region, request.vendor, request.note) == snapshot(
            ("A100", ("80gb",), "EU", None, "run 7")
        )


async def test_a_late_market_answer_is_used_by_the_next_equal_choice(tmp_path: Path) -> None:
    market = SlowMarket()
    async with team(tmp_path, market=market, answer_within=0.01) as ours:
        for user in (ANA, BEN):
            await ours.command(user, "get")
            await choose(ours, user, "gpu", "H100")
        await market.answer("H100", h100())
        await choose(ours, BEN, "lease", "6h")
        assert (await price_line(ours, BEN)).startswith("From $2.15/h, about $12.90 for 6 h")
        assert len(market.asked) == 1
        ours.clock.put(NOON + timedelta(seconds=61))
        await choose(ours, BEN, "lease", "2h")
        assert len(market.asked) == 2


async def test_the_price_of_an_earlier_choice_never_replaces_a_later_one(tmp_path: Path) -> None:
    market = SlowMarket({"A100": h100("1.29")})
    async with team(tmp_path, market=market) as ours:
        await ours.command(ANA, "get")
        await choose(ours, ANA, "gpu", "H100", wait=False)
        await market.was_asked("H100")
        await choose(ours, ANA, "gpu", "A100", wait=False)
        await market.was_asked("A100")
        await market.answer("H100", h100())
        await ours.context.gate.idle()
        assert "1x A100" in await price_line(ours, ANA)
        assert (await entered(ours, ANA))["gpu"] == "A100"


async def test_a_price_that_arrives_after_the_submission_is_dropped(
    tmp_path: Path,
) -> None:
    market = SlowMarket()
    async with team(tmp_path, market=market) as ours:
        await ours.command(ANA, "get")
        await choose(ours, ANA, "gpu", "H100", wait=False)
        await market.was_asked("H100")
        view = await ours.modal(ANA)
        assert view is not None
        await ours.world.act("submit", user=ANA, view_id=view["view_id"], values={"lease": {"lease": "soon"}})
        await market.answer("H100", h100())
        await ours.context.gate.idle()
        after = await ours.modal(ANA)
        assert after is not None
        assert (list(after["errors"]), after["hash"]) == (["lease"], view["hash"])


async def test_a_price_is_shown_even_if_an_earlier_one_updated_the_form(
    tmp_path: Path,
) -> None:
    async with team(tmp_path, market=SlowMarket({"H100": h100(), "A100": h100("1.29")})) as ours:
        await ours.command(ANA, "get")
        calls = []
        for gpu in ("H100", "A100"):
            calls.append(await ours.fault("views.update", "hold_before"))
            await choose(ours, ANA, "gpu", gpu, wait=False)
            assert (await ours.world.get(f"faults/{calls[-1]}", wait=5))["hits"] == 1
        for call in calls:
            await ours.world.act(f"faults/{call}/release")
        await ours.context.gate.idle()
        assert "1x A100" in await price_line(ours, ANA)


@pytest.mark.parametrize("error", ["hash_conflict", "not_found"])
async def test_a_form_that_changed_or_closed_in_the_meantime_is_not_updated(tmp_path: Path, error: str) -> None:
    async with team(tmp_path, market=SlowMarket({"H100": h100()})) as ours:
        await ours.command(ANA, "get")
        await ours.refuse("views.update", error)
        await choose(ours, ANA, "gpu", "H100")
        assert await price_line(ours, ANA) == "Choose a GPU to see its price."
        await choose(ours, ANA, "lease", "6h")
        assert (await price_line(ours, ANA)).startswith("From $2.15/h")
        assert await ours.replies() == []


async def test_form_prices_have_their_own_limit_besides_the_six_searches(tmp_path: Path) -> None:
    market = SlowMarket({"H100": h100()})
    async with team(tmp_path, market=market) as ours:
        await ours.has_key(ANA)
        await ours.command(ANA, "get")
        for n in range(25):
            await choose(ours, ANA, "gpu", "H100")
            await choose(ours, ANA, "count", str(n % 2 + 1))
        assert "I have no price for" in await price_line(ours, ANA)
        assert len(market.asked) == 2
        assert (await ours.submit(ANA))["ok"]
        assert await ours.command(ANA, "get H100 EU") == ""


async def test_a_failed_market_call_is_repeated_by_the_next_choice(tmp_path: Path) -> None:
    market = SlowMarket({"H100": MarketAway("no answer", may_have_bought=False)})
    async with team(tmp_path, market=market) as ours:
        await ours.command(ANA, "get")
        await choose(ours, ANA, "gpu", "H100")
        assert await price_line(ours, ANA) == f"I have no price for 1x H100, on demand, {HANGS}"
        await market.answer("H100", h100())
        await choose(ours, ANA, "lease", "6h")
        assert (await price_line(ours, ANA)).startswith("From $2.15/h")


async def test_waiting_conditions_in_the_form_replace_the_typed_ones(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.has_key(ANA)
        await ours.command(ANA, "wait H100 EU until fri any time")
        (asked,) = await ours.quotes(ANA)
        await ours.forge(ANA, "change", asked.id)
        opened = await entered(ours, ANA)
        assert (opened["waits"], opened["more"]) == ("2026-11-27 20:00", ["any-time"])
        assert (await ours.submit(ANA, more=[]))["ok"]
        waitlist_entries = [
            quote.waitlist_entry for quote in await ours.quotes(ANA) if quote.waitlist_entry is not None
        ]
        assert {(waitlist_entry.until, waitlist_entry.any_time) for waitlist_entry in waitlist_entries} == {
            (FRIDAY_EVENING, True),
            (FRIDAY_EVENING, False),
        }
        await ours.forge(ANA, "change", asked.id)
        assert (await ours.submit(ANA, waits="", more=[]))["ok"]
        assert [quote.waitlist_entry for quote in await ours.quotes(ANA)].count(None) == 1


async def test_the_form_supports_wait_until_now_and_any_time(tmp_path: Path) -> None:
    async with team(tmp_path, market=SlowMarket({"H100": h100()})) as ours:
        await ours.has_key(ANA, BEN)
        await ours.command(ANA, "get")
        assert list((await ours.submit(ANA, gpu="H100", waits="someday"))["errors"]) == ["waits"]
        assert list((await ours.submit(ANA, waits="fri", start="9:00 tomorrow"))["errors"]) == ["waits"]
        assert list((await ours.submit(ANA, start="", lease="until 18:00"))["errors"]) == ["lease"]
        assert (await ours.submit(ANA, lease="6h", more=["any-time", "now"]))["ok"]
        (quote,) = await ours.quotes(ANA)
        assert quote.waitlist_entry is not None
        assert (quote.waitlist_entry.any_time, quote.waitlist_entry.until, quote.rent_now) == (
            True,
            FRIDAY_EVENING,
            False,
        )
        await ours.command(BEN, "get")
        assert (await ours.submit(BEN, gpu="H100", more=["now"]))["ok"]
        (quote,) = await ours.quotes(BEN)
        assert (quote.waitlist_entry, quote.rent_now) == (None, True)


def test_the_oldest_forms_are_forgotten_if_there_are_too_many() -> None:
    forms = OpenForms()
    turns = [forms.begin(f"V{n}", "hash") for n in range(FORMS_REMEMBERED + 1)]
    assert not forms.is_newest(turns[0])
    assert forms.is_newest(turns[1])


def test_a_choice_made_during_an_update_uses_the_new_state() -> None:
    forms = OpenForms()
    first, second = forms.begin("V1", "before"), forms.begin("V1", "before")
    forms.updated(first, "after")
    assert (second.hash, forms.is_newest(second)) == ("after", True)
    third = forms.begin("V1", "newer")
    forms.updated(second, "later")
    assert third.hash == "newer"


def test_a_choice_made_just_before_an_update_arrived_uses_the_new_state() -> None:
    forms = OpenForms()
    forms.updated(forms.begin("V1", "before"), "after")
    late = forms.begin("V1", "before")
    assert (late.hash, forms.is_newest(late)) == ("after", True)
    forms.updated(late, "later")
    forms.forget("V1")
    assert forms.begin("V1", "after").hash == "after"

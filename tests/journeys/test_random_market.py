"""The bot with a market that answers with random valid data."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.journeys.checks import log_is_clean
from tests.journeys.random_market import RandomMarket
from tests.journeys.world import World, open_world

STEPS = 12
SEED = 1


def fits(offer: dict[str, Any], *, at_most: Decimal) -> bool:
    """Return whether an offer is one H100 on demand in the EU, with a usable price of at most `at_most`."""
    total = offer.get("total_price_per_hour")
    if total is None:
        parts = [offer.get("gpu_price_per_hour"), offer.get("storage_price_per_hour")]
        total = sum(part for part in parts if part is not None) if parts[0] is not None else None
    return (
        "h100" in str(offer["gpu_type"]).lower()
        and offer["gpu_count"] == 1
        and offer.get("region") == "EU"
        and offer.get("contract_type") != "spot"
        and offer.get("type") != "cluster"
        and total is not None
        and 0 < Decimal(str(total)) <= at_most
    )


async def ask_and_rent(world: World) -> None:
    """Let Ana search until there is an offer, and rent it. Gives up after six searches."""
    for _ in range(6):
        await world.play.types("Ana", "#training", "get H100 EU for 1h under $3")
        await world.passes(timedelta(minutes=3))
        last = [m for m in await world.sandbox.see(world.people["Ana"]) if m.only_you][-1]
        assert last.text.strip()
        if any(button.text.startswith("Rent from") for button in last.buttons):
            assert (await world.clicks("Ana", last, "Rent from")).ok
            return


async def test_random_valid_answers_cause_no_crash_and_no_wrong_purchase(
    folder: Path,
) -> None:
    market = RandomMarket(SEED)
    await market.start()
    try:
        async with open_world(folder, COMPUTE_CLEAR_URL=market.url) as world:
            await world.start()
            await world.sets_key()
            await ask_and_rent(world)
            for _ in range(STEPS):
                await world.next_due_time()
            await world.play.types("Ana", "#training", "list")
            assert world.bot.process.returncode is None
            assert await world.stop() == 0
            log_is_clean(world)
            assert "market." in world.log.read_text(encoding="utf-8")
    finally:
        await market.stop()
    assert market.asked["get_offers"]
    for offer_id in market.procured:
        assert fits(market.offered[offer_id], at_most=Decimal(3)), json.dumps(market.offered[offer_id])
    assert len(market.procured) == len(set(market.procured))

"""The progress of offers and the account's resources over real HTTP."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from bot.errors import MarketAway
from bot.lifecycle.outside import OfferProgress
from bot.market.client import ComputeClear
from tests.market.conftest import NOON, Api

OFFER = "5e9f2b1a-0000-4000-8000-000000000001"
RESOURCE = "3c90c3cc-0000-4000-8000-000000000002"
STATUS_PATH = f"/offers/{OFFER}/status"


async def test_the_progress_of_known_and_unknown_offers_is_reported(api: Api, market: ComputeClear) -> None:
    assert await market.progress(OFFER) == OfferProgress()
    api.answer(
        STATUS_PATH,
        {
            "offer_id": OFFER,
            "status": "procured",
            "procurement_status": "ready",
            "instances": [{"status": "running", "external_ip": "127.0.0.2"}],
        },
    )
    progress = await market.progress(OFFER)
    assert (progress.ready, progress.in_progress) == (True, False)
    assert progress.all_running


async def test_resources_that_belong_only_to_other_offers_are_left_out(api: Api, market: ComputeClear) -> None:
    ours, bare, foreign = (
        {"resource_id": "r1", "status": "running", "offer_history": [{"offer_id": OFFER.upper()}]},
        {"resource_id": "r2", "status": "running"},
        {"resource_id": "r3", "status": "running", "offer_history": [{"offer_id": "another"}]},
    )
    api.answer("/resources", {"items": [ours, bare, foreign]})
    assert [found.resource_id for found in await market.resources(OFFER)] == ["r1", "r2"]
    assert [found.resource_id for found in await market.resources()] == ["r1", "r2", "r3"]
    assert [seen.query for seen in api.seen] == [{"offer_id": OFFER}, {}]


async def test_a_partial_list_of_the_account_is_refused(api: Api, market: ComputeClear) -> None:
    api.answer("/resources", {"resources": [{"resource_id": "r1", "status": "running"}], "total_count": 2})
    with pytest.raises(MarketAway):
        await market.resources()
    assert len(await market.resources(OFFER)) == 1


async def test_404_means_no_resources_for_an_offer_but_otherwise_an_outage(
    market: ComputeClear,
) -> None:
    assert await market.resources(OFFER) == ()
    with pytest.raises(MarketAway):
        await market.resources()


async def test_a_single_resource_is_read_or_not_found(api: Api, market: ComputeClear) -> None:
    path = f"/resources/{RESOURCE}"
    assert await market.resource(RESOURCE) is None
    api.answer(
        path,
        {
            "resource_id": RESOURCE,
            "status": "Running",
            "pricing_total_hourly": 2.42,
            "valid_from": "2026-03-02T11:00:00",
            "valid_to": "0001-01-01T00:00:00Z",
            "access": {"external_ip": "127.0.0.1", "ssh_port": 2201},
        },
    )
    found = await market.resource(RESOURCE, fresh=True)
    assert found is not None
    assert (found.status, found.host, found.port, found.rate) == ("running", "127.0.0.1", 2201, Decimal("2.42"))
    assert (found.valid_from, found.valid_to) == (NOON - timedelta(hours=1), None)
    assert [seen.query for seen in api.seen] == [{}, {"force_refresh": "true"}]


async def test_an_end_before_the_start_is_ignored(api: Api, market: ComputeClear) -> None:
    """Otherwise the receipt would say that the machine cost nothing."""
    resource = {
        "resource_id": RESOURCE,
        "status": "deleted",
        "pricing_total_hourly": 2,
        "valid_from": "2026-03-02T11:00:00",
    }
    for end, taken in (("2026-03-02T10:59:59", None), ("2026-03-02T11:00:00", NOON - timedelta(hours=1))):
        api.answer(f"/resources/{RESOURCE}", {**resource, "valid_to": end})
        found = await market.resource(RESOURCE)
        assert found is not None
        assert (found.deleted, found.valid_to) == (True, taken)


async def test_an_answer_about_another_resource_is_refused(api: Api, market: ComputeClear) -> None:
    api.answer(f"/resources/{RESOURCE}", {"resource_id": "another", "status": "deleted"})
    with pytest.raises(MarketAway):
        await market.resource(RESOURCE)


async def test_a_deletion_is_forced_and_can_be_repeated(api: Api, market: ComputeClear) -> None:
    path = f"/resources/{RESOURCE}"
    assert await market.delete(RESOURCE) is False
    api.answer(path, {"resource_id": RESOURCE, "status": "deleting", "message": "ok"})
    assert await market.delete(RESOURCE) is True
    api.answer_bytes(path, b"", status=204)
    assert await market.delete(RESOURCE) is True
    api.answer(path, {"detail": "already deleted"}, status=409)
    assert await market.delete(RESOURCE) is True
    assert {(seen.method, seen.query["force"]) for seen in api.seen} == {("DELETE", "true")}


async def test_422_means_no_such_resource_only_for_ids_that_are_not_uuids(api: Api, market: ComputeClear) -> None:
    for known in ("7", RESOURCE):
        api.answer(f"/resources/{known}", {"detail": "Input should be a valid UUID"}, 422)
    assert await market.resource("7", fresh=True) is None
    assert not await market.delete("7")
    for call in (market.resource(RESOURCE, fresh=True), market.delete(RESOURCE)):
        with pytest.raises(MarketAway):
            await call


async def test_a_deletion_without_a_clear_answer_is_not_accepted(api: Api, market: ComputeClear) -> None:
    path = f"/resources/{RESOURCE}"
    for status, content in ((500, b"{}"), (200, b"oops"), (200, b"[]"), (422, b"{}")):
        api.answer_bytes(path, content, status)
        with pytest.raises(MarketAway):
            await market.delete(RESOURCE)


async def test_an_id_cannot_lead_to_another_path(api: Api, market: ComputeClear) -> None:
    assert await market.resource("../offers") is None
    assert api.seen[0].path == "/resources/../offers"
    assert len(api.seen) == 1


async def test_resource_ids_are_read_even_if_other_fields_are_unusable(api: Api, market: ComputeClear) -> None:
    api.answer(
        "/resources",
        {
            "resources": [
                {"resource_id": "r1", "status": "Running", "offer_history": [{"offer_id": OFFER.upper()}]},
                {"resource_id": "r2", "pricing_total_hourly": "?", "valid_from": [], "access": 7},
                {"resource_id": "r3", "status": "running", "offer_history": [{"offer_id": "another"}]},
                {"resource_id": "../r4", "status": "running"},
                "r5",
            ]
        },
    )
    assert await market.resource_ids(OFFER) == {"r1": "running", "r2": "unknown"}


async def test_an_offer_that_is_not_found_has_no_resources(market: ComputeClear) -> None:
    assert await market.resource_ids(OFFER) == {}

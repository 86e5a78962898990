"""Events of rentals arrive at receivers that check signatures, are slow, fail, or are away."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs
from typing_extensions import override

from bot.api import openapi
from bot.api.webhooks import WebhookSender, delay, signed
from bot.config.settings import webhook_key
from bot.lifecycle.deps import Deps
from bot.lifecycle.loops.jobs import WEBHOOKS
from bot.lifecycle.loops.retention import drop_old
from bot.model.base import changed
from bot.model.event import EventKind
from bot.model.state import State
from bot.model.webhook import WebhookEvent
from bot.net.webhook_session import Outcome, WebhookSession
from bot.policy.team.rules import Webhook
from store.db import Database
from tests.api.world import RULES, api_of
from tests.certificates import certificate_for
from tests.lifecycle.failing import FailingStore
from tests.lifecycle.world import HOUR, MINUTE, SECOND, World, world
from tests.webhook_receiver import HOST, Names, Receiver, receiver, trusting

OTHER = "other.example.com"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - the example of Standard Webhooks
DAY = timedelta(days=1)
PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")


class Hooks:
    """A world whose events are sent to receivers."""

    def __init__(self, here: World, certificate: Path) -> None:
        self.world = here
        self.secret: SecretStr | None = SecretStr(SECRET)
        self.names = Names()
        self.tls = trusting(certificate)
        self.session = WebhookSession(tls=self.tls, resolver=self.names, seconds=60)
        self.results: list[str] = []
        self.due: datetime | None = None
        """The time at which the sender looks for work again."""
        self.sender = self.new_sender()

    def new_sender(
        self, deps: Deps | None = None, *, session: WebhookSession | None = None, may_send: bool = True
    ) -> WebhookSender:
        """Return a sender as after a restart of the process."""
        self.sender = WebhookSender(
            deps or self.world.deps,
            session or self.session,
            secret=lambda: self.secret,
            may_send=lambda: may_send,
            on_result=self.results.append,
        )
        return self.sender

    def name(self, *webhooks: Webhook) -> None:
        """Name these receivers in the policy."""
        self.world.restart(replace(self.world.deps, rules=changed(self.world.deps.rules, webhooks=webhooks)))
        self.new_sender()

    async def send(self) -> None:
        """Send everything that is due."""
        while True:
            self.due = await self.sender.turn()
            if not self.sender.in_flight:
                return
            await self.sender.finish()

    async def pass_time(self, span: timedelta) -> None:
        """Let time pass, and send events as they become due."""
        until = self.world.now + span
        await self.send()
        while self.due is not None and self.due <= until:
            self.world.jump(max(self.due - self.world.now, timedelta(0)))
            await self.send()
        self.world.jump(until - self.world.now)

    async def drop_old(self) -> None:
        """Run the job that drops old events, which the bot does every ten minutes."""
        await drop_old(self.world.deps)

    async def alerts(self) -> list[EventKind]:
        """Return the alerts about receivers, oldest first."""
        kinds = await self.world.account_event_kinds()
        return [kind for kind in kinds if kind in {EventKind.WEBHOOK_FAILS, EventKind.WEBHOOK_WORKS}]

    async def waiting(self, *receivers: Receiver) -> bool:
        """Return whether any event still has to be sent to these receivers."""
        async with self.world.database.read() as tx:
            return any([await tx.webhooks.next(one.url) is not None for one in receivers])


def hook(to: Receiver, *events: WebhookEvent, private: bool = True) -> Webhook:
    return Webhook(url=to.url, events=events or tuple(WebhookEvent), private=private)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate_for(tmp_path_factory.mktemp("certificates"), HOST, OTHER)


@pytest.fixture
async def hooks(sqlite_url: str, certificate: Path) -> AsyncIterator[Hooks]:
    async with world(sqlite_url, rules=RULES) as here:
        yield Hooks(here, certificate)


@pytest.fixture
async def ana(hooks: Hooks, certificate: Path) -> AsyncIterator[Receiver]:
    """A receiver that the policy names."""
    async with receiver(certificate) as made:
        hooks.name(hook(made))
        yield made


def test_signatures_are_those_of_standard_webhooks() -> None:
    """The values are those in the tests of the format's own libraries."""
    at = datetime.fromtimestamp(1_614_265_330, UTC)
    event_id, body = "msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}'
    assert signed(webhook_key(SecretStr(SECRET)), event_id, at, body) == {
        "webhook-id": event_id,
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def documented(now: datetime) -> Callable[[str, Mapping[str, str], bytes], dict[str, Any]]:
    """Return the function with which docs/api.md checks signatures, at this time."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102 - it is our own page
    names["time"] = SimpleNamespace(time=now.timestamp)
    return cast(Callable[[str, Mapping[str, str], bytes], dict[str, Any]], names["verified"])


async def test_the_function_on_the_page_accepts_only_what_was_signed(hooks: Hooks, ana: Receiver) -> None:
    await hooks.world.get()
    await hooks.send()
    call, verified = ana.calls[0], documented(hooks.world.now)
    assert verified(SECRET, call.headers, call.body) == call.payload
    late = documented(hooks.world.now + 10 * MINUTE)
    for check, secret, headers, body in (
        (verified, "whsec_" + "A" * 32, call.headers, call.body),
        (verified, SECRET, call.headers, call.body.replace(b"Ana", b"Ben")),
        (verified, SECRET, {**call.headers, "webhook-id": "m3xt8-1"}, call.body),
        (late, SECRET, call.headers, call.body),
    ):
        with pytest.raises(ValueError, match="too old" if check is late else "not from gpubot"):
            check(secret, headers, body)


async def test_a_receiver_gets_all_events_in_order_and_the_rental_without_its_address(
    hooks: Hooks, ana: Receiver
) -> None:
    """A program's rental looks as it does to the program."""
    async with api_of(hooks.world) as api:
        await api.token()
        rental = await api.rented("run-812")
        await hooks.send()
        assert ana.names == ["rental.requested", "rental.starting", "rental.ready"]
        numbers = [payload["number"] for payload in ana.payloads]
        assert numbers == sorted(set(numbers))
        newest = ana.payloads[-1]
        shown = await api.shown(rental.id)
        assert shown["ssh"] is not None
        without_login = shown["next_step"].replace("Log in with ssh.command. ", "")
        assert newest["rental"] == {**shown, "ssh": None, "next_step": without_login}
        assert newest["id"] == ana.calls[-1].headers["webhook-id"] == f"{rental.id}-{newest['number']}"
        ready = await hooks.world.last_event(rental, EventKind.READY)
        assert datetime.fromisoformat(newest["time"]) == ready.at
        assert rental.host is not None
        assert rental.host.encode() not in b"".join(call.body for call in ana.calls)


async def test_the_openapi_document_describes_the_request(hooks: Hooks, ana: Receiver) -> None:
    document = json.loads(openapi.document())
    described = document["webhooks"]["rental"]["post"]
    assert described["requestBody"]["content"] == {
        "application/json": {"schema": {"$ref": "#/components/schemas/RentalEvent"}}
    }
    await hooks.world.get()
    await hooks.send()
    call = ana.calls[0]
    assert {each["name"] for each in described["parameters"]} == {
        name.lower() for name in call.headers if name.lower().startswith("webhook-")
    }
    schemas = document["components"]["schemas"]
    assert set(call.payload) == set(schemas["RentalEvent"]["properties"])
    assert set(call.payload["rental"]) == set(schemas["Rental"]["properties"])
    assert call.payload["name"] in schemas["WebhookEvent"]["enum"]


async def test_a_persons_rental_shows_neither_money_nor_a_key(hooks: Hooks, ana: Receiver) -> None:
    rental = await hooks.world.ready(note="for the demo")
    await hooks.world.until(await hooks.world.destroy(rental), State.DESTROYED)
    await hooks.send()
    newest = ana.payloads[-1]
    assert newest["name"] == "rental.ended"
    shown = newest["rental"]
    assert (shown["state"], shown["token"], shown["note"]) == ("ended", "Ana", "for the demo")
    assert (shown["money"], shown["key"], shown["ssh"], shown["heartbeat_until"]) == (None, None, None, None)
    assert shown["next_step"] == "A person rented this machine, so programs can only look at it."


async def test_a_receiver_that_was_down_for_an_hour_misses_nothing(hooks: Hooks, certificate: Path) -> None:
    """It is called ever more rarely, and an alert says since when it has been down."""
    async with receiver(certificate) as down:
        hooks.name(hook(down))
    rental = await hooks.world.ready()
    with capture_logs() as logs:
        await hooks.pass_time(HOUR)
    failures = [line for line in logs if line["event"] == "webhooks.not_accepted"]
    assert {(line["why"], line["host"]) for line in failures} == {("it can't be reached", HOST)}
    assert 8 <= len(failures) <= 12
    assert await hooks.alerts() == [EventKind.WEBHOOK_FAILS]
    async with receiver(certificate, port=down.port) as up:
        await hooks.pass_time(15 * MINUTE)
        assert up.names == ["rental.requested", "rental.starting", "rental.ready"]
        assert {payload["rental"]["id"] for payload in up.payloads} == {rental.id}
        assert {payload["rental"]["state"] for payload in up.payloads} == {"ready"}
    assert await hooks.alerts() == [EventKind.WEBHOOK_FAILS, EventKind.WEBHOOK_WORKS]


async def test_events_that_are_not_accepted_for_a_day_are_dropped_with_one_alert(
    hooks: Hooks, ana: Receiver
) -> None:
    """The other receiver has got everything, and later events arrive."""
    ana.status = 500
    rental = await hooks.world.get()
    await hooks.pass_time(DAY + MINUTE)
    with capture_logs() as logs:
        await hooks.drop_old()
    assert [line["events"] for line in logs if line["event"] == "webhooks.dropped"] == [2]
    tries, ana.status = len(ana.calls), 200
    assert 90 < tries < 120
    assert {call.headers["webhook-id"] for call in ana.calls} == {ana.calls[0].headers["webhook-id"]}
    assert len({call.headers["webhook-timestamp"] for call in ana.calls}) == tries
    assert await hooks.alerts() == [EventKind.WEBHOOK_FAILS]
    assert not await hooks.waiting(ana)
    await hooks.pass_time(DAY)
    assert len(ana.calls) == tries
    await hooks.world.destroy(await hooks.world.rental(rental.id))
    await hooks.pass_time(MINUTE)
    assert ana.payloads[-1]["rental"]["id"] == rental.id
    assert len(ana.calls) > tries
    assert await hooks.alerts() == [EventKind.WEBHOOK_FAILS, EventKind.WEBHOOK_WORKS]


def test_the_time_between_two_tries_grows_up_to_15_minutes() -> None:
    assert [delay(n) / SECOND for n in range(1, 10)] == [10, 20, 40, 80, 160, 320, 640, 900, 900]
    assert delay(10_000) == 15 * MINUTE


async def test_a_receiver_that_does_not_answer_delays_no_other(hooks: Hooks, certificate: Path) -> None:
    async with receiver(certificate) as slow, receiver(certificate, OTHER) as quick:
        hooks.session = WebhookSession(tls=hooks.tls, resolver=hooks.names, seconds=2)
        hooks.name(hook(slow), hook(quick))
        slow.open.clear()
        first, second = await hooks.world.get(), await hooks.world.get(lease=HOUR)
        await hooks.send()
        assert {payload["rental"]["id"] for payload in quick.payloads} == {first.id, second.id}
        assert not await hooks.waiting(quick)
        assert len(slow.calls) == 1, "its other events wait"
        slow.open.set()
        await hooks.pass_time(MINUTE)
        ids, others = ([payload["id"] for payload in one.payloads] for one in (slow, quick))
        assert sorted(ids[1:]) == sorted(others)
        assert ids[0] in ids[1:]


async def test_an_event_that_a_receiver_refuses_delays_no_other_rental(hooks: Hooks, ana: Receiver) -> None:
    ana.status = 400
    first = await hooks.world.get()
    await hooks.send()
    ana.status = 200
    second = await hooks.world.get(lease=HOUR)
    await hooks.send()
    got = [payload["rental"]["id"] for payload in ana.payloads]
    assert got[0] == first.id
    assert set(got[1:]) == {second.id}
    await hooks.pass_time(10 * SECOND)
    assert ana.payloads[-1]["rental"]["id"] == first.id


async def test_admins_learn_once_of_an_event_that_a_receiver_refuses_for_a_day(
    hooks: Hooks, ana: Receiver
) -> None:
    """The receiver accepts the events of other rentals in the meantime."""
    first = await hooks.world.get()
    ana.refuses = first.id
    for _ in range(12):
        await hooks.world.destroy(await hooks.world.get(lease=HOUR))
        await hooks.pass_time(20 * MINUTE)
    assert await hooks.alerts() == [EventKind.WEBHOOK_FAILS]
    await hooks.pass_time(DAY)
    await hooks.drop_old()
    await hooks.world.get(lease=HOUR)
    await hooks.pass_time(MINUTE)
    assert await hooks.alerts() == [EventKind.WEBHOOK_FAILS, EventKind.WEBHOOK_WORKS]


async def test_two_receivers_are_called_at_a_time_and_each_with_one_event(hooks: Hooks, certificate: Path) -> None:
    async with AsyncExitStack() as stack:
        all_three = [await stack.enter_async_context(receiver(certificate)) for _ in range(3)]
        hooks.name(*map(hook, all_three))
        for one in all_three:
            one.open.clear()
        await hooks.world.get()
        assert await hooks.sender.turn() is None
        assert hooks.sender.in_flight == 2
        await asyncio.gather(*(one.called.wait() for one in all_three[:2]))
        await hooks.sender.turn()
        assert [len(one.calls) for one in all_three] == [1, 1, 0]
        all_three[1].open.set()
        await asyncio.wait(hooks.sender._sending.values(), return_when=asyncio.FIRST_COMPLETED)
        await hooks.sender.turn()
        await all_three[2].called.wait()
        assert len(all_three[1].calls) == 1, "the third receiver was next"
        for one in all_three:
            one.open.set()
        await hooks.send()
        assert len({tuple(call.payload["id"] for call in one.calls) for one in all_three}) == 1


async def test_a_commit_wakes_the_loop(hooks: Hooks, ana: Receiver) -> None:
    running = asyncio.create_task(hooks.sender.run())
    await hooks.world.get()
    await ana.called.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await hooks.sender.finish()
    assert ana.payloads[0]["name"] == "rental.requested"


async def test_a_call_that_takes_too_long_when_the_bot_stops_is_made_again_later(
    hooks: Hooks, ana: Receiver
) -> None:
    ana.open.clear()
    await hooks.world.get()
    await hooks.sender.turn()
    await ana.called.wait()
    await hooks.sender.drain(0)
    assert hooks.sender.in_flight == 0
    assert await hooks.waiting(ana)
    ana.open.set()
    hooks.new_sender()
    await hooks.send()
    assert ana.payloads[0]["id"] == ana.payloads[1]["id"]
    assert not await hooks.waiting(ana)


async def test_a_result_that_can_not_be_stored_is_stored_later_without_another_call(
    hooks: Hooks, ana: Receiver
) -> None:
    store = FailingStore(hooks.world.database)
    store.refuses_writes = False
    ana.open.clear()
    sender = hooks.new_sender(replace(hooks.world.deps, store=cast(Database, store)))
    await hooks.world.get()
    await sender.turn()
    await ana.called.wait()
    store.refuses_writes = True
    hooks.world.clock.paused.clear()
    ana.open.set()
    await hooks.world.clock.paused.wait()
    await sender.turn()
    assert len(ana.calls) == 1
    store.refuses_writes = False
    await hooks.send()
    ids = [payload["id"] for payload in ana.payloads]
    assert len(set(ids)) == len(ids)
    assert not await hooks.waiting(ana)


async def test_a_result_is_not_stored_once_another_process_sends_webhooks(hooks: Hooks, ana: Receiver) -> None:
    """That process sends the event again."""
    deps = replace(hooks.world.deps, claimed=WEBHOOKS)
    async with deps.store.write() as tx:
        await tx.jobs.begin(WEBHOOKS, deps.clock.now())
    await hooks.world.get()
    hooks.new_sender(deps)
    await hooks.sender.turn()
    await hooks.sender.finish()
    assert len(ana.calls) == 1
    assert await hooks.waiting(ana)
    hooks.new_sender(deps, may_send=False)
    await hooks.sender.turn()
    await hooks.sender.finish()
    assert len(ana.calls) == 1
    assert await hooks.waiting(ana)


async def test_an_event_that_a_bug_keeps_back_delays_no_other_rental(hooks: Hooks, ana: Receiver) -> None:
    first = await hooks.world.get()

    class Broken(WebhookSession):
        @override
        async def post(self, url: str, headers: Mapping[str, str], body: bytes, *, private: bool) -> Outcome:
            if first.id.encode() in body:
                raise OverflowError
            return await hooks.session.post(url, headers, body, private=private)

    sender = hooks.new_sender(session=Broken())
    second = await hooks.world.get(lease=HOUR)
    await hooks.send()
    assert {payload["rental"]["id"] for payload in ana.payloads} == {second.id}
    assert sender.in_flight == 0
    assert await hooks.waiting(ana)


async def test_without_a_secret_nothing_is_sent_and_the_admins_learn_why(hooks: Hooks, ana: Receiver) -> None:
    hooks.secret = None
    await hooks.world.get()
    await hooks.pass_time(15 * MINUTE)
    assert ana.calls == []
    facts = (await hooks.world.account_event(EventKind.WEBHOOK_FAILS)).facts
    assert (facts.host, facts.detail) == (HOST, "GPUBOT_WEBHOOK_SECRET isn't set")
    hooks.secret = SecretStr(SECRET)
    hooks.sender.end_pauses()
    await hooks.send()
    assert ana.payloads[0]["name"] == "rental.requested"


async def test_events_for_a_receiver_that_the_policy_no_longer_names_are_dropped(
    hooks: Hooks, ana: Receiver
) -> None:
    ana.status = 503
    await hooks.world.get()
    await hooks.send()
    assert await hooks.waiting(ana)
    hooks.name()
    await hooks.pass_time(HOUR)
    await hooks.drop_old()
    hooks.name(hook(ana))
    await hooks.pass_time(HOUR)
    assert len(ana.calls) == 1
    assert not await hooks.waiting(ana)
    assert await hooks.alerts() == []


async def test_a_public_receiver_whose_name_leads_to_loopback_gets_nothing(hooks: Hooks, ana: Receiver) -> None:
    hooks.name(hook(ana, private=False))
    await hooks.world.get()
    await hooks.pass_time(HOUR / 2)
    assert ana.calls == []
    facts = (await hooks.world.account_event(EventKind.WEBHOOK_FAILS)).facts
    assert facts.detail == "its address is private, which needs `private: true`"


async def test_neither_secret_nor_path_of_a_receiver_is_logged_or_stored(hooks: Hooks, ana: Receiver) -> None:
    ana.status = 500
    ana.body = b"a stack trace with a password"
    await hooks.world.get()
    with capture_logs() as logs:
        await hooks.pass_time(HOUR / 2)
    stored = str(await hooks.world.account_history())
    for text in (SECRET, SECRET.removeprefix("whsec_"), "/events", "password"):
        assert text not in str(logs) + stored
    assert hooks.results == ["refused"] * len(ana.calls)

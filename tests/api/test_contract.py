"""Checks with Schemathesis that the answers to generated requests follow the OpenAPI document of the API.

Requests are sent with a token, with none, and with another person's. No answer is a server error, and none ignores
the authentication. Only logins need none, because a program without a token begins them.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation.stateful import run_state_machine_as_test
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    ignored_auth,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from bot.api import openapi
from bot.api.answers import LOGINS
from handlers.listeners.context import Pace
from tests.api.world import H100, Api, api_world
from tests.databases import fresh_sqlite
from tests.lifecycle.world import BEN

T = TypeVar("T")
DOCUMENT = json.loads(openapi.document())
# All checks of schemathesis except these: positive_data_acceptance, because the rules refuse many well-formed
# requests; missing_required_header, because no header is always required; use_after_free and
# ensure_resource_availability, because a released rental can still be read.
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    unsupported_method,
    allow_header_conformance,
    ignored_auth,
]
BOUNDED = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
schema = schemathesis.openapi.from_dict(DOCUMENT)


@dataclass
class Running:
    """The API in its own thread, because schemathesis blocks until it gets an answer."""

    loop: asyncio.AbstractEventLoop
    api: Api
    url: str
    secret: str
    others_secret: str
    rental_id: str

    def run(self, what: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(what, self.loop).result()

    def headers(self, secret: str) -> dict[str, str]:
        """Return headers with a secret. Every program may be as fast as it likes here."""
        server, fast = self.api.server, Pace(at_once=1000, per_second=1000)
        server.pace = server.logins.begun = server.logins.shown = fast
        return {"Authorization": f"Bearer {secret}"} if secret else {}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    loop, stack = asyncio.new_event_loop(), AsyncExitStack()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def start() -> Running:
        url = await fresh_sqlite(Path(tmp_path_factory.mktemp("contract")) / "gpubot.db")
        api = await stack.enter_async_context(api_world(url))
        others = await api.token(BEN, name="of Ben")
        secret = await api.token(at_once=4, per_day=1000)
        api.server.waits.stop()  # answers every `wait` at once
        rental = await api.rented(**{**H100, "lease": "1h"})
        return Running(loop, api, str(api.http.base_url), secret, others, rental.id)

    yield asyncio.run_coroutine_threadsafe(start(), loop).result()
    asyncio.run_coroutine_threadsafe(stack.aclose(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@schema.parametrize()
@BOUNDED
def test_every_answer_follows_the_document(case: schemathesis.Case[Any], running: Running) -> None:
    case.call_and_validate(base_url=running.url, headers=running.headers(running.secret), checks=CHECKS)


@schema.parametrize()
@settings(BOUNDED, max_examples=5)
@pytest.mark.parametrize("whose", ["nobody's", "another person's"])
def test_without_the_owners_token_nothing_is_revealed(
    case: schemathesis.Case[Any], running: Running, whose: str
) -> None:
    if "id" in case.path_parameters:
        case.path_parameters["id"] = running.rental_id
    headers = running.headers(running.others_secret if whose == "another person's" else "")
    response = case.call_and_validate(base_url=running.url, headers=headers, checks=CHECKS[:5])
    if case.operation.path == openapi.PATH:
        return
    assert running.rental_id not in response.text
    if case.operation.path.startswith(LOGINS):
        return
    if whose == "nobody's":
        assert response.status_code == (401 if case.method == case.operation.method.upper() else 405)
    if "id" in case.path_parameters:
        assert 400 <= response.status_code < 500


def test_every_answer_along_the_links_follows_the_document(running: Running) -> None:
    """Walk from a new rental to its heartbeats, extensions and end, and from a new login to its state."""
    linked = schemathesis.openapi.from_dict(DOCUMENT)
    linked.config.generation.update(modes=[schemathesis.GenerationMode.POSITIVE])
    followed: set[str] = set()

    @linked.hook
    def map_body(context: schemathesis.HookContext, body: Any) -> Any:
        """Ask for a machine that exists, because links start at a rental."""
        asks = context.operation is not None and context.operation.path == "/v1/rentals"
        return {"gpu": "H100", "lease": "1h", "reuse": True} if asks else body

    @linked.hook
    def map_headers(_context: schemathesis.HookContext, headers: Any) -> Any:
        return {name: value for name, value in (headers or {}).items() if name != "Idempotency-Key"}

    walk: Any = linked.as_state_machine()

    class AlongTheLinks(walk):  # type: ignore[misc]  # it is made at run time from the document
        def get_call_kwargs(self, _case: schemathesis.Case[Any]) -> dict[str, Any]:
            return {"base_url": running.url, "headers": running.headers(running.secret)}

        def validate_response(self, _response: Any, case: schemathesis.Case[Any], **_more: Any) -> None:
            if _response.status_code < 300:
                followed.add(case.operation.definition.raw["operationId"])
            headers = running.headers(running.secret)
            case.validate_response(_response, checks=CHECKS, headers=headers)

    run_state_machine_as_test(AlongTheLinks, settings=settings(BOUNDED, max_examples=20, stateful_step_count=6))
    assert followed >= {"rent", "show", "release", "login", "show_login"}


def test_the_document_describes_every_route(running: Running) -> None:
    served = httpx.get(f"{running.url}{openapi.PATH}", trust_env=False).json()
    assert served == json.loads(openapi.document())
    operations = {(method.upper(), path) for path, methods in served["paths"].items() for method in methods}
    assert operations == running.api.server.routes

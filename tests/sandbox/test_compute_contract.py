"""The sandbox held against openapi.yaml by schemathesis: whatever it makes up, the answers are as promised."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation.stateful import run_state_machine_as_test
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    ensure_resource_availability,
    ignored_auth,
    missing_required_header,
    negative_data_rejection,
    positive_data_acceptance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from sandbox.clock import SandboxClock
from sandbox.compute import DEFAULT_TOKEN, ComputeSandbox

CONTRACT = Path(__file__).parents[1] / "openapi.yaml"
# All there are but two: use_after_free, since here a deletion goes on after its answer, and
# object_level_authorization, since there is one account. The limit on response time is not a check of shape.
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    positive_data_acceptance,
    missing_required_header,
    unsupported_method,
    allow_header_conformance,
    ensure_resource_availability,
    ignored_auth,
]
HEADERS = {"Authorization": f"Bearer {DEFAULT_TOKEN}"}
BOUNDED = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)

schema = schemathesis.openapi.from_path(CONTRACT)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[tuple[ComputeSandbox, str]]:
    """A sandbox and its URL, in a thread of its own, since schemathesis waits for its answers."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    sandbox = ComputeSandbox(SandboxClock())
    yield sandbox, asyncio.run_coroutine_threadsafe(sandbox.start(), loop).result()
    asyncio.run_coroutine_threadsafe(sandbox.stop(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@schema.parametrize()
@BOUNDED
def test_every_answer_is_as_promised(case: schemathesis.Case[Any], sandbox: tuple[ComputeSandbox, str]) -> None:
    case.call_and_validate(base_url=sandbox[1], headers=HEADERS, checks=CHECKS)


def test_every_answer_is_as_promised_along_the_links(sandbox: tuple[ComputeSandbox, str]) -> None:
    server, url = sandbox
    linked = schemathesis.openapi.from_path(CONTRACT)
    linked.config.generation.update(modes=[schemathesis.GenerationMode.POSITIVE])

    @linked.hook
    def map_body(_context: schemathesis.HookContext, body: Any) -> Any:
        """Asks for what exists now and then: made-up GPUs have no offers, and links lead from offers."""
        if "compute" in body and body["compute"].get("gpu_count", 1) < 9:
            return {"compute": {"gpu_type": "H100"}}
        return body

    def call_kwargs(_machine: Any, _case: schemathesis.Case[Any]) -> dict[str, Any]:
        return {"base_url": url, "headers": HEADERS}

    def validate(_machine: Any, response: Any, case: schemathesis.Case[Any], **_more: Any) -> None:
        case.validate_response(response, checks=CHECKS, headers=HEADERS)

    machine = type(
        "AlongTheLinks",
        (linked.as_state_machine(),),
        {"get_call_kwargs": call_kwargs, "validate_response": validate},
    )
    before = server.faults.traffic.last
    run_state_machine_as_test(machine, settings=settings(BOUNDED, max_examples=40, stateful_step_count=8))
    answered = {entry.endpoint for entry in server.faults.traffic.after(before) if entry.status == 200}
    assert answered >= {"get_offers", "procure_offer", "offer_status", "get_resource", "delete_resource"}

"""Checks with Schemathesis that the responses to generated requests follow openapi.yaml."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core import NOT_SET
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
# All checks of schemathesis except three: use_after_free doesn't fit, because a deletion continues after its
# response. object_level_authorization doesn't, because there is only one account. The limit on response time isn't
# part of the contract.
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
    max_examples=20,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)

schema = schemathesis.openapi.from_path(CONTRACT)


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Run an event loop in its own thread, because schemathesis blocks until it gets a response."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def started(loop: asyncio.AbstractEventLoop) -> tuple[ComputeSandbox, str]:
    """Start a sandbox whose clock is stopped and whose ids are the same in every run. Return it with its URL."""

    async def start() -> tuple[ComputeSandbox, str]:
        sandbox = ComputeSandbox(SandboxClock(speed=0), seed=1)
        return sandbox, await sandbox.start()

    return asyncio.run_coroutine_threadsafe(start(), loop).result()


def stopped(loop: asyncio.AbstractEventLoop, sandbox: ComputeSandbox) -> None:
    asyncio.run_coroutine_threadsafe(sandbox.stop(), loop).result()


@pytest.fixture(scope="module")
def sandbox(loop: asyncio.AbstractEventLoop) -> Iterator[tuple[ComputeSandbox, str]]:
    """Start a sandbox for all cases."""
    server, url = started(loop)
    yield server, url
    stopped(loop, server)


@schema.parametrize()
@BOUNDED
def test_every_response_follows_the_contract(
    case: schemathesis.Case[Any], sandbox: tuple[ComputeSandbox, str]
) -> None:
    case.call_and_validate(base_url=sandbox[1], headers=HEADERS, checks=CHECKS)


def test_every_response_along_the_links_follows_the_contract(loop: asyncio.AbstractEventLoop) -> None:
    linked = schemathesis.openapi.from_path(CONTRACT)
    linked.config.generation.update(modes=[schemathesis.GenerationMode.POSITIVE])
    answered: set[str] = set()

    @linked.hook
    def map_body(_context: schemathesis.HookContext, body: Any) -> Any:
        """Sometimes search for a GPU that exists. Links start at offers, and random names of GPUs have none."""
        if "compute" in body and body["compute"].get("gpu_count", 1) < 9:
            return {"compute": {"gpu_type": "H100"}}
        return body

    walk: Any = linked.as_state_machine()

    class AlongTheLinks(walk):  # type: ignore[misc]  # it is made at run time from the contract
        """A walk along the links. Each one uses a new sandbox, so that repeating it gets the same responses."""

        def setup(self) -> None:
            super().setup()
            self.server, self.url = started(loop)

        def teardown(self) -> None:
            answered.update(e.endpoint for e in self.server.faults.traffic.after(0) if e.status == 200)
            stopped(loop, self.server)
            super().teardown()

        def get_call_kwargs(self, _case: schemathesis.Case[Any]) -> dict[str, Any]:
            return {"base_url": self.url, "headers": HEADERS}

        def validate_response(self, _response: Any, case: schemathesis.Case[Any], **_more: Any) -> None:
            case.validate_response(_response, checks=CHECKS, headers=HEADERS)

    run_state_machine_as_test(AlongTheLinks, settings=settings(BOUNDED, max_examples=30, stateful_step_count=8))
    assert answered >= {"get_offers", "procure_offer"}


def test_every_response_during_the_life_of_a_machine_follows_the_contract(
    loop: asyncio.AbstractEventLoop,
) -> None:
    """Buy, watch and delete a machine, because generated requests rarely get this far."""
    server, url = started(loop)

    def ask(operation: str, body: Any = NOT_SET, **parameters: Any) -> Any:
        made = schema.find_operation_by_id(operation).Case(path_parameters=parameters, body=body)
        response = made.call_and_validate(base_url=url, headers=HEADERS, checks=CHECKS)
        assert response.status_code in {200, 202}, response.text
        return response.json()

    offer = ask("get_offers", {"compute": {"gpu_type": "H100"}})["offers"][0]["offer_id"]
    key = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
    bought = ask("procure_offer", {"offer_id": offer, "ssh_public_key": key, "resource_name": "story-1"})
    assert ask("offer_status", offer_id=offer)["offer_id"] == offer
    resource = bought["resource_ids"][0]
    assert [one["resource_id"] for one in ask("list_resources")["resources"]] == [resource]
    assert ask("get_resource", resource_id=resource)["resource_id"] == resource
    ask("delete_resource", resource_id=resource)
    ask("get_resource", resource_id=resource)
    stopped(loop, server)

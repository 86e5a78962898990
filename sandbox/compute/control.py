"""`/_control/` of Compute Clear: shows the true state of the account, and controls machines and vendors."""

from datetime import datetime
from typing import Annotated, Any, Literal

from aiohttp import web
from pydantic import Field

from sandbox.compute.api import Api
from sandbox.compute.billing import bill
from sandbox.compute.control_jobs import (
    JobBody,
    JobChangeBody,
    TroubleBody,
    break_gpu,
    broken_json,
    change_job,
    job_json,
    jobs_json,
    reboot,
    start_job,
)
from sandbox.compute.control_unmanaged import UnmanagedMachineBody, unmanaged_machine
from sandbox.compute.control_use import UseBody, ending_json, set_use, use_json
from sandbox.compute.hosts import Hosts
from sandbox.compute.machines import Machine
from sandbox.compute.market import SLOW_DELETION_SECONDS, Market, Refused
from sandbox.compute.vendors import AT_DELETE, VENDORS, Behaviour, BehaviourSetting
from sandbox.serving import HOST, ControlModel, number, read, refusal, reply, wait_of
from sandbox.ssh import new_host_key

HostKeyKind = Literal["ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256"]


class BehaviourBody(ControlModel):
    """A vendor's new behaviour."""

    behaviour: Annotated[Behaviour, Field(strict=False)]
    times: Annotated[int, Field(ge=1)] | None = None
    seconds: Annotated[float, Field(ge=0)] | None = None
    quiet: bool = False
    words: str | None = None

    def setting(self) -> BehaviourSetting:
        """Return the body as a setting. `seconds` defaults to `SLOW_DELETION_SECONDS` for slow deletions."""
        seconds = self.seconds
        if self.behaviour in AT_DELETE and "seconds" not in self.model_fields_set:
            seconds = SLOW_DELETION_SECONDS
        return BehaviourSetting(self.behaviour, self.times, seconds, self.quiet, self.words)


class VanishBody(ControlModel):
    """The way in which a vendor reclaims a machine.

    Either the API reports the machine as deleted, or the API no longer knows the machine.
    """

    how: Literal["deleted", "missing"] = "deleted"


class CopiesBody(ControlModel):
    """The number of copies of a machine that should exist."""

    count: Annotated[int, Field(ge=0, le=100_000)]


class HostKeyBody(ControlModel):
    """The kinds of a machine's new host keys."""

    kinds: Annotated[tuple[HostKeyKind, ...], Field(min_length=1)] = ("ssh-ed25519",)


class PortBody(ControlModel):
    """The port on which the next SSH host will listen."""

    port: Annotated[int, Field(ge=1, le=65_535)]


class TokenBody(ControlModel):
    """A change of the account's token: its validity, and optionally a new value."""

    valid: bool = True
    token: Annotated[str, Field(min_length=1)] | None = None


class Control:
    """The control API of a Compute Clear server."""

    def __init__(self, market: Market, hosts: Hosts, api: Api) -> None:
        self._market = market
        self._hosts = hosts
        self._api = api

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add the routes of the control calls."""
        router.add_get("/_control/account", self._account)
        router.add_get("/_control/bill", self._bill)
        router.add_get("/_control/vendors", self._vendors)
        router.add_post("/_control/vendors/{name}", self._behave)
        router.add_post("/_control/resources", self._add_unmanaged_machine)
        router.add_get("/_control/resources/{id}", self._show_machine)
        router.add_post("/_control/resources/{id}/vanish", self._vanish)
        router.add_post("/_control/resources/{id}/copies", self._copy)
        router.add_post("/_control/resources/{id}/use", self._set_use)
        router.add_post("/_control/resources/{id}/jobs", self._start_job)
        router.add_post("/_control/resources/{id}/jobs/{job}", self._change_job)
        router.add_post("/_control/resources/{id}/gpus/{gpu}", self._break_gpu)
        router.add_post("/_control/resources/{id}/reboot", self._reboot)
        router.add_post("/_control/resources/{id}/host_keys", self._change_host_keys)
        router.add_post("/_control/next_ssh_port", self._next_ssh_port)
        router.add_post("/_control/token", self._token)

    async def overview(self) -> dict[str, Any]:
        """Return the data for the page: machines with their utilization, the bill, and the vendors' behaviour."""
        now = await self._hosts.update()
        machines = [machine for machine in self._market.machines.values() if machine.appears_at <= now]
        return {
            "machines": [_machine_json(machine, now) | _state_json(machine, now) for machine in machines],
            "bill": self._bill_json(now),
            "vendors": self._vendors_json(),
        }

    async def _account(self, _request: web.Request) -> web.Response:
        now = await self._hosts.update()
        bought = [
            {
                "offer_id": procurement.offer.offer_id,
                "vendor": procurement.offer.listing.vendor.name,
                "resource_name": procurement.resource_name,
                "at": procurement.at,
                "answered": "failed" if procurement.answered_failed else "accepted",
            }
            for procurement in self._market.procurements.values()
            if procurement.bought
        ]
        machines = self._market.machines.values()
        resources = [_machine_json(machine, now) for machine in machines if machine.appears_at <= now]
        return reply({"offers_bought": bought, "resources": resources})

    async def _show_machine(self, request: web.Request) -> web.Response:
        now = await self._hosts.update()
        machine = self._machine(request)
        seen = int(number(request, "visits", 0))
        if machine.host is not None and (seconds := wait_of(request)):
            host = machine.host
            await host.visited.wait_for(lambda: host.visits >= seen, seconds)
            now = await self._hosts.update()
        host_keys = {key.get_algorithm(): key.get_fingerprint() for key in machine.host_keys}
        details = {
            "cloud_init": machine.cloud_init,
            "host_keys": host_keys,
            "on_ending": ending_json(machine, now),
            "visits": machine.host.visits if machine.host else 0,
        }
        return reply(_machine_json(machine, now) | _state_json(machine, now) | details)

    async def _set_use(self, request: web.Request) -> web.Response:
        body = await read(request, UseBody)
        set_use(self._machine(request), body, await self._hosts.update())
        return await self._show_machine(request)

    async def _start_job(self, request: web.Request) -> web.Response:
        body = await read(request, JobBody)
        now = await self._hosts.update()
        return reply(job_json(start_job(self._machine(request), body, now), now))

    async def _change_job(self, request: web.Request) -> web.Response:
        body = await read(request, JobChangeBody)
        now = await self._hosts.update()
        return reply(job_json(change_job(self._machine(request), request.match_info["job"], body, now), now))

    async def _break_gpu(self, request: web.Request) -> web.Response:
        body = await read(request, TroubleBody)
        break_gpu(self._machine(request), request.match_info["gpu"], body)
        return await self._show_machine(request)

    async def _reboot(self, request: web.Request) -> web.Response:
        reboot(self._machine(request), await self._hosts.update())
        return await self._show_machine(request)

    def _machine(self, request: web.Request) -> Machine:
        """Return the machine with the id in the path, even if it is terminated or the API no longer shows it."""
        machine = self._market.machines.get(request.match_info["id"].lower())
        if machine is None:
            raise refusal(404, "No such resource")
        return machine

    async def _bill(self, _request: web.Request) -> web.Response:
        return reply(self._bill_json(await self._hosts.update()))

    def _bill_json(self, now: datetime) -> dict[str, Any]:
        lines = bill(self._market.machines.values(), now)
        return {"lines": [line.as_json() for line in lines], "total_micros": sum(line.micros for line in lines)}

    async def _vendors(self, _request: web.Request) -> web.Response:
        return reply(self._vendors_json())

    def _vendors_json(self) -> dict[str, Any]:
        return {
            name: {"behaviour": state.setting.behaviour, "left": state.left}
            for name, state in self._market.vendor_states.items()
        }

    async def _behave(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        names = list(VENDORS) if name == "*" else [name]
        body = await read(request, BehaviourBody)
        now = await self._hosts.update()
        for each in names:
            if each not in VENDORS:
                raise refusal(404, f"no vendor {each}; there are: {', '.join(sorted(VENDORS))}")
            self._market.set_behaviour(each, body.setting(), now)
        return await self._vendors(request)

    async def _add_unmanaged_machine(self, request: web.Request) -> web.Response:
        body = await read(request, UnmanagedMachineBody)
        now = await self._hosts.update()
        machine = unmanaged_machine(body, self._market.new_id(), now)
        self._market.add(machine)
        await self._hosts.update()
        return reply({"resource_id": machine.resource_id})

    async def _vanish(self, request: web.Request) -> web.Response:
        body = await read(request, VanishBody)
        now = await self._hosts.update()
        try:
            machine = self._market.vanish(request.match_info["id"], body.how, now)
        except Refused as refused:
            raise refusal(404, refused.detail) from None
        await self._hosts.update()
        return reply({"resource_id": machine.resource_id, "how": body.how})

    async def _copy(self, request: web.Request) -> web.Response:
        body = await read(request, CopiesBody)
        now = await self._hosts.update()
        try:
            self._market.copy(request.match_info["id"], body.count, now)
        except Refused as refused:
            raise refusal(404, refused.detail) from None
        return reply({"count": body.count})

    async def _change_host_keys(self, request: web.Request) -> web.Response:
        body = await read(request, HostKeyBody)
        self._machine(request).change_host_keys([new_host_key(kind) for kind in body.kinds])
        return await self._show_machine(request)

    async def _next_ssh_port(self, request: web.Request) -> web.Response:
        body = await read(request, PortBody)
        await self._hosts.update()
        if self._hosts.listens_on(body.port):
            raise refusal(409, f"a machine listens on port {body.port}")
        self._hosts.next_port = body.port
        return reply({"port": body.port})

    async def _token(self, request: web.Request) -> web.Response:
        body = await read(request, TokenBody)
        self._api.token_valid = body.valid
        self._api.token = body.token or self._api.token
        return reply({"valid": self._api.token_valid})


def _machine_json(machine: Machine, now: datetime) -> dict[str, Any]:
    return {
        "resource_id": machine.resource_id,
        "offer_id": machine.offer_id,
        "name": machine.name,
        "vendor": machine.vendor,
        "status": "missing" if machine.missing else machine.status(now),
        "alive": not machine.is_terminated(now),
        "host": machine.host and HOST,
        "port": machine.host and machine.host.port,
        "rate": machine.rate,
        "billed_from": machine.appears_at,
        "billed_to": machine.terminated_at if machine.is_terminated(now) else None,
    }


def _state_json(machine: Machine, now: datetime) -> dict[str, Any]:
    """Return a machine's use, its jobs, and its GPUs that have faults."""
    return {
        "use": use_json(machine, now),
        "jobs": jobs_json(machine, now),
        "broken_gpus": broken_json(machine),
    }

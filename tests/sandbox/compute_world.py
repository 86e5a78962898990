"""A Compute Clear server whose clock is stopped, with the calls that tests make."""

from datetime import UTC, datetime
from typing import Any

import aiohttp
import asyncssh
import httpx

from sandbox.client import Server
from sandbox.clock import SandboxClock
from sandbox.compute import ComputeSandbox

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
TLS = httpx.create_ssl_context()
"""A single TLS context for all worlds. No request uses it, and loading the certificates again would take time."""


class ComputeWorld:
    """A client for the API, with a valid token, and for the control API."""

    def __init__(self) -> None:
        self.clock = SandboxClock(NOON, speed=0)
        self.sandbox = ComputeSandbox(self.clock)
        self.key = asyncssh.generate_private_key("ssh-ed25519")
        self.url = ""
        self.http = httpx.AsyncClient(timeout=20, verify=TLS)

    @property
    def public_key(self) -> str:
        return self.key.export_public_key().decode().strip()

    async def start(self) -> None:
        self.url = await self.sandbox.start()
        self.http.base_url = httpx.URL(self.url)
        self.http.headers["Authorization"] = f"Bearer {self.sandbox.token}"
        self._session = aiohttp.ClientSession()
        self._control = Server(self.url, self._session)

    async def stop(self) -> None:
        await self.http.aclose()
        await self._session.close()
        await self.sandbox.stop()

    # --- the API

    async def offers(self, yaml: str) -> list[dict[str, Any]]:
        answer = await self.http.post("/get_offers", content=yaml, headers={"Content-Type": "application/yaml"})
        assert answer.status_code == 200, answer.text
        offers: list[dict[str, Any]] = answer.json()["offers"]
        return offers

    async def offer(self, vendor: str = "hyperstack", gpu: str = "H100", count: int = 1) -> dict[str, Any]:
        """Return a vendor's cheapest offer."""
        query = f"{{vendor: {vendor}, compute: {{gpu_type: {gpu}, gpu_count: {count}}}}}"
        return (await self.offers(query))[0]

    async def post_procure(self, offer_id: str, name: str = "test-1", **more: str) -> httpx.Response:
        body = {"offer_id": offer_id, "ssh_public_key": self.public_key, "resource_name": name, **more}
        return await self.http.post("/procure_offer", json=body)

    async def procure(
        self, vendor: str = "hyperstack", gpu: str = "H100", count: int = 1, **more: str
    ) -> dict[str, Any]:
        """Procure a vendor's cheapest offer, with `more` fields in the body, and return the ProcureResponse."""
        answer = await self.post_procure((await self.offer(vendor, gpu, count))["offer_id"], **more)
        assert answer.status_code == 200, answer.text
        procured: dict[str, Any] = answer.json()
        return procured

    async def status(self, offer_id: str) -> dict[str, Any]:
        answer = await self.http.get(f"/offers/{offer_id}/status")
        assert answer.status_code == 200, answer.text
        status: dict[str, Any] = answer.json()
        return status

    async def stage(self, offer_id: str) -> str:
        stage: str = (await self.status(offer_id))["procurement_status"]
        return stage

    async def resources(self, offer_id: str | None = None) -> list[dict[str, Any]]:
        answer = await self.http.get("/resources", params={"offer_id": offer_id} if offer_id else {})
        assert answer.status_code == 200, answer.text
        resources: list[dict[str, Any]] = answer.json()["resources"]
        return resources

    async def resource(self, resource_id: str) -> dict[str, Any]:
        answer = await self.http.get(f"/resources/{resource_id}")
        assert answer.status_code == 200, answer.text
        resource: dict[str, Any] = answer.json()
        return resource

    async def delete(self, resource_id: str) -> httpx.Response:
        return await self.http.delete(f"/resources/{resource_id}", params={"force": "true"})

    # --- the control API

    async def control(self, path: str, **body: Any) -> dict[str, Any]:
        return await self._control.post(path, body)

    async def look(self, path: str) -> dict[str, Any]:
        return await self._control.get(path)

    async def ready_machine(
        self, vendor: str = "hyperstack", gpu: str = "H100", count: int = 1, **more: str
    ) -> dict[str, Any]:
        """Procure a machine, move the clock until it runs, and return the resource."""
        procured = await self.procure(vendor, gpu, count, **more)
        self.clock.jump(300)
        resource = (await self.resources(procured["offer_id"]))[0]
        assert resource["status"] == "running"
        return resource

"""A server for `openapi.yaml` that answers with random data.

The data is valid according to the contract, but mostly unusable.
"""

from __future__ import annotations

import json
import random
import uuid
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web

from tests.journeys.world import NOON

CONTRACT = Path(__file__).parents[1] / "openapi.yaml"
GOOD = 0.85
"""The share of answers with status 200."""
WORDS: dict[str, list[Any]] = {
    "gpu_type": ["nvidia-h100-sxm5-80gb", "nvidia-h100-sxm5-80gb", "nvidia-a100-sxm4-80gb", "H100", ""],
    "gpu_family": ["H100", "A100", ""],
    "gpu_count": [1, 1, 1, 2, 8, 10**9],
    "vendor": ["hyperstack", "nebius", "<!channel>", "x" * 500],
    "region": ["EU", "EU", "US", "Mars"],
    "contract_type": ["ondemand", "ondemand", "spot", None, "for ever"],
    "type": ["vm", "vm", "cluster"],
    "total_price_per_hour": [2.15, 2.15, 2.6, 0, -1, None, 1e12, 0.000001],
    "gpu_price_per_hour": [2.1, 0, -3, None, 1e300],
    "storage_price_per_hour": [0.05, 0, -5, None],
    "pricing_total_hourly": [2.15, None, 0, -1, 1e9],
    "status": ["procured", "failed", "ready", "running", "deleting", "deleted", "available", "expired", "🦄", ""],
    "procurement_status": ["provisioning_started", "ready", "failed", "available", "expired", "unheard of"],
    "external_ip": ["127.0.0.1", "127.0.0.1; reboot", "not an address", "", None],
    "ssh_command": ["ssh root@127.0.0.1 -p 1", "rm -rf /", "", None],
    "ssh_port": [1, 0, -1, 10**6, None],
    "name": ["gpubot-aaaaa-1", "train-3", "`<!here>`", None],
}
"""Values for properties with these names. Some are usable, others only resemble usable ones."""
DISCOVERED = {"available_regions": ["EU"], "available_contracts": ["ondemand"], "available_vendors": ["nebius"]}
"""Names that are added to the random ones, so that there is something to request."""
USABLE = 0.3
"""The share of offers that can be bought."""
OF_A_USABLE_OFFER = (
    "gpu_type",
    "gpu_family",
    "gpu_count",
    "region",
    "contract_type",
    "type",
    "total_price_per_hour",
)
TEXTS = ["", "fine", "*bold* <@U0ANA0000> & more", "line\nbreak\u2028and\u202eturned", "é" * 300]


class RandomMarket:
    """Answers every operation of the contract, and remembers its offers and the purchases."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - made to be repeated, not to be secret
        self._contract: Any = yaml.safe_load(CONTRACT.read_text(encoding="utf-8"))
        self._runner: web.AppRunner | None = None
        self.url = ""
        self.asked: Counter[str] = Counter()
        self.offered: dict[str, dict[str, Any]] = {}
        self.procured: list[str] = []

    async def start(self) -> None:
        """Start to serve on a free port of this machine."""
        app = web.Application()
        for path, methods in self._contract["paths"].items():
            for method, operation in methods.items():
                app.router.add_route(method.upper(), path, self._answering(operation))
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Stop serving."""
        if self._runner is not None:
            await self._runner.cleanup()

    def _answering(self, operation: dict[str, Any]) -> Any:
        async def answer(request: web.Request) -> web.Response:
            name = operation["operationId"]
            self.asked[name] += 1
            status = 200
            if self._random.random() > GOOD:
                # Leave out 401, because it would stop all purchases. test_market_trouble.py covers it.
                status = int(self._random.choice([code for code in operation["responses"] if code != "401"]))
            ids = dict(request.match_info)
            if name == "procure_offer":
                ids = await request.json()
                self.procured.append(ids["offer_id"])
            body = self._make(self._schema(operation["responses"][str(status)]))
            if name in DISCOVERED:
                body += DISCOVERED[name]
            if isinstance(body, dict) and status == 200:
                for key in ("offer_id", "resource_id"):
                    if key in body and key in ids and self._random.random() < GOOD:
                        body[key] = ids[key]
                for offer in body.get("offers", ()):
                    self.offered[offer["offer_id"]] = offer
            return web.Response(status=status, text=json.dumps(body), content_type="application/json")

        return answer

    def _schema(self, response: dict[str, Any]) -> dict[str, Any]:
        content = self._resolved(response)["content"]["application/json"]["schema"]
        assert isinstance(content, dict)
        return content

    def _resolved(self, node: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in node:
            found: Any = self._contract
            for part in node["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            node = found
        return node

    def _make(self, schema: dict[str, Any], name: str = "") -> Any:
        """Return a value that is valid according to `schema`, for a property with this name."""
        schema, pick = self._resolved(schema), self._random
        kinds = schema.get("type", "object")
        kind = pick.choice(kinds) if isinstance(kinds, list) else kinds
        if name in WORDS and pick.random() < 0.8:
            fitting = [value for value in WORDS[name] if _is(value, kinds)]
            if fitting:
                return pick.choice(fitting)
        match kind:
            case "object":
                return self._object(schema)
            case "array":
                return [self._make(schema.get("items", {"type": "string"})) for _ in range(pick.choice([0, 1, 4]))]
            case "string":
                return self._string(schema)
            case "integer":
                return max(pick.choice([0, 1, 2, 16, -1, 2**40]), schema.get("minimum", -(2**40)))
            case "number":
                return pick.choice([0, 1.5, 2.15, -1, 1e18, 0.1])
            case "boolean":
                return pick.choice([True, False])
        return None

    def _object(self, schema: dict[str, Any]) -> dict[str, Any]:
        pick, needed = self._random, set(schema.get("required", ()))
        made = {
            name: self._make(each, name)
            for name, each in schema.get("properties", {}).items()
            if name in needed or pick.random() < 0.8
        }
        if "gpu_count" in made and pick.random() < USABLE:
            made |= {name: WORDS[name][0] for name in OF_A_USABLE_OFFER}
        more = schema.get("additionalProperties")
        if isinstance(more, dict):
            made |= {family: ["nvidia-h100-sxm5-80gb"] for family in ("H100",)}
            made |= {pick.choice(["A100", "", "<b>"]): self._make(more) for _ in range(pick.choice([0, 2]))}
        return made

    def _string(self, schema: dict[str, Any]) -> str:
        pick = self._random
        match schema.get("format"):
            case "uuid":
                return str(uuid.UUID(int=pick.getrandbits(128), version=4))
            case "date-time":
                return (NOON + timedelta(seconds=pick.choice([-(10**7), -1, 900, 1800, 10**6]))).isoformat()
        return str(pick.choice(schema.get("enum", TEXTS)))


def _is(value: Any, kinds: str | list[str]) -> bool:
    names = {
        "string": isinstance(value, str),
        "integer": isinstance(value, int) and not isinstance(value, bool),
        "number": isinstance(value, int | float) and not isinstance(value, bool),
        "null": value is None,
    }
    return any(names.get(kind, False) for kind in ([kinds] if isinstance(kinds, str) else kinds))

"""Tries clients of other projects, and the official conformance suite, against `gpubot mcp`.

    .venv/bin/python -m tests.by_hand.mcp_clients [--packages FOLDER] [--keep FOLDER]

The packages in PACKAGES are installed with npm into FOLDER, by default into one that is deleted at the end.
`--keep` names a folder for the results of the suite. Everything runs on this machine: the bot's API in front of
the sandbox, `gpubot mcp --http`, and the clients, which also start `gpubot mcp` over stdio.

The suite is made for a server that has the suite's own tools, prompts and resources. gpubot has none of them, so
the checks that need them fail. EXPECTED lists these failures with their reasons. After any other failure, the
script ends with status 1. The results are in docs/mcp.md.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from structlog.testing import capture_logs

from agent.mcp_tools import TOOL_NAMES
from bot.model.state import State
from bot.model.token import BeyondTerms
from handlers.listeners.context import Pace
from tests.api.world import Api, api_world
from tests.lifecycle.world import HOUR

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "node": "node@22.23.3",
    "suite-old": "@modelcontextprotocol/conformance@0.1.16",
    "suite-new": "@modelcontextprotocol/conformance@0.2.0-alpha.12",
    "sdk": "@modelcontextprotocol/sdk@1.32.2",
    "client": "@modelcontextprotocol/client@2.4.0",
    "inspector": "@modelcontextprotocol/inspector@2.12.0",
    "mcp-remote": "mcp-remote@0.15.1",
}
"""The packages, by the names under which they are installed. The suites need a newer Node.js than Debian's."""
SUITES = (
    ("suite-old", "2025-06-18"),
    ("suite-old", "2025-11-25"),
    ("suite-new", "2025-06-18"),
    ("suite-new", "2025-11-25"),
    ("suite-new", "2026-07-28"),
)
"""The runs of the suite, each with the version of the protocol."""
Words = tuple[list[str], list[str]]
"""The inspector's options for a server, and the command that starts the server."""
TEST_TOOLS = "needs tools of the suite"
EXPECTED = (
    (r"tools-call-.*|json-schema-.*|elicitation-.*|input-required-.*", r".*", TEST_TOOLS),
    (r"prompts-.*|resources-.*", r".*", "gpubot has no prompts and no resources"),
    (r"completion-.*|logging-.*", r".*", "gpubot completes nothing and sends no log"),
    (r"http-custom-header-.*", r".*", "no argument of a tool travels in a header"),
    (r"caching", r"sep-2549-(prompts|resources)-.*", "gpubot has no prompts and no resources"),
    (
        r"server-stateless",
        r".*-(undeclared-capability|missing-capability-http-400|no-independent-requests-on-stream"
        r"|no-log-without-loglevel)",
        TEST_TOOLS,
    ),
)
"""The failures that are expected: patterns for a scenario and for a check's ID, and the reason."""

CALLS = """
export async function useTools(client, key) {
  const tools = (await client.listTools()).tools.map((tool) => tool.name);
  const called = [];
  async function call(name, args) {
    const result = await client.callTool({ name, arguments: args });
    if (result.isError || !result.structuredContent) throw new Error(`${name}: ${JSON.stringify(result.content)}`);
    called.push(name);
    return result.structuredContent;
  }
  await call("gpu_quote", { gpu: "H100", region: "EU", lease: "2h" });
  let rental = await call("gpu_rent", { gpu: "H100", region: "EU", lease: "2h", key });
  while (rental.state !== "ready") {
    const status = await call("gpu_status", { id: rental.id, wait: 20 });
    rental = status.rentals[0];
  }
  await call("gpu_status", {});
  await call("gpu_heartbeat", { id: rental.id });
  await call("gpu_extend", { key, lease: "3h" });
  const ending = await call("gpu_release", { key });
  if (ending.state !== "ending") throw new Error(`gpu_release: ${ending.state}`);
  const missing = tools.filter((name) => !called.includes(name));
  if (missing.length) throw new Error(`not called: ${missing}`);
  await client.close();
  console.log(`${tools.length} tools listed and called`);
}
const { GPUBOT_API_URL, GPUBOT_TOKEN, PYTHONPATH, PYTHON, MCP_URL } = process.env;
const headers = { Authorization: `Bearer ${GPUBOT_TOKEN}` };
export const overHttp = [new URL(MCP_URL), { requestInit: { headers } }];
export const overStdio = {
  command: PYTHON, args: ["-m", "bot", "mcp"], env: { GPUBOT_API_URL, GPUBOT_TOKEN, PYTHONPATH },
};
"""
SDK = """
import { Client } from "sdk/client/index.js";
import { StreamableHTTPClientTransport } from "sdk/client/streamableHttp.js";
import { StdioClientTransport } from "sdk/client/stdio.js";
import { overHttp, overStdio, useTools } from "./calls.mjs";
const [, , how, key] = process.argv;
const client = new Client({ name: "gpubot-by-hand", version: "1" });
await client.connect(
  how === "http" ? new StreamableHTTPClientTransport(...overHttp) : new StdioClientTransport(overStdio));
await useTools(client, key);
"""
CLIENT = """
import { Client, StreamableHTTPClientTransport } from "client";
import { StdioClientTransport } from "client/stdio";
import { overHttp, overStdio, useTools } from "./calls.mjs";
const [, , how, key, mode] = process.argv;
const client = new Client({ name: "gpubot-by-hand", version: "1" }, { versionNegotiation: { mode } });
await client.connect(
  how === "http" ? new StreamableHTTPClientTransport(...overHttp) : new StdioClientTransport(overStdio));
const expected = mode === "legacy" ? "2025-11-25" : "2026-07-28";
if (client.getNegotiatedProtocolVersion() !== expected) throw new Error(client.getNegotiatedProtocolVersion());
await useTools(client, key);
"""


class Failed(Exception):
    """A program didn't do what was expected."""


@dataclass(frozen=True)
class Place:
    """The folders of the programs and of their results, and the environment of the programs."""

    packages: Path
    results: Path
    environment: dict[str, str]

    @property
    def node(self) -> str:
        return str(self.packages / "node_modules/node/bin/node")

    def script(self, package: str, path: str) -> str:
        return str(self.packages / "node_modules" / package / path)


async def run(command: Sequence[str], environment: dict[str, str], *, within: float = 300) -> tuple[int, str]:
    """Run a program, and return its status and everything that it prints."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(within):
            printed, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        raise Failed(f"{' '.join(command)} takes longer than {within:.0f} s.") from None
    return process.returncode or 0, printed.decode(errors="replace")


def install(packages: Path) -> None:
    """Install the packages, unless the folder has them already. Raises Failed."""
    if not (packages / "node_modules").exists():
        packages.mkdir(parents=True, exist_ok=True)
        wanted = [text if name == "node" else f"{name}@npm:{text}" for name, text in PACKAGES.items()]
        command = ["npm", "install", "--prefix", str(packages), "--no-audit", "--no-fund", *wanted]
        if subprocess.run(command, check=False).returncode:  # noqa: S603 - the packages above
            raise Failed("npm couldn't install the packages.")
    for name, text in (("calls", CALLS), ("sdk", SDK), ("client", CLIENT)):
        (packages / f"{name}.mjs").write_text(text)


# --- the server


@asynccontextmanager
async def mcp_server(api_url: str) -> AsyncIterator[str]:
    """Start `gpubot mcp --http`, and yield its URL."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "bot", "mcp", "--http", "127.0.0.1:0"),
        env={"GPUBOT_API_URL": api_url, "PYTHONPATH": str(ROOT)},
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stderr is not None
        line = (await process.stderr.readline()).decode()
        found = re.match(r"Listening on (http://[^,]+),", line)
        if found is None:
            raise Failed(line + (await process.stderr.read()).decode())
        yield found[1]
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def with_token(url: str, secret: str) -> AsyncIterator[str]:
    """Pass requests on to a server, with a token, because the suite can't send one. Yield the new URL."""
    drop = {"connection", "content-length", "transfer-encoding", "date"}

    async def forward(request: web.Request) -> web.StreamResponse:
        sent = {name: text for name, text in request.headers.items() if name.lower() not in drop}
        sent["Authorization"] = f"Bearer {secret}"
        body = await request.read()
        async with session.request(request.method, url, headers=sent, data=body or None) as answer:
            shown = {name: text for name, text in answer.headers.items() if name.lower() not in drop}
            return web.Response(status=answer.status, body=await answer.read(), headers=shown)

    application = web.Application()
    application.router.add_route("*", "/mcp", forward)
    runner = web.AppRunner(application)
    automatic = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
    async with aiohttp.ClientSession(skip_auto_headers=automatic, auto_decompress=False) as session:
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield f"http://127.0.0.1:{runner.addresses[0][1]}/mcp"
        finally:
            await runner.cleanup()


async def let_time_pass(api: Api) -> None:
    """Let each machine that somebody asks for become ready."""
    while True:
        for rental in (await api.ask("GET", "rentals")).json()["rentals"]:
            if rental["state"] in {"searching", "buying", "starting"}:
                await api.world.until(rental["id"], State.READY)
            elif rental["state"] == "ending":
                await api.world.until(rental["id"], State.DESTROYED)
        await asyncio.sleep(1)


# --- the suite


async def run_suite(place: Place, package: str, version: str, url: str) -> None:
    """Run all scenarios for a version of the protocol, and print the results. Raises Failed."""
    folder = place.results / f"{package}-{version}"
    script = place.script(package, "dist/index.js")
    options = ("--suite", "all", "--spec-version", version, "--output-dir", str(folder))
    await run([place.node, script, "server", "--url", url, *options], place.environment)
    files = sorted(folder.glob("*/checks.json"))
    if not files:
        raise Failed(f"{package} has no results for {version}.")
    print(f"\n{PACKAGES[package]}, version {version}: {len(files)} scenarios")
    without: Counter[str] = Counter()
    wrong: list[str] = []
    for file in files:
        scenario = re.sub(r"^server-(.*)-\d{4}-\d\d-\d\dT[\d-]+Z$", r"\1", file.parent.name)
        count: Counter[str] = Counter()
        for check in json.loads(file.read_text()):
            status = check["status"]
            if status == "FAILURE":
                reason = expected(scenario, check["id"])
                if reason is None:
                    wrong.append(f"{scenario} {check['id']}: {check.get('errorMessage')}")
                else:
                    status = "EXPECTED"
                    without[reason] += 1
            count[status] += 1
        if "FAILURE" not in count and not _left_out(scenario):
            print(f"    {scenario}: " + ", ".join(f"{number} {status}" for status, number in count.items()))
    for reason, number in without.most_common():
        print(f"    {number} checks can't be passed: {reason}")
    if wrong:
        raise Failed("\n".join(wrong))


def expected(scenario: str, check: str) -> str | None:
    """Return the reason why a check can't be passed. None if it has to be."""
    for scenarios, checks, reason in EXPECTED:
        if re.fullmatch(scenarios, scenario) and re.fullmatch(checks, check):
            return reason
    return None


def _left_out(scenario: str) -> bool:
    return any(re.fullmatch(scenarios, scenario) for scenarios, checks, _ in EXPECTED if checks == ".*")


# --- the clients


async def run_clients(place: Place) -> None:
    """Let each client list and call all tools, over HTTP and stdio. Raises Failed."""
    for how in ("http", "stdio"):
        await _say(place, "sdk", how, f"sdk-{how}")
        for mode in ("legacy", "auto"):
            await _say(place, "client", how, f"client-{mode}-{how}", mode)


async def _say(place: Place, package: str, how: str, *arguments: str) -> None:
    status, printed = await run(
        [place.node, str(place.packages / f"{package}.mjs"), how, *arguments], place.environment
    )
    if status:
        raise Failed(f"{package} {how} {arguments}: {printed}")
    print(f"    {PACKAGES[package]} {' '.join((how, *arguments[1:]))}: {printed.strip()}")


async def run_inspector(place: Place) -> None:
    """Let the inspector check the schemas of all tools, and call one, in each era. Raises Failed.

    It also does so through mcp-remote, with which agents that know only stdio use servers over HTTP.
    """
    environment = place.environment
    token = ["--header", f"Authorization: Bearer {environment['GPUBOT_TOKEN']}"]
    settings = [f"{name}={environment[name]}" for name in ("GPUBOT_API_URL", "GPUBOT_TOKEN", "PYTHONPATH")]
    remote = [place.node, place.script("mcp-remote", "dist/proxy.js"), environment["MCP_URL"], *token]
    # The inspector takes everything after "--" as the command to start.
    http: Words = ([environment["MCP_URL"], "--transport", "http", *token], [])
    stdio: Words = (
        [word for setting in settings for word in ("-e", setting)],
        ["--", sys.executable, "-m", "bot", "mcp"],
    )
    through_remote: Words = ([], ["--", *remote, "--transport", "http-only", "--silent"])
    inspector = [place.node, place.script("inspector", "clients/launcher/build/index.js"), "--cli"]
    for how, (options, started), eras in (
        ("http", http, ("legacy", "auto", "modern")),
        ("stdio", stdio, ("legacy", "auto", "modern")),
        (PACKAGES["mcp-remote"], through_remote, ("legacy",)),
    ):
        for era in eras:
            ask = [*inspector, *options, "--protocol-era", era, "--quiet", "--method"]
            listed = await _json([*ask, "tools/list", "--strict", *started], environment)
            names = tuple(tool["name"] for tool in listed["tools"])
            if names != TOOL_NAMES:
                raise Failed(f"inspector {how} {era}: {names}")
            call = ["tools/call", "--tool-name", "gpu_quote", "--tool-arg", "gpu=H100", "lease=2h"]
            called = await _json([*ask, *call, *started], environment)
            if not called["structuredContent"]["offers"]:
                raise Failed(f"inspector {how} {era}: {called}")
            print(f"    {PACKAGES['inspector']} {how} {era}: {len(names)} tools with portable schemas, 1 called")


async def _json(command: Sequence[str], environment: dict[str, str]) -> Any:
    status, printed = await run(command, environment)
    if status:
        raise Failed(printed)
    return json.loads(printed)


async def main(packages: Path, results: Path) -> None:
    with capture_logs():
        async with api_world(f"sqlite:///{results}/gpubot.db") as api:
            secret = await api.token(longest=6 * HOUR, beyond=BeyondTerms.ASK, per_day=100)
            api.server.pace = Pace(at_once=1000, per_second=1000)
            api_url = str(api.http.base_url)
            time = asyncio.create_task(let_time_pass(api))
            async with mcp_server(api_url) as url, with_token(url, secret) as without_token:
                environment = {
                    "PATH": f"{packages}/node_modules/node/bin:{os.environ['PATH']}",
                    "HOME": str(results),
                    "GPUBOT_API_URL": api_url,
                    "GPUBOT_TOKEN": secret,
                    "PYTHONPATH": str(ROOT),
                    "PYTHON": sys.executable,
                    "MCP_URL": url,
                }
                place = Place(packages, results, environment)
                for package, version in SUITES:
                    await run_suite(place, package, version, without_token)
                print("\nclients")
                await run_clients(place)
                await run_inspector(place)
            time.cancel()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", type=Path, help="The folder for the packages from npm.")
    parser.add_argument("--keep", type=Path, help="The folder for the results.")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        kept = given.keep or Path(folder) / "results"
        kept.mkdir(parents=True, exist_ok=True)
        try:
            install(given.packages or Path(folder) / "packages")
            asyncio.run(main(given.packages or Path(folder) / "packages", kept))
        except Failed as failure:
            sys.exit(str(failure))

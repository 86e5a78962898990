"""`python -m sandbox.slack --port 8602`: the workspace alone, until it is interrupted."""

import argparse
import asyncio
import json
import signal
from pathlib import Path

import yaml

from sandbox.clock import SandboxClock
from sandbox.slack import AppConfig, SlackSandbox, from_manifest


async def run(port: int, app: AppConfig, pace: float) -> None:
    sandbox = SlackSandbox(SandboxClock(), app=app, pace=pace)
    url = await sandbox.start(port)
    tokens = {"bot_token": sandbox.bot_token, "app_token": sandbox.app_token}
    print(json.dumps({"slack": url, "api": f"{url}/api/", "clock": url, **tokens}), flush=True)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stopped.set)
    await stopped.wait()
    await sandbox.stop()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m sandbox.slack", description=__doc__)
    parser.add_argument("--port", type=int, default=8602, help="0 takes a free one")
    parser.add_argument("--manifest", type=Path, help="install the app that this manifest (YAML) describes")
    parser.add_argument("--pace", type=float, default=1.0, help="speed of the rate limits' time; 0: none")
    wanted = parser.parse_args()
    app = AppConfig()
    if wanted.manifest is not None:
        app = from_manifest(yaml.safe_load(wanted.manifest.read_text(encoding="utf-8")))
    asyncio.run(run(wanted.port, app, wanted.pace))


if __name__ == "__main__":
    main()

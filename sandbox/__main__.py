"""`python -m sandbox`: Compute Clear, its SSH hosts and the Slack workspace in one process, with one clock."""

import asyncio
from pathlib import Path

import yaml

from sandbox.compute import DEFAULT_TOKEN, ComputeSandbox
from sandbox.running import arguments, clock_of, run_until_told
from sandbox.slack import AppConfig, SlackSandbox, from_manifest


def main() -> None:
    """Serves both until told to end; prints one JSON line when ready."""
    parser = arguments("The whole outside world on this machine.")
    parser.add_argument("--compute-port", type=int, default=0, help="Compute Clear's port (default: a free one)")
    parser.add_argument("--slack-port", type=int, default=0, help="the workspace's port (default: a free one)")
    parser.add_argument("--token", default=DEFAULT_TOKEN, help="the API token of Compute Clear")
    parser.add_argument("--manifest", type=Path, help="install the Slack app that this manifest describes")
    parser.add_argument("--pace", type=float, default=1.0, help="speed of Slack's rate limits; 0: none")
    options = parser.parse_args()
    clock = clock_of(parser, options)
    compute = ComputeSandbox(clock, token=options.token)
    app = AppConfig()
    if options.manifest is not None:
        app = from_manifest(yaml.safe_load(options.manifest.read_text(encoding="utf-8")))
    slack = SlackSandbox(clock, app=app, pace=options.pace)

    async def stop() -> None:
        await slack.stop()
        await compute.stop()

    async def serve() -> None:
        try:
            compute_url = await compute.start(options.compute_port)
            slack_url = await slack.start(options.slack_port)
        except OSError as taken:
            await stop()
            raise SystemExit(f"The sandbox can't listen: {taken}") from None
        ready = {
            "compute": compute_url,
            "slack": slack_url,
            "api": f"{slack_url}/api/",
            "clock": compute_url,
            "bot_token": slack.bot_token,
            "app_token": slack.app_token,
            "compute_token": compute.token,
        }
        await run_until_told(ready, stop, with_parent=options.with_parent)

    asyncio.run(serve())


if __name__ == "__main__":
    main()

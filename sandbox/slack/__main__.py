"""`python -m sandbox.slack --port 8602`: serve only the Slack workspace."""

import asyncio
from typing import Any

from sandbox.command_line import arguments, clock_of, port, run_until_stopped, start_listening
from sandbox.slack import SlackSandbox
from sandbox.slack.options import add_options


def ready_line(sandbox: SlackSandbox) -> dict[str, Any]:
    """Return the workspace's part of the ready line, which contains its URLs and secrets."""
    return {
        "slack": sandbox.url,
        "api": f"{sandbox.url}/api/",
        "clock": sandbox.url,
        "bot_token": sandbox.bot_token,
        "app_token": sandbox.app_token,
        "signing_secret": sandbox.http.signing_secret,
    }


def main() -> None:
    """Start the server, print one JSON line when it is ready, and serve until SIGTERM or SIGINT."""
    parser = arguments("sandbox.slack", "A Slack workspace on this machine, over Slack's own protocols.")
    parser.add_argument("--port", type=port, default=8602, help="0: a free one (default: 8602)")
    add_options(parser)
    options = parser.parse_args()
    sandbox = SlackSandbox(
        clock_of(options), app=options.manifest, pace=options.pace, seed=options.seed, lacks=options.lacks
    )

    async def serve() -> None:
        await start_listening(sandbox.start, options.port)
        await run_until_stopped(ready_line(sandbox), sandbox.stop, with_parent=options.with_parent)

    asyncio.run(serve())


if __name__ == "__main__":
    main()

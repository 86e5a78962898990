"""`python -m sandbox.slack --port 8602`: the workspace alone, until it is interrupted."""

import asyncio
from typing import Any

from sandbox.running import arguments, clock_of, listening, port, run_until_told
from sandbox.slack import SlackSandbox
from sandbox.slack.options import add_options


def ready_line(sandbox: SlackSandbox) -> dict[str, Any]:
    """What whoever starts the workspace has to know."""
    return {
        "slack": sandbox.url,
        "api": f"{sandbox.url}/api/",
        "clock": sandbox.url,
        "bot_token": sandbox.bot_token,
        "app_token": sandbox.app_token,
    }


def main() -> None:
    """Serves until told to end; prints one JSON line when ready."""
    parser = arguments("sandbox.slack", "A Slack workspace on this machine, over Slack's own protocols.")
    parser.add_argument("--port", type=port, default=8602, help="0: a free one (default: 8602)")
    add_options(parser)
    options = parser.parse_args()
    sandbox = SlackSandbox(clock_of(options), app=options.manifest, pace=options.pace)

    async def serve() -> None:
        await listening(sandbox.start, options.port)
        await run_until_told(ready_line(sandbox), sandbox.stop, with_parent=options.with_parent)

    asyncio.run(serve())


if __name__ == "__main__":
    main()

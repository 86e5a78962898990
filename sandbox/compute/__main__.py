"""`python -m sandbox.compute`: serve only Compute Clear and its SSH hosts."""

import asyncio

from sandbox.command_line import arguments, clock_of, port, run_until_stopped, start_listening
from sandbox.compute.app import DEFAULT_TOKEN, ComputeSandbox


def main() -> None:
    """Start the servers, print one JSON line when they are ready, and serve until SIGTERM or SIGINT."""
    parser = arguments("sandbox.compute", "The Compute Clear API and its SSH hosts, on this machine.")
    parser.add_argument("--port", type=port, default=8601, help="0: a free one (default: 8601)")
    parser.add_argument("--token", default=DEFAULT_TOKEN, help="the account's API token")
    options = parser.parse_args()
    sandbox = ComputeSandbox(clock_of(options), token=options.token)

    async def serve() -> None:
        url = await start_listening(sandbox.start, options.port)
        ready = {"compute": url, "clock": url, "compute_token": sandbox.token}
        await run_until_stopped(ready, sandbox.stop, with_parent=options.with_parent)

    asyncio.run(serve())


if __name__ == "__main__":
    main()

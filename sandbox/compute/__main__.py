"""`python -m sandbox.compute`: Compute Clear and its SSH hosts alone."""

import asyncio

from sandbox.compute.app import DEFAULT_TOKEN, ComputeSandbox
from sandbox.running import arguments, clock_of, listening, port, run_until_told


def main() -> None:
    """Serves until told to end; prints one JSON line when ready."""
    parser = arguments("sandbox.compute", "The Compute Clear API and its SSH hosts, on this machine.")
    parser.add_argument("--port", type=port, default=8601, help="0: a free one (default: 8601)")
    parser.add_argument("--token", default=DEFAULT_TOKEN, help="the account's API token")
    options = parser.parse_args()
    sandbox = ComputeSandbox(clock_of(options), token=options.token)

    async def serve() -> None:
        url = await listening(sandbox.start, options.port)
        ready = {"compute": url, "clock": url, "compute_token": sandbox.token}
        await run_until_told(ready, sandbox.stop, with_parent=options.with_parent)

    asyncio.run(serve())


if __name__ == "__main__":
    main()

"""`python -m sandbox.compute`: Compute Clear and its SSH hosts alone."""

import asyncio

from sandbox.compute.app import DEFAULT_TOKEN, ComputeSandbox
from sandbox.running import arguments, clock_of, run_until_told


def main() -> None:
    """Serves until told to end; prints one JSON line when ready."""
    parser = arguments("The Compute Clear API and its SSH hosts, on this machine.")
    parser.add_argument("--port", type=int, default=8601, help="0: a free one (default: 8601)")
    parser.add_argument("--token", default=DEFAULT_TOKEN, help="the account's API token")
    options = parser.parse_args()
    sandbox = ComputeSandbox(clock_of(parser, options), token=options.token)

    async def serve() -> None:
        try:
            url = await sandbox.start(options.port)
        except OSError as taken:
            raise SystemExit(f"The sandbox can't listen: {taken}") from None
        ready = {"compute": url, "clock": url, "compute_token": sandbox.token}
        await run_until_told(ready, sandbox.stop, with_parent=options.with_parent)

    asyncio.run(serve())


if __name__ == "__main__":
    main()

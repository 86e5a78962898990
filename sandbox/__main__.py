"""`python -m sandbox`: the whole sandbox in one process.

Serves Compute Clear, its SSH hosts, the Slack workspace, GitHub and the page. All of them share one clock.
"""

import asyncio

from sandbox.command_line import arguments, clock_of, port, run_until_stopped, start_listening
from sandbox.compute import DEFAULT_TOKEN, ComputeSandbox
from sandbox.github import GithubSandbox
from sandbox.slack import SlackSandbox
from sandbox.slack.__main__ import ready_line
from sandbox.slack.options import add_options
from sandbox.web import Page


def main() -> None:
    """Start every server, print one JSON line when all are ready, and serve until SIGTERM or SIGINT."""
    parser = arguments("sandbox", "The whole outside world on this machine.")
    parser.add_argument("--compute-port", type=port, default=0, help="Compute Clear's port (default: a free one)")
    parser.add_argument("--slack-port", type=port, default=0, help="the workspace's port (default: a free one)")
    parser.add_argument("--github-port", type=port, default=0, help="GitHub's port (default: a free one)")
    parser.add_argument("--page-port", type=port, default=0, help="the page's port (default: a free one)")
    parser.add_argument("--token", default=DEFAULT_TOKEN, help="the API token of Compute Clear")
    add_options(parser)
    options = parser.parse_args()
    clock = clock_of(options)
    compute = ComputeSandbox(clock, token=options.token)
    slack = SlackSandbox(clock, app=options.manifest, pace=options.pace, seed=options.seed, lacks=options.lacks)
    github = GithubSandbox(clock)
    page = Page(clock, slack, compute, github)

    async def stop() -> None:
        await page.stop()
        await github.stop()
        await slack.stop()
        await compute.stop()

    async def serve() -> None:
        try:
            compute_url = await start_listening(compute.start, options.compute_port, "--compute-port")
            await start_listening(slack.start, options.slack_port, "--slack-port")
            github_url = await start_listening(github.start, options.github_port, "--github-port")
            page_url = await start_listening(page.start, options.page_port, "--page-port")
        except SystemExit:
            await stop()
            raise
        ready = {
            "compute": compute_url,
            **ready_line(slack),
            "github": github_url,
            "clock": compute_url,
            "compute_token": compute.token,
            "page": page_url,
        }
        await run_until_stopped(ready, stop, with_parent=options.with_parent)

    asyncio.run(serve())


if __name__ == "__main__":
    main()

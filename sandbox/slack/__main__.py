"""`python -m sandbox.slack --port 8602`: the workspace alone, until it is interrupted."""

import asyncio
from pathlib import Path
from typing import Any

import yaml

from sandbox.running import arguments, clock_of, run_until_told
from sandbox.slack import AppConfig, SlackSandbox, from_manifest


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
    parser = arguments("A Slack workspace on this machine, over Slack's own protocols; see docs/sandbox.md.")
    parser.add_argument("--port", type=int, default=8602, help="0 takes a free one (default: 8602)")
    parser.add_argument("--manifest", type=Path, help="install the app that this manifest (YAML) describes")
    parser.add_argument("--pace", type=float, default=1.0, help="speed of the rate limits' time; 0: none")
    options = parser.parse_args()
    try:
        app = AppConfig() if options.manifest is None else from_manifest(read_yaml(options.manifest))
    except (OSError, ValueError, yaml.YAMLError) as wrong:
        parser.error(f"--manifest {options.manifest}: {wrong}")
    sandbox = SlackSandbox(clock_of(parser, options), app=app, pace=options.pace)

    async def run() -> None:
        try:
            await sandbox.start(options.port)
        except OSError as taken:
            raise SystemExit(f"The workspace can't listen: {taken}") from None
        await run_until_told(ready_line(sandbox), sandbox.stop, with_parent=options.with_parent)

    asyncio.run(run())


def read_yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()

"""The doctor with its own Slack and Compute Clear. All is well until a test breaks something."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.clock import SystemClock
from bot.doctor.examine import examine
from bot.doctor.findings import Finding, all_well
from demo.processes import free_port
from sandbox.client import Server
from sandbox.clock import SandboxClock
from sandbox.compute import ComputeSandbox
from sandbox.github import GithubSandbox
from sandbox.slack import SlackSandbox
from sandbox.slack.default import CLEO, GPUS
from tests.databases import fresh_sqlite

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@dataclass
class Installation:
    """The settings of a bot, and the sandboxes that they point to."""

    slack: SlackSandbox
    compute: ComputeSandbox
    session: aiohttp.ClientSession
    folder: Path
    env: pytest.MonkeyPatch
    compute_url: str
    github_url: str
    secrets: list[str] = field(default_factory=list)

    def set(self, **settings: str) -> None:
        for name, value in settings.items():
            self.env.setenv(name, value)

    def policy(self, text: str) -> None:
        path = self.folder / "policy.yml"
        path.write_text(text)
        self.set(GPUBOT_POLICY=str(path))

    @property
    def database(self) -> Path:
        return self.folder / "gpubot.sqlite"

    async def workspace(self, method: str, path: str, **body: Any) -> None:
        """Make a control call to the workspace."""
        await Server(self.slack.url, self.session).call(method, path, body)

    async def market(self, path: str, **body: Any) -> None:
        """Make a control call to Compute Clear."""
        await Server(self.compute_url, self.session).post(path, body)

    async def examine(self) -> list[Finding]:
        """Run the doctor and return its findings. Also checks that they contain no secret."""
        findings = await examine(SystemClock())
        shown = "\n".join(finding.line() for finding in findings)
        for secret in (self.slack.bot_token, self.slack.app_token, self.compute.token, *self.secrets):
            assert secret not in shown
        return findings

    async def not_ok(self) -> list[str]:
        """Return the lines of the findings that are not ok. Also checks that `all_well` agrees."""
        findings = await self.examine()
        assert not all_well(findings)
        return [finding.line() for finding in findings if finding.mark == "not ok"]


@pytest.fixture
async def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Installation]:
    clock = SandboxClock(NOON, speed=0)
    slack, compute, github = SlackSandbox(clock, pace=False), ComputeSandbox(clock), GithubSandbox(clock)
    async with aiohttp.ClientSession() as session:
        slack_url, compute_url, github_url = await slack.start(), await compute.start(), await github.start()
        made = Installation(slack, compute, session, tmp_path, monkeypatch, compute_url, github_url)
        monkeypatch.chdir(tmp_path)
        made.set(
            SLACK_BOT_TOKEN=slack.bot_token,
            SLACK_APP_TOKEN=slack.app_token,
            SLACK_API_URL=f"{slack_url}/api/",
            COMPUTE_CLEAR_TOKEN=compute.token,
            COMPUTE_CLEAR_URL=compute_url,
            GPUBOT_GITHUB_URL=github_url,
            GPUBOT_CHANNEL=GPUS,
            GPUBOT_ADMINS=CLEO,
            GPUBOT_DATABASE_URL=f"sqlite:///{made.database}",
            GPUBOT_HTTP=f"127.0.0.1:{free_port()}",
        )
        await fresh_sqlite(made.database)
        yield made
        await slack.stop()
        await compute.stop()
        await github.stop()

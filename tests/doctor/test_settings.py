"""The doctor's findings about settings, `.env` and the policy."""

from __future__ import annotations

import pytest

from bot.doctor.findings import all_well
from tests.doctor.conftest import Installation


async def test_each_missing_or_wrong_setting_has_its_own_line(
    installation: Installation,
) -> None:
    """Everything else is checked."""
    installation.env.delenv("SLACK_BOT_TOKEN")
    installation.set(GPUBOT_ADMINS="cleo")
    findings = await installation.examine()
    assert [f.line() for f in findings if f.mark == "not ok"] == [
        "not ok  settings: SLACK_BOT_TOKEN is not set. "
        "It is the Bot User OAuth Token of your Slack app, which begins with xoxb-.",
        "not ok  settings: GPUBOT_ADMINS isn't valid. Expected: "
        "a list of Slack user ids, comma-separated, such as U0123ABCD (in Slack: profile, Copy member ID).",
    ]
    assert "left    Slack bot token: not checked; SLACK_BOT_TOKEN first." in [f.line() for f in findings]
    assert {f.what for f in findings if f.mark == "ok"} >= {
        "Slack app token",
        "Compute Clear catalogue",
        "database",
    }
    assert not [f for f in findings if f.what.startswith("admin")]


async def test_a_policy_with_mistakes_has_a_line_for_each(installation: Installation) -> None:
    installation.policy("lease: {default: 4}\nauto_aprove: {}\n")
    assert await installation.not_ok() == [
        "not ok  policy: line 1, lease.default: write it with a unit, such as 15m or 4h.",
        "not ok  policy: line 2, auto_aprove: there is no such key. The most similar one is auto_approve.",
    ]


async def test_webhooks_without_a_secret_are_not_ok(installation: Installation) -> None:
    """Lines show only the hosts of the receivers, because a path can contain a secret."""
    hooks = ["https://hooks.example.com/T0/s3cret", "https://hooks.example.com/T1", "https://ci.example.com"]
    installation.policy(f"webhooks: [{', '.join(f'{{url: {url!r}}}' for url in hooks)}]\n")
    (line,) = await installation.not_ok()
    assert line.startswith("not ok  GPUBOT_WEBHOOK_SECRET: it is not set. Nothing is sent to the webhooks")
    installation.set(GPUBOT_WEBHOOK_SECRET="s" * 40)
    lines = [finding.line() for finding in await installation.examine()]
    signs = "it signs what is sent to hooks.example.com and ci.example.com."
    assert f"ok      GPUBOT_WEBHOOK_SECRET: {signs}" in lines
    assert not any("s3cret" in line for line in lines)
    installation.set(GPUBOT_WEBHOOK_SECRET="s" * 9)
    (line,) = await installation.not_ok()
    assert line.startswith("not ok  settings: GPUBOT_WEBHOOK_SECRET")
    installation.env.delenv("GPUBOT_WEBHOOK_SECRET")
    installation.policy("webhooks: []\n")
    assert not [f for f in await installation.examine() if f.what == "GPUBOT_WEBHOOK_SECRET"]


async def test_a_missing_policy_file_is_not_ok(installation: Installation) -> None:
    installation.set(GPUBOT_POLICY="/nowhere/policy.yml")
    assert await installation.not_ok() == [
        "not ok  policy: I can't read /nowhere/policy.yml: No such file or directory."
    ]


async def test_a_dotenv_that_others_can_read_is_a_hint(installation: Installation) -> None:
    (installation.folder / ".env").write_text("GPUBOT_LOG=json\n")
    (installation.folder / ".env").chmod(0o640)
    findings = await installation.examine()
    assert "hint    settings: other users of this machine can read or write .env. Type: chmod 600 .env" in [
        f.line() for f in findings
    ]
    assert all_well(findings)
    (installation.folder / ".env").chmod(0o600)
    assert not [f for f in await installation.examine() if f.mark == "hint" and f.what == "settings"]


async def test_a_file_without_a_key_for_the_probe_is_not_ok(installation: Installation) -> None:
    file = installation.folder / "probe"
    file.write_text("ssh-ed25519 AAAA public\n")
    file.chmod(0o600)
    installation.set(GPUBOT_PROBE_KEY_FILE=str(file))
    assert await installation.not_ok() == [
        "not ok  settings: GPUBOT_PROBE_KEY_FILE: the file has no private SSH key that works without a passphrase."
    ]


async def test_an_unreadable_dotenv_is_reported_in_one_line(
    installation: Installation,
) -> None:
    """Everything else is checked."""
    (installation.folder / ".env").write_bytes(b"GPUBOT_CHANNEL=\xff\n")
    installation.env.delenv("GPUBOT_CHANNEL")
    installation.env.delenv("COMPUTE_CLEAR_TOKEN")
    assert await installation.not_ok() == ["not ok  settings: .env: I can't read it: it isn't UTF-8 text."]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GPUBOT_HTTP", "127.0.0.1:http"),
        ("GPUBOT_HTTP", f"{'a' * 300}:8600"),
        ("GPUBOT_DATABASE_URL", "sqlite:///:memory:"),
        ("GPUBOT_DATABASE_URL", f"sqlite:////var/lib/{'a' * 300}"),
        ("GPUBOT_DATABASE_URL", f"sqlite:////var/lib/{'a' * 252}"),
        ("GPUBOT_DATABASE_URL", f"postgresql://{'a' * 300}/gpubot"),
        ("GPUBOT_DATABASE_URL", "postgresql://127.0.0.1:99999/gpubot"),
        ("COMPUTE_CLEAR_TOKEN", "one\ntwo"),
        ("GPUBOT_POLICY", "/"),
    ],
)
async def test_a_setting_that_run_would_refuse_is_one_line(
    installation: Installation, name: str, value: str
) -> None:
    installation.set(**{name: value})
    (line,) = await installation.not_ok()
    assert "bug" not in line
    assert len(line) < 400

"""The doctor's findings about the configured channels and their members."""

from __future__ import annotations

import pytest

from sandbox.slack.default import ANA, APPROVALS, APPROVERS, BEN, CLEO, GPUS, QUIET, SHARED, TRAINING
from tests.doctor.conftest import Installation


async def lines_of(installation: Installation, what: str) -> list[str]:
    return [finding.line() for finding in await installation.examine() if finding.what.startswith(what)]


async def test_each_use_channel_has_its_own_line(installation: Installation) -> None:
    installation.policy(f"use: {{channels: [{GPUS}, {TRAINING}, {SHARED}, C0NOWHERE]}}")
    assert await lines_of(installation, "use channel") == [
        f"ok      use channel {TRAINING}: #training, and I'm in it.",
        f"hint    use channel {SHARED}: #shared is shared with people outside your workspace, so cards go to the "
        "home channel.",
        "not ok  use channel C0NOWHERE: I can't find the channel C0NOWHERE. Check use.channels in the policy. "
        "If it's a private channel, I can see it only as a member: type /invite @gpubot there.",
    ]


async def test_a_use_channel_without_the_bot_is_only_a_hint(installation: Installation) -> None:
    installation.policy(f"use: {{channels: [{TRAINING}]}}")
    await installation.workspace("PATCH", f"channels/{TRAINING}", bot=False)
    assert await lines_of(installation, "use channel") == [
        f"hint    use channel {TRAINING}: #training; I'm not in it, so cards go to the home channel. "
        "To have them there, type: /invite @gpubot"
    ]


async def test_an_approvals_channel_without_any_approver_is_not_ok(installation: Installation) -> None:
    installation.policy(f"approvers: {{people: [{ANA}, {CLEO}]}}\napprovals_channel: {APPROVALS}")
    assert await lines_of(installation, "approvers") == [
        "not ok  approvers: no approver is in the approvals channel. Type there: /invite @ana @cleo"
    ]


async def test_an_approvals_channel_without_some_approvers_is_a_hint(installation: Installation) -> None:
    installation.policy(f"approvers: {{people: [{ANA}], groups: [{APPROVERS}]}}\napprovals_channel: {APPROVALS}")
    assert await lines_of(installation, "approvers") == [
        "hint    approvers: these approvers aren't in the approvals channel, so they aren't asked: "
        "ana. Type there: /invite @ana"
    ]


@pytest.mark.parametrize("present", [True, False])
async def test_without_approvers_the_admins_must_be_in_the_channel(
    installation: Installation, present: bool
) -> None:
    installation.set(GPUBOT_ADMINS=CLEO)
    if not present:
        await installation.workspace("PATCH", f"channels/{GPUS}", members=[ANA, BEN])
    (line,) = await lines_of(installation, "approvers")
    assert line.startswith("ok " if present else "not ok  approvers: no approver is in")


async def test_approvers_are_not_checked_if_the_channel_is_invisible(
    installation: Installation,
) -> None:
    installation.policy(f"approvals_channel: {QUIET}")
    assert await lines_of(installation, "approvers") == [
        "left    approvers: not checked; the approvals channel first."
    ]


async def test_approvers_are_not_ok_if_the_members_cannot_be_read(installation: Installation) -> None:
    await installation.workspace("POST", "faults", endpoint="conversations.members", kind="status", status=500)
    assert await lines_of(installation, "approvers") == [
        "not ok  approvers: Slack gave no usable answer (internal_error). Try again in a minute."
    ]

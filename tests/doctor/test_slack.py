"""The doctor's findings about Slack. Each failure is set up in the sandbox's workspace."""

from __future__ import annotations

import json
import os

import pytest
from inline_snapshot import snapshot

from bot.doctor.findings import all_well
from demo.processes import free_port
from handlers.phrases.classic import NEW_TYPES
from handlers.slack_api.scopes import NEEDED, OPTIONAL
from sandbox.slack.default import ANA, APPROVALS, APPROVERS, BEN, CLEO, DAN, GPUS, GUS, OLGA, QUIET, SHARED
from sandbox.slack.state import BOT_USER, TEAM
from tests.doctor.conftest import Installation


async def test_each_part_has_a_line_if_all_is_well(installation: Installation) -> None:
    installation.policy(f"approvers: {{people: [{BEN}], groups: [{APPROVERS}]}}\napprovals_channel: {APPROVALS}\n")
    lines = [finding.line() for finding in await installation.examine()]
    assert lines[:2] == [
        "ok      settings: all required settings are set.",
        f"ok      policy: {installation.folder}/policy.yml is valid.",
    ]
    assert lines[2:10] == [
        "ok      Slack bot token: @gpubot in Sandbox.",
        "ok      Slack scopes: the app has all 12.",
        "ok      Slack app token: it opens Socket Mode connections.",
        "ok      home channel: #gpus, and I'm in it.",
        "ok      approvals channel: #approvals, and I'm in it.",
        f"ok      admin {CLEO}: Cleo.",
        f"ok      approver {BEN}: Ben.",
        f"ok      approver group {APPROVERS}: 1 member.",
    ]
    assert lines[10] == "ok      approvers: all approvers are in the approvals channel."
    assert lines[11] == (
        "ok      Slack blocks: this workspace accepts all that I use: header, rich_text, plan, data_table, "
        "data_visualization and alert."
    )
    assert all(line.startswith("ok ") for line in lines)


async def test_a_revoked_bot_token_is_not_ok_and_the_rest_is_checked(installation: Installation) -> None:
    await installation.workspace("POST", "tokens", bot="revoked")
    findings = await installation.examine()
    assert [f.line() for f in findings if f.mark == "not ok"] == [
        "not ok  Slack bot token: Slack refuses it (token_revoked). It was revoked. "
        "Copy SLACK_BOT_TOKEN from api.slack.com/apps, Install App, Bot User OAuth Token."
    ]
    assert [f.line() for f in findings if f.mark == "left"] == [
        "left    Slack scopes: not checked; the bot token first.",
        "left    home channel: not checked; the bot token first.",
        f"left    admin {CLEO}: not checked; the bot token first.",
        "left    approvers: not checked; the bot token first.",
        "left    Slack blocks: not checked; the bot token first.",
    ]
    assert {f.what for f in findings if f.mark == "ok"} >= {"Slack app token", "Compute Clear token", "database"}


async def test_a_bot_token_that_was_never_issued_is_not_ok(installation: Installation) -> None:
    stranger = "xoxb-of-another-planet"
    installation.set(SLACK_BOT_TOKEN=stranger)
    installation.secrets.append(stranger)
    (line,) = await installation.not_ok()
    assert "Slack bot token: Slack refuses it (invalid_auth). It isn't the token of an installed app." in line


async def test_a_revoked_app_token_is_not_ok(installation: Installation) -> None:
    await installation.workspace("POST", "tokens", app="revoked")
    assert await installation.not_ok() == [
        "not ok  Slack app token: Slack refuses it (token_revoked). It was revoked. "
        "Copy SLACK_APP_TOKEN from api.slack.com/apps, Basic Information, App-Level Tokens."
    ]


async def test_socket_mode_that_is_off_is_not_ok(installation: Installation) -> None:
    await installation.workspace(
        "POST", "app", manifest={"oauth_config": {"scopes": {"bot": [*NEEDED, *OPTIONAL]}}}
    )
    assert await installation.not_ok() == [
        "not ok  Slack app token: Socket Mode is off. Turn it on at api.slack.com/apps, Socket Mode, or set "
        "GPUBOT_SLACK_MODE=http."
    ]


async def test_http_mode_needs_a_signing_secret_and_socket_mode_off(
    installation: Installation,
) -> None:
    installation.env.delenv("SLACK_APP_TOKEN")
    installation.set(GPUBOT_SLACK_MODE="http", GPUBOT_SLACK_HTTP=f"127.0.0.1:{free_port()}")
    assert await installation.not_ok() == [
        "not ok  settings: SLACK_SIGNING_SECRET is not set. It is the Signing Secret of your Slack app "
        "(Basic Information, App Credentials)."
    ]
    installation.set(SLACK_SIGNING_SECRET="5a1d" * 8)
    findings = await installation.examine()
    assert all_well(findings)
    assert [f.line() for f in findings if f.what in {"Slack HTTP mode", "GPUBOT_SLACK_HTTP"}] == [
        "hint    Slack HTTP mode: I can't check whether Socket Mode is off. While it's on, Slack sends me no "
        "requests. Look at api.slack.com/apps, Socket Mode.",
        f"ok      GPUBOT_SLACK_HTTP: {os.environ['GPUBOT_SLACK_HTTP']} is free.",
    ]
    taken = installation.slack.url.removeprefix("http://")
    installation.set(SLACK_APP_TOKEN=installation.slack.app_token, GPUBOT_SLACK_HTTP=taken)
    assert await installation.not_ok() == [
        "not ok  Slack HTTP mode: Socket Mode is on, so Slack sends me no requests. Paste what "
        "gpubot manifest --http prints.",
        f"not ok  GPUBOT_SLACK_HTTP: another program listens on {taken}. Set it to a free port, "
        "as 127.0.0.1:8611.",
    ]
    scopes = [*NEEDED, *OPTIONAL]
    await installation.workspace("POST", "app", manifest={"oauth_config": {"scopes": {"bot": scopes}}})
    assert (
        "ok      Slack HTTP mode: Socket Mode is off, and a signing secret is set. Slack has no way to check it."
        in [finding.line() for finding in await installation.examine()]
    )


async def test_missing_scopes_are_listed_with_their_purpose(installation: Installation) -> None:
    scopes = [scope for scope in (*NEEDED, *OPTIONAL) if scope not in {"im:write", "users:read"}]
    await installation.workspace("POST", "app", scopes=scopes)
    findings = await installation.examine()
    assert [f.line() for f in findings if f.mark == "not ok"] == [
        "not ok  Slack scopes: the app lacks im:write (opening direct messages), users:read (names, time zones, "
        "guests, who has left). Paste manifest.yml again at api.slack.com/apps, App Manifest, then Reinstall."
    ]
    assert [f.line() for f in findings if f.mark == "left"] == [
        f"left    admin {CLEO}: not checked; the missing scopes first."
    ]


async def test_an_app_with_an_older_manifest_gets_only_a_hint(installation: Installation) -> None:
    await installation.workspace("POST", "app", scopes=list(NEEDED))
    findings = await installation.examine()
    assert all_well(findings)
    assert [finding.line() for finding in findings if finding.mark != "ok"] == [
        "hint    Slack scopes: the app lacks app_mentions:read (@gpubot extend 2h in channels "
        "and threads), files:write (sending the files of months). Everything else works. Paste manifest.yml "
        "again at api.slack.com/apps, App Manifest, then Reinstall."
    ]


async def test_a_home_channel_without_the_bot_is_not_ok(installation: Installation) -> None:
    await installation.workspace("PATCH", f"channels/{GPUS}", bot=False)
    assert await installation.not_ok() == [
        "not ok  home channel: I'm not in #gpus. Type there: /invite @gpubot",
    ]


async def test_a_private_channel_without_the_bot_cannot_be_found(installation: Installation) -> None:
    installation.set(GPUBOT_CHANNEL=QUIET)
    assert await installation.not_ok() == [
        f"not ok  home channel: I can't find the channel {QUIET}. Check GPUBOT_CHANNEL. "
        "If it's a private channel, I can see it only as a member: type /invite @gpubot there."
    ]


async def test_an_archived_approvals_channel_is_not_ok(installation: Installation) -> None:
    installation.policy(f"approvers: {{people: [{BEN}]}}\napprovals_channel: {APPROVALS}")
    await installation.workspace("PATCH", f"channels/{APPROVALS}", archived=True)
    assert await installation.not_ok() == [
        "not ok  approvals channel: #approvals is archived. Unarchive it, or name another: "
        "approvals_channel in the policy."
    ]


async def test_a_home_channel_shared_with_outsiders_is_not_ok(installation: Installation) -> None:
    installation.set(GPUBOT_CHANNEL=SHARED)
    assert await installation.not_ok() == [
        "not ok  home channel: #shared is shared with people outside your workspace. Name one of your own: "
        "GPUBOT_CHANNEL."
    ]


@pytest.mark.parametrize(
    ("user", "words"),
    [
        (DAN, "Dan is deactivated. Name someone else."),
        (GUS, "Gus is a guest. Name a full member."),
        (OLGA, "Olga belongs to another workspace. Name someone in yours."),
        (BOT_USER, "gpubot is a bot. Name a person."),
        ("U0NOBODY0", "Slack doesn't know this ID. Copy it again: profile, More, Copy member ID."),
    ],
)
async def test_an_admin_must_be_a_full_member_of_the_workspace(
    installation: Installation, user: str, words: str
) -> None:
    installation.set(GPUBOT_ADMINS=f"{CLEO}, {user}")
    assert await installation.not_ok() == [f"not ok  admin {user}: {words}"]


async def test_an_admin_from_another_workspace_may_be_a_member_here(
    installation: Installation,
) -> None:
    await installation.workspace("PATCH", f"people/{BOT_USER}", org="E0HOME000")
    member = {"org": "E0HOME000", "team": "T0SISTER0", "teams": ["T0SISTER0", TEAM]}
    await installation.workspace("PATCH", f"people/{CLEO}", **member)
    assert f"ok      admin {CLEO}: Cleo." in [finding.line() for finding in await installation.examine()]
    await installation.workspace("PATCH", f"people/{CLEO}", teams=["T0SISTER0"])
    assert await installation.not_ok() == [
        f"not ok  admin {CLEO}: Cleo belongs to another workspace. Name someone in yours."
    ]


async def test_a_deactivated_approver_is_not_ok(installation: Installation) -> None:
    installation.policy(f"approvers: {{people: [{ANA}, {CLEO}]}}")
    await installation.workspace("PATCH", f"people/{ANA}", deleted=True)
    assert await installation.not_ok() == [f"not ok  approver {ANA}: Ana is deactivated. Name someone else."]


async def test_a_person_with_two_roles_has_one_line(installation: Installation) -> None:
    installation.policy(f"approvers: {{people: [{CLEO}]}}")
    findings = await installation.examine()
    assert [f.what for f in findings if CLEO in f.what] == [f"admin and approver {CLEO}"]


async def test_empty_and_unknown_groups_are_not_ok(installation: Installation) -> None:
    installation.policy(f"approvers: {{groups: [{APPROVERS}]}}\nuse: {{groups: [S0NOTHING]}}")
    await installation.workspace("PATCH", f"groups/{APPROVERS}", members=[])
    assert await installation.not_ok() == [
        f"not ok  approver group {APPROVERS}: it has no members. Add some, or name people in the policy.",
        "not ok  user group S0NOTHING: Slack doesn't know this user group. Correct its ID in the policy.",
    ]


async def test_groups_in_a_workspace_without_groups_are_not_ok(installation: Installation) -> None:
    installation.policy(f"approvers: {{groups: [{APPROVERS}]}}")
    await installation.workspace("POST", "lacks", usergroups=True)
    assert await installation.not_ok() == [
        f"not ok  approver group {APPROVERS}: this workspace has no user groups. "
        "Name people in the policy instead."
    ]


async def test_an_address_that_leads_to_another_server_is_not_ok(installation: Installation) -> None:
    installation.set(SLACK_API_URL=installation.compute_url)
    token, app = await installation.not_ok()
    assert token.startswith("not ok  Slack bot token: 127.0.0.1 gave no usable answer (")
    assert token.endswith("Check SLACK_API_URL and the network, or try again later.")
    assert app.startswith("not ok  Slack app token: 127.0.0.1 gave no usable answer (")


async def test_an_address_without_a_server_is_not_ok(installation: Installation) -> None:
    await installation.slack.stop()
    token, app = await installation.not_ok()
    assert token.startswith("not ok  Slack bot token: 127.0.0.1 gave no usable answer (ClientConnector")
    assert app.startswith("not ok  Slack app token: 127.0.0.1 gave no usable answer (ClientConnector")


async def test_a_fault_of_slack_is_not_ok(installation: Installation) -> None:
    await installation.workspace("POST", "faults", endpoint="conversations.info", kind="status", status=500)
    assert await installation.not_ok() == [
        "not ok  home channel: Slack gave no usable answer (internal_error). Try again in a minute."
    ]


async def test_control_characters_in_a_name_are_removed(installation: Installation) -> None:
    await installation.workspace("PATCH", f"people/{CLEO}", name="Cleo\x1b[2J\r\nok")
    lines = [finding.line() for finding in await installation.examine()]
    assert f"ok      admin {CLEO}: Cleo[2Jok." in lines


async def blocks_line(installation: Installation) -> str:
    findings = await installation.examine()
    assert all_well(findings)
    (line,) = [finding.line() for finding in findings if finding.what == "Slack blocks"]
    return line


@pytest.mark.parametrize(
    ("refused", "words"),
    [
        (["plan"], "plan, so people see lines of text instead of checklists"),
        (["alert"], "alert, so people see bold lines instead of alerts in dialogs"),
        (["rich_text"], "rich_text, so people see classic code blocks"),
        (["header"], "header, so people see bold lines instead of large titles"),
        (
            ["data_table", "data_visualization"],
            "data_table and data_visualization, so people see text in columns instead of tables and no charts",
        ),
    ],
)
async def test_a_workspace_that_refuses_blocks_is_ok_with_a_hint(
    installation: Installation, refused: list[str], words: str
) -> None:
    await installation.workspace("POST", "lacks", blocks=refused)
    line = await blocks_line(installation)
    assert line == f"hint    Slack blocks: this workspace refuses {words}. No fact is lost."


async def test_a_workspace_that_refuses_all_newer_blocks_is_ok_with_one_hint(installation: Installation) -> None:
    await installation.workspace("POST", "lacks", blocks=sorted(NEW_TYPES))
    assert await blocks_line(installation) == snapshot(
        "hint    Slack blocks: this workspace refuses header, rich_text, plan, data_table, data_visualization and "
        "alert, so people see bold lines instead of large titles, classic code blocks, lines of text instead of "
        "checklists, text in columns instead of tables, no charts and bold lines instead of alerts in dialogs. "
        "No fact is lost."
    )


async def test_a_server_without_blocks_validate_is_ok_with_a_hint(installation: Installation) -> None:
    body = json.dumps({"ok": False, "error": "unknown_method"})
    await installation.workspace("POST", "faults", endpoint="blocks.validate", kind="garbage", body=body)
    findings = await installation.examine()
    assert all_well(findings)
    assert [finding.line() for finding in findings if finding.mark == "hint"] == [
        "hint    Slack blocks: I can't tell what this workspace accepts: blocks.validate gave no usable answer "
        "(unknown_method). If it refuses a block, people see the same facts in classic blocks."
    ]


async def test_the_people_and_groups_of_finance_are_looked_up(installation: Installation) -> None:
    installation.policy(f"finance: {{people: [{BEN}, {GUS}, U0NOBODY0], groups: [{APPROVERS}]}}\n")
    lines = [finding.line() for finding in await installation.examine()]
    assert f"ok      finance {BEN}: Ben." in lines
    assert f"ok      finance {GUS}: Gus." in lines
    assert f"ok      finance group {APPROVERS}: 1 member." in lines
    assert any(line.startswith("not ok  finance U0NOBODY0: Slack doesn't know this ID.") for line in lines)

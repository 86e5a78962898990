"""Slack: tokens, scopes, channels, people. Every call here only reads, but apps.connections.open, whose ticket
nobody uses."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.doctor.calls import code_of, unread
from bot.doctor.channels import APPROVERS, approvers, channel, places
from bot.doctor.findings import Case, Finding, hint, left, ok, wrong
from bot.doctor.machine import skew
from handlers.directory.people import Home, person_of
from handlers.slack_api.error_codes import NO_ANSWER
from handlers.slack_api.scopes import SCOPES

BOT_TOKEN, SCOPE, APP_TOKEN = "Slack bot token", "Slack scopes", "Slack app token"
_TOKENS = {
    "invalid_auth": "It is not the token of an installed app.",
    "not_authed": "It is empty.",
    "token_revoked": "It was revoked.",
    "token_expired": "It has expired; token rotation must be off.",
    "account_inactive": "The app was removed from the workspace, or its workspace is gone.",
    "not_allowed_token_type": "It is a token of another kind.",
}


@dataclass(frozen=True)
class Met:
    """What auth.test tells."""

    handle: str
    home: Home
    scopes: frozenset[str] | None
    ahead: timedelta | None
    """This machine's clock, against Slack's."""


async def slack(case: Case, client: AsyncWebClient) -> tuple[list[Finding], timedelta | None]:
    """Everything about Slack, and how far this machine's clock is ahead of Slack's."""
    (said, met), app = await asyncio.gather(_bot_token(case, client), _app_token(case, client))
    known, people, groups = places(case), _people(case), _groups(case)
    if met is None:
        rest = [SCOPE, *known, *people, *groups, APPROVERS]
        return [said, app, *(left(what, "the bot token first.") for what in rest)], None
    each = asyncio.gather(
        *(channel(client, met.handle, *place) for place in known.items()),
        *(_person(client, met, *one) for one in people.items()),
        *(_group(client, *group) for group in groups.items()),
    )
    found, asked = await asyncio.gather(each, approvers(case, client))
    return [said, _scopes(met), app, *found, *asked], met.ahead


# --- tokens


async def _bot_token(case: Case, client: AsyncWebClient) -> tuple[Finding, Met | None]:
    lacking = case.lacks("SLACK_BOT_TOKEN", "SLACK_API_URL")
    if lacking:
        return left(BOT_TOKEN, lacking), None
    try:
        answer = await client.auth_test()
    except NO_ANSWER as error:
        return _no_token(BOT_TOKEN, "SLACK_BOT_TOKEN", error, case, "Install App, Bot User OAuth Token"), None
    met = Met(
        handle=str(answer.get("user") or "gpubot"),
        home=Home.of(answer),
        scopes=_scopes_of(answer),
        ahead=skew(answer.headers.get("Date"), case.clock),
    )
    return ok(BOT_TOKEN, f"@{met.handle} in {answer.get('team') or 'the workspace'}."), met


async def _app_token(case: Case, client: AsyncWebClient) -> Finding:
    lacking = case.lacks("SLACK_APP_TOKEN", "SLACK_API_URL")
    if lacking:
        return left(APP_TOKEN, lacking)
    try:
        await client.apps_connections_open(app_token=case.settings.slack_app_token.get_secret_value())
    except NO_ANSWER as error:
        code = code_of(error)
        if code == "socket_mode_disabled":
            return wrong(APP_TOKEN, "Socket Mode is off. Switch it on at api.slack.com/apps, Socket Mode.")
        if code == "missing_scope":
            return wrong(APP_TOKEN, "it lacks connections:write. Make a new app-level token with that scope.")
        return _no_token(APP_TOKEN, "SLACK_APP_TOKEN", error, case, "Basic Information, App-Level Tokens")
    return ok(APP_TOKEN, "opens Socket Mode connections.")


def _no_token(what: str, name: str, error: Exception, case: Case, where: str) -> Finding:
    code = code_of(error)
    if code in _TOKENS:
        return wrong(
            what, f"Slack refuses it ({code}). {_TOKENS[code]} Copy {name} from api.slack.com/apps, {where}."
        )
    return wrong(what, _no_answer(error, case))


def _scopes_of(answer: AsyncSlackResponse) -> frozenset[str] | None:
    """From the header; None where it is absent, as on servers that are not Slack."""
    told: str | None = answer.headers.get("x-oauth-scopes")
    return None if told is None else frozenset(scope.strip() for scope in told.split(",") if scope.strip())


def _scopes(met: Met) -> Finding:
    if met.scopes is None:
        return hint(SCOPE, "the server doesn't tell them, so I can't compare them with manifest.yml.")
    missing = {scope: why for scope, why in SCOPES.items() if scope not in met.scopes}
    if not missing:
        return ok(SCOPE, f"all {len(SCOPES)} are there.")
    named = ", ".join(f"{scope} ({why})" for scope, why in missing.items())
    return wrong(
        SCOPE, f"missing: {named}. Paste manifest.yml again at api.slack.com/apps, App Manifest, then Reinstall."
    )


# --- people


def _people(case: Case) -> dict[str, str]:
    """What to call each person that the settings and the policy give a role, and their id."""
    not_set = case.settings.admin_ids if "GPUBOT_ADMINS" in case.wrong else ()
    admins = tuple(user for user in case.rules.admins if user not in not_set)
    approvers = case.rules.approvers.people
    return {f"{_role(user, admins, approvers)} {user}": user for user in dict.fromkeys((*admins, *approvers))}


def _role(user: str, admins: Iterable[str], approvers: Iterable[str]) -> str:
    return " and ".join(role for role, those in (("admin", admins), ("approver", approvers)) if user in those)


async def _person(client: AsyncWebClient, met: Met, what: str, user_id: str) -> Finding:
    try:
        answer = await client.users_info(user=user_id)
        user = answer.get("user")
        if not isinstance(user, Mapping):
            raise ValueError("users.info without a user")
    except NO_ANSWER as error:
        if code_of(error) in {"user_not_found", "user_not_visible"}:
            return wrong(what, "Slack knows nobody by this id. Copy it again: profile, More, Copy member ID.")
        return unread(what, error)
    person = person_of(user_id, user, home=met.home)
    who = person.name
    if person.deactivated:
        return wrong(what, f"{who} is deactivated. Name someone else.")
    if person.bot:
        return wrong(what, f"{who} is a bot. Name a person.")
    if person.outsider:
        return wrong(what, f"{who} is of another workspace. Name someone of yours.")
    if person.guest:
        return wrong(what, f"{who} is a guest. Name a full member.")
    return ok(what, f"{who}.")


def _groups(case: Case) -> dict[str, str]:
    """What to call each user group of the policy, and its id."""
    rules = case.rules
    return {
        f"{_role(group, (), rules.approvers.groups) or 'user'} group {group}": group
        for group in dict.fromkeys((*rules.approvers.groups, *rules.use.groups))
    }


async def _group(client: AsyncWebClient, what: str, group: str) -> Finding:
    try:
        answer = await client.usergroups_users_list(usergroup=group)
        users = answer.get("users")
    except NO_ANSWER as error:
        if code_of(error) == "no_such_subteam":
            return wrong(what, "Slack knows no user group by this id. Correct it in the policy.")
        if code_of(error) in {"paid_teams_only", "unknown_method", "plan_upgrade_required"}:
            return wrong(what, "this workspace has no user groups. Name people in the policy instead.")
        return unread(what, error)
    count = len(users) if isinstance(users, list) else 0
    if not count:
        return wrong(what, "it has no members. Add some, or name people in the policy.")
    return ok(what, f"{count} member{'' if count == 1 else 's'}.")


# --- errors


def _no_answer(error: Exception, case: Case) -> str:
    host = urlsplit(case.settings.slack_api_url).hostname
    told = f"no usable answer from {host} ({code_of(error)})."
    return f"{told} Check SLACK_API_URL and the network, or try again later."

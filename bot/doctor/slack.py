"""Checks Slack: tokens, scopes, channels, people.

All calls only read, except apps.connections.open, which creates a Socket Mode URL that is never used.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from pydantic import SecretStr
from slack_sdk.web.async_client import AsyncWebClient

from bot.config.settings import SlackMode
from bot.doctor.channels import APPROVERS, approvers, channel, configured_channels
from bot.doctor.findings import CheckContext, Finding, call_failed, code_of, hint, not_checked, ok, wrong
from bot.doctor.host import gap_to
from bot.model.text import listed, plural
from bot.policy.team.roles import Team, deciding_groups, then_people
from handlers.delivery.block_types import refused_by
from handlers.directory import HomeWorkspace, person_of
from handlers.phrases.classic import SAMPLES
from handlers.phrases.tables import CHART, TABLE
from handlers.slack_api.scopes import ADD_SCOPES, NEEDED, OPTIONAL, granted_scopes, missing
from handlers.slack_api.web_api import NO_ANSWER

BOT_TOKEN, SCOPE, APP_TOKEN = "Slack bot token", "Slack scopes", "Slack app token"
HTTP_MODE = "Slack HTTP mode"
BLOCKS = "Slack blocks"
FINANCE = "finance"
_TOKENS = {
    "invalid_auth": "It isn't the token of an installed app.",
    "not_authed": "It is empty.",
    "token_revoked": "It was revoked.",
    "token_expired": "It has expired. Token rotation must be off.",
    "account_inactive": "The app was removed from the workspace, or the workspace was deleted.",
    "not_allowed_token_type": "It's a token of another kind.",
}


@dataclass(frozen=True)
class BotIdentity:
    """The answer of auth.test."""

    handle: str
    home: HomeWorkspace
    scopes: frozenset[str] | None
    """The scopes that the token has been granted. None if the server doesn't report them.

    Slack always reports them, but a test server that replaces Slack may not.
    """
    clock_gap: timedelta | None
    """The time by which this machine's clock is ahead of Slack's."""


async def slack(context: CheckContext, client: AsyncWebClient) -> tuple[list[Finding], timedelta | None]:
    """Return the results of all Slack checks, and the time by which this machine's clock is ahead of Slack's."""
    (bot_token, identity), app_token = await asyncio.gather(
        _bot_token(context, client), _app_token(context, client)
    )
    channels, people, groups = configured_channels(context), _people(context), _groups(context)
    if identity is None:
        rest = [SCOPE, *channels, *people, *groups, APPROVERS, BLOCKS]
        return [bot_token, app_token, *(not_checked(what, "the bot token first.") for what in rest)], None
    lookups = asyncio.gather(
        *(channel(client, identity.handle, what, configured) for what, configured in channels.items()),
        *(_person(client, identity, what, user_id) for what, user_id in people.items()),
        *(_group(client, what, group_id) for what, group_id in groups.items()),
    )
    found, of_approvers, blocks = await asyncio.gather(lookups, approvers(context, client), _blocks(client))
    return [bot_token, *_scopes(identity), app_token, *found, *of_approvers, blocks], identity.clock_gap


# --- tokens


async def _bot_token(context: CheckContext, client: AsyncWebClient) -> tuple[Finding, BotIdentity | None]:
    if blocked := context.blocked_by("SLACK_BOT_TOKEN", "SLACK_API_URL"):
        return not_checked(BOT_TOKEN, blocked), None
    try:
        answer = await client.auth_test()
    except NO_ANSWER as error:
        return _token_failed(
            BOT_TOKEN, "SLACK_BOT_TOKEN", error, context, "Install App, Bot User OAuth Token"
        ), None
    identity = BotIdentity(
        handle=str(answer.get("user") or "gpubot"),
        home=HomeWorkspace.of(answer),
        scopes=granted_scopes(answer),
        clock_gap=gap_to(answer.headers.get("Date"), context.clock),
    )
    return ok(BOT_TOKEN, f"@{identity.handle} in {answer.get('team') or 'the workspace'}."), identity


async def _app_token(context: CheckContext, client: AsyncWebClient) -> Finding:
    """Check whether requests from Slack can arrive in the configured mode: Socket Mode or HTTP.

    In HTTP mode, Socket Mode must be off. This can be checked only if an app token is set.
    """
    if context.settings.slack_mode is SlackMode.HTTP:
        return await _http_mode(context, client)
    if blocked := context.blocked_by("SLACK_APP_TOKEN", "SLACK_API_URL"):
        return not_checked(APP_TOKEN, blocked)
    try:
        await client.apps_connections_open(app_token=_secret(context.settings.slack_app_token))
    except NO_ANSWER as error:
        code = code_of(error)
        if code == "socket_mode_disabled":
            switch = "Turn it on at api.slack.com/apps, Socket Mode, or set GPUBOT_SLACK_MODE=http."
            return wrong(APP_TOKEN, f"Socket Mode is off. {switch}")
        if code == "missing_scope":
            return wrong(
                APP_TOKEN, "it lacks the scope connections:write. Create a new app-level token with that scope."
            )
        return _token_failed(APP_TOKEN, "SLACK_APP_TOKEN", error, context, "Basic Information, App-Level Tokens")
    return ok(APP_TOKEN, "it opens Socket Mode connections.")


async def _http_mode(context: CheckContext, client: AsyncWebClient) -> Finding:
    if blocked := context.blocked_by("SLACK_SIGNING_SECRET", "SLACK_API_URL"):
        return not_checked(HTTP_MODE, blocked)
    token = _secret(context.settings.slack_app_token)
    if "SLACK_APP_TOKEN" in context.wrong or not token:
        message = "I can't check whether Socket Mode is off. While it's on, Slack sends me no requests"
        return hint(HTTP_MODE, f"{message}. Look at api.slack.com/apps, Socket Mode.")
    try:
        await client.apps_connections_open(app_token=token)
    except NO_ANSWER as error:
        if code_of(error) == "socket_mode_disabled":
            return ok(HTTP_MODE, "Socket Mode is off, and a signing secret is set. Slack has no way to check it.")
        return hint(HTTP_MODE, f"I can't check whether Socket Mode is off ({code_of(error)} for SLACK_APP_TOKEN).")
    return wrong(
        HTTP_MODE, "Socket Mode is on, so Slack sends me no requests. Paste what gpubot manifest --http prints."
    )


def _secret(value: SecretStr | None) -> str:
    return "" if value is None else value.get_secret_value()


def _token_failed(what: str, name: str, error: Exception, context: CheckContext, where: str) -> Finding:
    code = code_of(error)
    if code in _TOKENS:
        return wrong(
            what, f"Slack refuses it ({code}). {_TOKENS[code]} Copy {name} from api.slack.com/apps, {where}."
        )
    return wrong(what, _no_answer(error, context))


def _scopes(identity: BotIdentity) -> list[Finding]:
    if identity.scopes is None:
        return [hint(SCOPE, "the server doesn't list them, so I can't compare them with manifest.yml.")]
    needed, optional = missing(NEEDED, identity.scopes), missing(OPTIONAL, identity.scopes)
    found = []
    if needed:
        found.append(wrong(SCOPE, f"the app lacks {_named(needed)}. {ADD_SCOPES}"))
    if optional:
        found.append(hint(SCOPE, f"the app lacks {_named(optional)}. Everything else works. {ADD_SCOPES}"))
    return found or [ok(SCOPE, f"the app has all {len(NEEDED) + len(OPTIONAL)}.")]


def _named(scopes: Mapping[str, str]) -> str:
    return ", ".join(f"{scope} ({purpose})" for scope, purpose in scopes.items())


# --- blocks


_INSTEAD = {
    "header": "bold lines instead of large titles",
    "rich_text": "classic code blocks",
    "plan": "lines of text instead of checklists",
    TABLE: "text in columns instead of tables",
    CHART: "no charts",
    "alert": "bold lines instead of alerts in dialogs",
}
"""For each newer type of block, a description of what people see if the workspace refuses the type."""


async def _blocks(client: AsyncWebClient) -> Finding:
    """Check which of the newer types of blocks the workspace accepts in messages and in modals.

    If the workspace refuses some types, the bot shows the same facts in older types of blocks.
    """
    try:
        refused = set().union(*[await refused_by(client, surface) for surface in SAMPLES])
    except NO_ANSWER as error:
        return hint(
            BLOCKS,
            f"I can't tell what this workspace accepts: blocks.validate gave no usable answer ({code_of(error)}). "
            "If it refuses a block, people see the same facts in classic blocks.",
        )
    if not refused:
        return ok(BLOCKS, f"this workspace accepts all that I use: {listed(list(_INSTEAD))}.")
    shown = [words for name, words in _INSTEAD.items() if name in refused]
    names = [name for name in _INSTEAD if name in refused]
    return hint(BLOCKS, f"this workspace refuses {listed(names)}, so people see {listed(shown)}. No fact is lost.")


# --- people


def _people(context: CheckContext) -> dict[str, str]:
    """Map a description of each person with a role in the policy, such as `admin U0ANA`, to their Slack ID."""
    stand_ins = context.settings.admin_ids if "GPUBOT_ADMINS" in context.wrong else ()
    admins = tuple(user for user in context.rules.admins if user not in stand_ins)
    approvers = (*context.rules.approvers.people, *context.rules.approvers.quiet)
    of_role = {
        "admin": admins,
        "approver": (*approvers, *then_people(context.rules, Team())),
        FINANCE: context.rules.finance.people,
    }
    return _by_roles(of_role)


def _by_roles(of_role: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """Map a description of each person or group to their Slack ID.

    The description lists all roles of the person or group, such as `admin and approver U0ANA`.
    """
    roles: dict[str, list[str]] = {}
    for role, names in of_role.items():
        for name in dict.fromkeys(names):
            roles.setdefault(name, []).append(role)
    return {f"{' and '.join(of_name)} {name}": name for name, of_name in roles.items()}


async def _person(client: AsyncWebClient, identity: BotIdentity, what: str, user_id: str) -> Finding:
    try:
        answer = await client.users_info(user=user_id)
        user = answer.get("user")
        if not isinstance(user, Mapping):
            raise ValueError("users.info without a user")
    except NO_ANSWER as error:
        if code_of(error) in {"user_not_found", "user_not_visible"}:
            return wrong(what, "Slack doesn't know this ID. Copy it again: profile, More, Copy member ID.")
        return call_failed(what, error)
    person = person_of(user_id, user, home=identity.home)
    who = person.name
    if person.deactivated:
        return wrong(what, f"{who} is deactivated. Name someone else.")
    if person.bot:
        return wrong(what, f"{who} is a bot. Name a person.")
    if person.outsider:
        return wrong(what, f"{who} belongs to another workspace. Name someone in yours.")
    if person.guest and not what.startswith(FINANCE):  # guests are allowed only in finance
        return wrong(what, f"{who} is a guest. Name a full member.")
    return ok(what, f"{who}.")


def _groups(context: CheckContext) -> dict[str, str]:
    """Map a description of each user group in the policy, such as `user group S0ML`, to its Slack ID."""
    rules = context.rules
    decide = deciding_groups(rules)
    of_role = {
        "approver group": decide,
        f"{FINANCE} group": rules.finance.groups,
        "user group": [one for one in rules.use.groups if one not in decide],
    }
    return _by_roles(of_role)


async def _group(client: AsyncWebClient, what: str, group: str) -> Finding:
    try:
        answer = await client.usergroups_users_list(usergroup=group)
        users = answer.get("users")
    except NO_ANSWER as error:
        if code_of(error) == "no_such_subteam":
            return wrong(what, "Slack doesn't know this user group. Correct its ID in the policy.")
        if code_of(error) in {"paid_teams_only", "unknown_method", "plan_upgrade_required"}:
            return wrong(what, "this workspace has no user groups. Name people in the policy instead.")
        return call_failed(what, error)
    count = len(users) if isinstance(users, list) else 0
    if not count:
        return wrong(what, "it has no members. Add some, or name people in the policy.")
    return ok(what, f"{plural(count, 'member')}.")


# --- errors


def _no_answer(error: Exception, context: CheckContext) -> str:
    host = urlsplit(context.settings.slack_api_url).hostname
    message = f"{host} gave no usable answer ({code_of(error)})."
    return f"{message} Check SLACK_API_URL and the network, or try again later."

"""auth.*, bots.*, users.* and usergroups.*: who is who."""

from sandbox.slack.api_conversations import page
from sandbox.slack.calling import ApiError
from sandbox.slack.context import Call
from sandbox.slack.schema import Json
from sandbox.slack.state import APP_ID, BOT_ID, BOT_USER, TEAM
from sandbox.slack.wire import DOMAIN, group_json, user_json


def auth_test(call: Call) -> Json:
    org = call.workspace.people[BOT_USER].org
    told: Json = {
        "ok": True,
        "url": f"https://{DOMAIN}.slack.com/",
        "team": "Sandbox",
        "user": call.workspace.people[BOT_USER].handle,
        "team_id": TEAM,
        "user_id": BOT_USER,
        "bot_id": BOT_ID,
        "is_enterprise_install": False,
    }
    return told | {"enterprise_id": org} if org else told


def api_test(call: Call) -> Json:
    if "error" in call.args:
        raise ApiError(call.args.text("error") or "unknown")
    return {"ok": True, "args": call.args.values}


def bots_info(call: Call) -> Json:
    if call.args.text("bot") not in (None, BOT_ID):
        raise ApiError("bot_not_found")
    bot = {
        "id": BOT_ID,
        "deleted": False,
        "name": call.workspace.app.name,
        "updated": 0,
        "app_id": APP_ID,
        "user_id": BOT_USER,
        "icons": {},
    }
    return {"ok": True, "bot": bot}


def users_info(call: Call) -> Json:
    told = user_json(call.workspace, call.person())
    if call.args.flag("include_locale") and told["team_id"] == TEAM:
        told["locale"] = "en-GB"
    return {"ok": True, "user": told}


def users_list(call: Call) -> Json:
    people = [person for person in call.workspace.people.values() if person.is_in(TEAM)]
    shown, cursor = page(call, people, 200)
    return {
        "ok": True,
        "members": [user_json(call.workspace, person) for person in shown],
        "cache_ts": call.workspace.seconds(),
        "response_metadata": {"next_cursor": cursor},
    }


def usergroups_list(call: Call) -> Json:
    users = call.args.flag("include_users")
    groups = [group_json(call.workspace, group, users=users) for group in call.workspace.groups.values()]
    return {"ok": True, "usergroups": groups}


def usergroups_users_list(call: Call) -> Json:
    group = call.workspace.groups.get(call.args.needed("usergroup"))
    if group is None:
        raise ApiError("no_such_subteam")
    return {"ok": True, "users": list(group.members)}

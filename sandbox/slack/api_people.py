"""auth.*, users.* and usergroups.*: shows the bot, people and user groups."""

from sandbox.slack.arguments import ApiError
from sandbox.slack.call import Call
from sandbox.slack.objects import DOMAIN, user_json
from sandbox.slack.schema import Json
from sandbox.slack.state import BOT_ID, BOT_USER, TEAM


def auth_test(call: Call) -> Json:
    """Return the identity of the bot."""
    bot = call.workspace.people[BOT_USER]
    answer: Json = {
        "ok": True,
        "url": f"https://{DOMAIN}.slack.com/",
        "team": "Sandbox",
        "user": bot.handle,
        "team_id": TEAM,
        "user_id": BOT_USER,
        "bot_id": BOT_ID,
        "is_enterprise_install": False,
    }
    return answer | {"enterprise_id": bot.org} if bot.org else answer


def users_info(call: Call) -> Json:
    """Return a person."""
    return {"ok": True, "user": user_json(call.workspace, call.person())}


def usergroups_users_list(call: Call) -> Json:
    """Return the members of a user group."""
    group = call.workspace.groups.get(call.args.needed("usergroup"))
    if group is None:
        raise ApiError("no_such_subteam")
    return {"ok": True, "users": list(group.members)}

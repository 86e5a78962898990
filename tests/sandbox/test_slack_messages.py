"""Messages over the Web API with the real client: accepted and refused calls, and what people see."""

from typing import Any

import pytest
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.errors import SlackApiError

from sandbox.slack import AppConfig
from sandbox.slack.app_config import SCOPES
from sandbox.slack.default import ANA, APPROVALS, APPROVERS, BEN, CLEO, DAN, GPUS, OLGA, QUIET, SHARED, TRAINING
from sandbox.slack.state import BOT_ID, BOT_USER, TEAM
from tests.sandbox.slack_world import Json, World, actions, button, section, workspace

CARD = {"event_type": "card", "event_payload": {"rental": "k7mq2", "tries": 2, "flags": [True]}}


async def test_auth_test_returns_the_bots_identity_and_scopes() -> None:
    async with workspace() as world:
        who = await world.client.auth_test()
        assert (who["user_id"], who["bot_id"], who["team_id"]) == (BOT_USER, BOT_ID, TEAM)
        assert who.headers["x-oauth-scopes"] == ",".join(SCOPES)


async def test_members_see_a_post_and_others_do_not() -> None:
    async with workspace() as world:
        posted = await world.post(APPROVALS, "Approve?", blocks=[section("Approve *now*?")])
        [seen] = await world.see(BEN)
        assert (seen["ts"], seen["text"], seen["reads"]) == (posted["ts"], "Approve?", "Approve now?")
        assert (seen["channel_name"], seen["author"], seen["only_you"]) == ("approvals", "gpubot", False)
        assert await world.see(ANA) == []
        assert len(await world.see(ANA, channel=APPROVALS)) == 1
        assert await world.see(OLGA, channel=APPROVALS) == []


async def test_the_bot_can_post_only_in_channels_that_it_is_in() -> None:
    async with workspace() as world:
        await world.act("channels", name="elsewhere")
        await world.act(f"channels/{APPROVALS}", "PATCH", archived=True)
        await world.act(f"channels/{GPUS}", "PATCH", bot=False)
        places = {"C0NOWHERE": "channel_not_found", QUIET: "channel_not_found", "#elsewhere": "not_in_channel"}
        places |= {APPROVALS: "is_archived", GPUS: "not_in_channel", DAN: "channel_not_found"}
        for place, error in places.items():
            assert await world.refused(world.post(place)) == error
        assert (await world.post("#training"))["channel"] == TRAINING


async def test_a_post_to_a_person_opens_their_direct_message() -> None:
    async with workspace() as world:
        posted = await world.post(ANA, "Yours is ready")
        assert posted["channel"].startswith("D")
        opened = await world.client.conversations_open(users=ANA)
        assert opened["channel"]["id"] == posted["channel"]
        [seen] = await world.see(ANA)
        assert seen["is_dm"]
        await world.client.chat_update(channel=posted["channel"], ts=posted["ts"], text="Yours is gone")
        assert await world.reads(ANA) == ["Yours is gone"]


async def test_missing_and_too_long_content_is_refused_or_cut() -> None:
    async with workspace() as world:
        assert (await world.raw("chat.postMessage", json={"channel": TRAINING}))["error"] == "no_text"
        assert await world.refused(world.post(text="x", blocks=[{"type": "video"}])) == "invalid_blocks"
        long = [section("x" * 2990) for _ in range(5)]
        assert await world.refused(world.post(blocks=long)) == "msg_blocks_too_long"
        answer = await world.post(text="x" * 50_000)
        assert len(answer["message"]["text"]) == 40_000
        edit = world.client.chat_update(channel=TRAINING, ts=answer["ts"], text="x" * 4001)
        assert await world.refused(edit) == "msg_too_long"


async def test_a_field_that_is_null_counts_as_absent() -> None:
    async with workspace() as world:
        await world.bolt(offers)
        blank = {"style": None, "url": None, "accessibility_label": None}
        posted = await world.post(blocks=[section("x", accessory=None), actions(button("Go", "rent", **blank))])
        target: Json = {"user": ANA, "channel": TRAINING, "ts": posted["ts"], "action_id": "rent"}
        assert (await world.act("click", **target))["ok"]


async def test_refused_blocks_come_with_the_place_of_the_mistake() -> None:
    async with workspace() as world:
        blocks = [section("fine"), section("")]
        answer = await world.raw("chat.postMessage", json={"channel": TRAINING, "text": "x", "blocks": blocks})
        assert answer["error"] == "invalid_blocks"
        assert answer["errors"] == ["must be more than 0 characters [json-pointer:/blocks/1/text/text]"]


async def test_an_edit_with_text_alone_drops_the_blocks_and_keeps_the_metadata() -> None:
    async with workspace() as world:
        posted = await world.post(blocks=[section("Starting")], metadata=CARD)
        edited = await world.client.chat_update(channel=TRAINING, ts=posted["ts"], text="Ready")
        assert "blocks" not in edited["message"]
        assert edited["message"]["metadata"]["event_payload"] == CARD["event_payload"]
        [seen] = await world.see(ANA)
        assert (seen["reads"], seen["edited"]) == ("Ready", True)
        cleared = await world.client.chat_update(channel=TRAINING, ts=posted["ts"], text="Ready", metadata={})
        assert "metadata" not in cleared["message"]


async def test_the_app_can_edit_only_its_own_messages() -> None:
    async with workspace() as world:
        message = await world.act("say", user=ANA, channel=TRAINING, text="hello")
        edit = world.client.chat_update(channel=TRAINING, ts=message["ts"], text="x")
        assert await world.refused(edit) == "cant_update_message"


async def test_a_deleted_message_disappears_for_everyone() -> None:
    async with workspace() as world:
        posted = await world.post()
        state = world.sandbox.workspace
        state.delete(state.messages[TRAINING][str(posted["ts"])])
        [seen] = await world.see(ANA)
        assert seen["deleted"]
        history = await world.client.conversations_history(channel=TRAINING)
        assert history["messages"] == []
        edit = world.client.chat_update(channel=TRAINING, ts=posted["ts"], text="x")
        assert await world.refused(edit) == "message_not_found"


async def test_an_ephemeral_message_is_for_one_person_and_cannot_be_edited() -> None:
    async with workspace() as world:
        shown = await world.client.chat_postEphemeral(channel=TRAINING, user=ANA, text="Only you")
        [seen] = await world.see(ANA)
        assert seen["only_you"]
        assert await world.see(BEN) == []
        edit = world.client.chat_update(channel=TRAINING, ts=shown["message_ts"], text="x")
        assert await world.refused(edit) == "message_not_found"
        for user in (OLGA, DAN, "U0NOBODY0"):
            call = world.client.chat_postEphemeral(channel=TRAINING, user=user, text="x")
            assert await world.refused(call) == "user_not_in_channel"
        await world.act("lacks", ephemerals=True)
        await world.client.chat_postEphemeral(channel=TRAINING, user=ANA, text="Lost")
        assert await world.reads(ANA) == ["Only you"]


async def test_a_reply_needs_the_ts_of_the_threads_parent() -> None:
    async with workspace() as world:
        parent = await world.post(text="Card")
        reply = await world.post(text="Renting", thread_ts=parent["ts"])
        assert await world.refused(world.post(thread_ts=reply["ts"])) == "invalid_thread_ts"
        assert await world.refused(world.post(thread_ts="1.000001")) == "thread_not_found"
        shown = await world.post(text="Ready", thread_ts=parent["ts"], reply_broadcast=True)
        assert shown["message"]["subtype"] == "thread_broadcast"
        seen = await world.see(ANA)
        assert [(each["thread_ts"], each["broadcast"]) for each in seen] == [
            (None, False),
            (parent["ts"], False),
            (parent["ts"], True),
        ]
        thread = await world.client.conversations_replies(channel=TRAINING, ts=parent["ts"])
        assert [each["text"] for each in thread["messages"]] == ["Card", "Renting", "Ready"]
        assert thread["messages"][0]["reply_count"] == 2


async def test_history_has_pages_newest_first_without_replies() -> None:
    async with workspace() as world:
        stamps = [(await world.post(text=f"m{n}", metadata=CARD))["ts"] for n in range(5)]
        await world.post(text="reply", thread_ts=stamps[0])
        first = await world.client.conversations_history(channel=TRAINING, limit=3, include_all_metadata=True)
        assert [each["text"] for each in first["messages"]] == ["m4", "m3", "m2"]
        assert first["messages"][0]["metadata"] == CARD
        assert first["has_more"]
        cursor = first["response_metadata"]["next_cursor"]
        second = await world.client.conversations_history(channel=TRAINING, limit=3, cursor=cursor)
        assert [each["text"] for each in second["messages"]] == ["m1", "m0"]
        assert "event_payload" not in second["messages"][0]["metadata"]
        newer = await world.client.conversations_history(channel=TRAINING, oldest=stamps[2])
        assert [each["text"] for each in newer["messages"]] == ["m4", "m3"]
        older = await world.client.conversations_history(channel=TRAINING, latest=stamps[2], inclusive=True)
        assert [each["text"] for each in older["messages"]] == ["m2", "m1", "m0"]


async def test_history_needs_membership_and_a_scope() -> None:
    async with workspace(app=AppConfig(scopes=("chat:write", "channels:history"))) as world:
        await world.act(f"channels/{GPUS}", "PATCH", bot=False)
        assert await world.refused(world.client.conversations_history(channel=GPUS)) == "not_in_channel"
        direct = (await world.post(ANA))["channel"]
        answer = await world.raw("conversations.history", params={"channel": direct})
        assert (answer["error"], answer["needed"]) == ("missing_scope", "im:history")


async def test_metadata_must_be_flat_and_small() -> None:
    async with workspace() as world:
        deep = {"event_type": "card", "event_payload": {"a": {"b": {"c": 1}}}}
        assert await world.refused(world.post(metadata=deep)) == "invalid_metadata_schema"
        large = {"event_type": "card", "event_payload": {"a": "x" * 2000}}
        assert await world.refused(world.post(metadata=large)) == "metadata_too_large"
        await world.act("lacks", metadata=True)
        assert "metadata" not in (await world.post(metadata=CARD))["message"]


async def test_people_groups_and_channels_are_returned_with_their_flags() -> None:
    async with workspace() as world:
        client = world.client
        guest = (await client.users_info(user="U0GUS0000"))["user"]
        assert (guest["is_restricted"], guest["is_ultra_restricted"]) == (True, False)
        await world.act("people/U0GUS0000", "PATCH", guest="ultra_restricted")
        single = (await client.users_info(user="U0GUS0000"))["user"]
        assert (single["is_restricted"], single["is_ultra_restricted"]) == (True, True)
        assert (await client.users_info(user=BOT_USER))["user"]["is_bot"]
        outsider = (await client.users_info(user=OLGA))["user"]
        assert outsider["team_id"] != TEAM
        assert not outsider["is_stranger"]
        assert (await client.users_info(user=DAN))["user"]["deleted"]
        assert (await client.users_info(user=CLEO))["user"]["tz_offset"] == -5 * 3600
        assert (await client.usergroups_users_list(usergroup=APPROVERS))["users"] == [BEN]
        assert await world.refused(client.usergroups_users_list(usergroup="S1")) == "no_such_subteam"
        info = (await client.conversations_info(channel=SHARED))["channel"]
        assert (info["is_ext_shared"], info["is_member"]) == (True, True)
        members = await client.conversations_members(channel=SHARED, limit=3)
        assert len(members["members"]) == 3
        assert members["response_metadata"]["next_cursor"]


async def test_a_workspace_may_not_support_groups_history_and_guest_flags() -> None:
    async with workspace() as world:
        await world.act("lacks", usergroups=True, history=True, guest_flags=True)
        client = world.client
        assert await world.refused(client.usergroups_users_list(usergroup=APPROVERS)) == "unknown_method"
        assert await world.refused(client.conversations_history(channel=GPUS)) == "unknown_method"
        assert "is_restricted" not in (await client.users_info(user="U0GUS0000"))["user"]


@pytest.mark.parametrize("form", ["json", "form", "query"])
async def test_arguments_can_be_sent_as_json_a_form_or_the_query(form: str) -> None:
    arguments: dict[str, Any] = {"channel": TRAINING, "text": "hi", "team_id": TEAM}
    async with workspace() as world:
        names = {"json": "json", "form": "data", "query": "params"}
        parts: dict[str, Any] = {names[form]: arguments}
        assert (await world.raw("chat.postMessage", **parts))["ok"]
        assert await world.reads(ANA) == ["hi"]


async def test_a_wrong_token_method_or_scope_is_refused() -> None:
    async with workspace(app=AppConfig(scopes=("commands",))) as world:
        async with world.session.post(f"{world.url}/api/auth.test") as answer:
            assert (await answer.json())["error"] == "not_authed"
        stranger = {"token": "xoxb-no"}
        assert (await world.raw("auth.test", **stranger))["error"] == "invalid_auth"
        assert (await world.raw("chat.shout"))["error"] == "unknown_method"
        post = await world.raw("chat.postMessage", json={"channel": TRAINING, "text": "hi"})
        assert (post["error"], post["needed"], post["provided"]) == (
            "missing_scope",
            "chat:write",
            "commands",
        )
        await world.act("tokens", bot="revoked")
        assert (await world.raw("auth.test"))["error"] == "token_revoked"


def offers(app: AsyncApp) -> None:
    blocks = [section("Rent?"), actions(button("Rent", "rent", "q1"), button("Refresh", "refresh"))]

    @app.command("/gpu")
    async def ask(ack: Any) -> None:
        await ack(text="Rent?", blocks=blocks)

    @app.action("rent")
    async def rent(ack: Any, respond: Any) -> None:
        await ack()
        await respond(text="Rented", replace_original=True)

    @app.action("refresh")
    async def refresh(ack: Any, respond: Any) -> None:
        await ack()
        await respond(text="Looking", replace_original=False)


async def clicked(world: World, action_id: str, **more: Any) -> Json:
    [asked] = [each for each in await world.see(ANA) if each["buttons"]]
    return await world.act("click", user=ANA, channel=TRAINING, ts=asked["ts"], action_id=action_id, **more)


async def test_a_click_on_an_ephemeral_message_replaces_it_through_the_response_url() -> None:
    async with workspace() as world:
        await world.bolt(offers)
        await world.command(ANA)
        before = (await world.get("see", user=ANA))["last"]
        assert (await clicked(world, "refresh"))["ok"]
        [more] = await world.see(ANA, after=before, wait=20)
        assert (more["reads"], more["only_you"]) == ("Looking", True)
        assert (await clicked(world, "rent"))["ok"]
        [replaced] = await world.see(ANA, after=more["seq"], wait=20)
        assert (replaced["reads"], replaced["edited"], replaced["buttons"]) == ("Rented", True, [])
        assert await world.see(BEN) == []


TABLE = {"type": "data_table", "caption": "x", "rows": [[{"type": "raw_text", "text": "Ana"}]] * 2}


async def test_a_table_reads_row_by_row_and_is_refused_if_unsupported() -> None:
    async with workspace() as world:
        await world.post(text="Spend", blocks=[TABLE])
        assert (await world.see(BEN))[0]["reads"] == "x\nAna\nAna"
        await world.act("lacks", blocks=["data_table", "data_visualization"])
        assert await world.refused(world.post(text="Spend", blocks=[TABLE])) == "invalid_blocks"


async def test_blocks_validate_reports_the_place_of_an_error_and_posts_nothing() -> None:
    async with workspace() as world:

        async def validate(**given: object) -> Json:
            try:
                answer = await world.client.api_call("blocks.validate", json=given)
            except SlackApiError as error:
                answer = error.response
            assert isinstance(answer.data, dict)
            return answer.data

        wrong = {"type": "header", "text": {"type": "mrkdwn", "text": "x"}}
        view = {"type": "modal", "title": {"type": "plain_text", "text": "x"}, "blocks": [wrong]}
        assert await validate(blocks=[TABLE]) == {"ok": True}
        for given, pointer in (
            ({"blocks": [TABLE, wrong]}, "/1/text"),
            ({"message": {"blocks": [wrong]}}, "/blocks/0/text"),
            ({"view": view}, "/blocks/0/text"),
        ):
            assert await validate(**given) == {
                "ok": False,
                "error": f"invalid_{next(iter(given))}",
                "errors": [
                    {
                        "code": "failed_constraint",
                        "message": "unsupported type: mrkdwn",
                        "pointer": pointer,
                    }
                ],
            }
        assert (await validate())["error"] == "invalid_arguments"
        assert (await validate(blocks=[TABLE], message={"blocks": []}))["error"] == "invalid_arguments"
        await world.act("lacks", blocks=["data_table", "data_visualization"])
        assert (await validate(blocks=[TABLE]))["errors"][0]["pointer"] == "/0"
        assert await world.reads(BEN) == []

"""Uploading files over the Web API: the upload URL, the bytes, the completion, and the later message."""

from typing import Any

import pytest

from sandbox.slack import AppConfig, Timing
from sandbox.slack.app_config import SCOPES
from sandbox.slack.default import ANA, APPROVALS, BEN, GPUS, TRAINING
from tests.sandbox.slack_world import Json, World, workspace

UPLOADER = AppConfig(scopes=(*SCOPES, "files:read"), events=("file_shared",))
AT_ONCE, NEVER = Timing(share=0), Timing(share=3600)


async def test_a_file_that_the_real_client_uploads_is_shared_later() -> None:
    async with workspace(app=UPLOADER, timing=AT_ONCE) as world:
        socket = await world.socket()
        parent = (await world.post(text="Card"))["ts"]
        done = await world.client.files_upload_v2(
            content="gpu,cost\n", filename="costs.csv", title="Costs", channel=TRAINING, thread_ts=parent
        )
        [uploaded] = done["files"]
        assert (uploaded["name"], uploaded["title"], uploaded["size"], uploaded["shares"]) == (
            "costs.csv",
            "Costs",
            9,
            {},
        )
        [shared] = await world.see(ANA, after=1, wait=20)
        assert (shared["reads"], shared["thread_ts"]) == ("Costs", parent)
        info = (await world.client.files_info(file=uploaded["id"]))["file"]
        assert [share["ts"] for share in info["shares"]["public"][TRAINING]] == [shared["ts"]]
        event = (await socket.next())["payload"]["event"]
        assert (event["type"], event["file_id"], event["channel_id"]) == ("file_shared", uploaded["id"], TRAINING)


async def test_a_file_that_is_not_shared_yet_is_invisible_and_has_no_ts() -> None:
    async with workspace(app=UPLOADER, timing=NEVER) as world:
        done = await world.client.files_upload_v2(content="x", filename="x.txt", channel=TRAINING)
        assert (await world.client.files_info(file=done["file"]["id"]))["file"]["shares"] == {}
        assert await world.see(ANA) == []


async def begun(world: World, **more: Any) -> Json:
    return await world.raw("files.getUploadURLExternal", params={"filename": "a.png", "length": 3, **more})


async def test_an_upload_needs_the_announced_number_of_bytes_but_no_token() -> None:
    async with workspace(app=UPLOADER, timing=AT_ONCE) as world:
        address = await begun(world, alt_txt="a chart")
        async with world.session.post(address["upload_url"], data=b"four") as answer:
            assert answer.status == 400
        async with world.session.post(address["upload_url"], data=b"abc") as answer:
            assert (answer.status, await answer.text()) == (200, "OK - 3")
        async with world.session.post(f"{world.url}/upload/v1/nowhere", data=b"abc") as answer:
            assert answer.status == 404
        complete = {"files": f'[{{"id": "{address["file_id"]}"}}]', "channel_id": GPUS, "initial_comment": "Look"}
        assert (await world.raw("files.completeUploadExternal", params=complete))["ok"]
        [seen] = await world.see(BEN, wait=20)
        assert (seen["text"], seen["reads"]) == ("Look", "Look\na.png: a chart")
        again = await world.raw("files.completeUploadExternal", params=complete)
        assert again["error"] == "file_not_found"


@pytest.mark.parametrize("wrong", [{"length": 0}, {"length": "many"}, {"filename": ""}, {"alt_txt": "x" * 1001}])
async def test_an_upload_with_wrong_arguments_is_refused(wrong: Json) -> None:
    async with workspace(app=UPLOADER) as world:
        assert (await begun(world, **wrong))["error"] == "invalid_arguments"


async def test_an_upload_that_cannot_be_completed_is_refused() -> None:
    async with workspace(app=UPLOADER) as world:
        await world.act(f"channels/{APPROVALS}", "PATCH", bot=False)
        address = await begun(world)
        one: Json = {"files": [{"id": address["file_id"]}]}
        complete = "files.completeUploadExternal"
        assert (await world.raw(complete, json=one))["error"] == "file_not_found"  # its bytes never arrived
        async with world.session.post(address["upload_url"], data=b"abc"):
            pass
        for channel, error in ((APPROVALS, "not_in_channel"), ("C0NOWHERE", "channel_not_found")):
            assert (await world.raw(complete, json={**one, "channel_id": channel}))["error"] == error
        late = {**one, "channel_id": TRAINING, "thread_ts": "1.000001"}
        assert (await world.raw(complete, json=late))["error"] == "thread_not_found"
        assert (await world.raw(complete, json={"files": "{"}))["error"] == "invalid_arguments"
        assert (await world.raw(complete, json=one))["files"][0]["shares"] == {}
        assert await world.refused(world.client.files_info(file="F0NONE")) == "file_not_found"


async def test_an_app_without_the_scopes_cannot_use_files() -> None:
    async with workspace(app=AppConfig(scopes=("chat:write",))) as world:
        assert ((await begun(world))["error"], (await begun(world))["needed"]) == ("missing_scope", "files:write")
        assert await world.refused(world.client.files_info(file="F1")) == "missing_scope"

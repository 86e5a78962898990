"""Modals from opening to submission, through a Bolt app and through bare envelopes."""

import asyncio
from typing import Any

from slack_bolt.app.async_app import AsyncApp

from sandbox.slack.default import ANA, TRAINING
from tests.sandbox.slack_world import (
    Json,
    RawSocket,
    World,
    actions,
    button,
    modal,
    section,
    text_input,
    workspace,
)


async def opened(world: World, socket: RawSocket, view: Json) -> str:
    """The id of a modal that a command opened."""
    waiting = asyncio.ensure_future(world.command(ANA))
    envelope = await socket.next()
    answer = await world.client.views_open(trigger_id=envelope["payload"]["trigger_id"], view=view)
    await socket.ack(envelope)
    await waiting
    return str(answer["view"]["id"])


async def submitted(world: World, socket: RawSocket, view_id: str, payload: Any, **values: Any) -> Json:
    """How a submission ends when the app acknowledges it with `payload`."""
    waiting = asyncio.ensure_future(world.act("submit", user=ANA, view_id=view_id, values=values))
    envelope = await socket.next()
    assert envelope["payload"]["type"] == "view_submission"
    await socket.ack(envelope, payload)
    return await waiting


def key_form(app: AsyncApp) -> None:
    @app.command("/gpu")
    async def ask(ack: Any, body: Any, client: Any) -> None:
        await client.views_open(trigger_id=body["trigger_id"], view=modal(text_input("key")))
        await ack()

    @app.view("form")
    async def save(ack: Any, view: Any) -> None:
        typed = view["state"]["values"]["key"]["typed"]["value"]
        if typed.startswith("ssh-"):
            await ack()
        else:
            await ack(response_action="errors", errors={"key": f"{typed} is no key"})


async def test_a_bolt_app_opens_a_form_complains_and_takes_it() -> None:
    async with workspace() as world:
        await world.bolt(key_form)
        await world.command(ANA)
        [form] = (await world.get("views", user=ANA, wait=20))["views"]
        assert (form["title"], form["reads"], form["submit"]) == ("Form", "Key", "Save")
        assert form["inputs"][0]["block_id"] == "key"

        async def submit(typed: str) -> Json:
            values = {"key": {"typed": typed}}
            return await world.act("submit", user=ANA, view_id=form["view_id"], values=values)

        refused = await submit("hello")
        assert (refused["ok"], refused["errors"]) == (False, {"key": "hello is no key"})
        [again] = (await world.get("views", user=ANA))["views"]
        assert again["errors"] == {"key": "hello is no key"}
        assert again["inputs"][0]["value"]["value"] == "hello"
        assert (await submit("ssh-ed25519 AAAA"))["ok"]
        assert (await world.get("views", user=ANA))["views"] == []


async def test_the_client_itself_refuses_an_incomplete_form() -> None:
    async with workspace() as world:
        socket = await world.socket()
        view_id = await opened(world, socket, modal(text_input("key", min_length=5), text_input("note")))
        told = await world.act("submit", user=ANA, view_id=view_id, values={"key": {"typed": "abc"}})
        assert told["error"] == "incomplete"
        assert set(told["errors"]) == {"key", "note"}


async def test_a_submission_carries_all_state_and_metadata() -> None:
    options = [{"text": {"type": "plain_text", "text": gpu}, "value": gpu} for gpu in ("H100", "L4")]
    choice: Json = {
        "type": "input",
        "block_id": "gpu",
        "label": {"type": "plain_text", "text": "GPU"},
        "element": {
            "type": "static_select",
            "action_id": "pick",
            "options": options,
            "initial_option": options[0],
        },
    }
    async with workspace() as world:
        socket = await world.socket()
        view_id = await opened(world, socket, modal(choice, text_input("note"), private_metadata="k7mq2"))
        waiting = asyncio.ensure_future(
            world.act("submit", user=ANA, view_id=view_id, values={"note": {"typed": "run 7"}})
        )
        envelope = await socket.next()
        await socket.ack(envelope)
        assert (await waiting)["ok"]
        payload = envelope["payload"]
        assert payload["view"]["private_metadata"] == "k7mq2"
        values = payload["view"]["state"]["values"]
        assert values["note"]["typed"] == {"type": "plain_text_input", "value": "run 7"}
        assert values["gpu"]["pick"]["selected_option"]["value"] == "H100"
        assert payload["user"]["team_id"] == payload["team"]["id"]
        assert {"trigger_id", "api_app_id", "enterprise", "is_enterprise_install", "response_urls"} <= set(payload)


async def test_an_answer_can_update_push_and_clear() -> None:
    async with workspace() as world:
        socket = await world.socket()
        view_id = await opened(world, socket, modal(text_input("key")))
        told = {"response_action": "update", "view": modal(text_input("key"), section("Again"))}
        assert (await submitted(world, socket, view_id, told, key={"typed": "x"}))["ok"]
        [shown] = (await world.get("views", user=ANA))["views"]
        assert (shown["view_id"], shown["reads"]) == (view_id, "Key\nAgain")
        assert shown["inputs"][0]["value"]["value"] == "x"
        push = {"response_action": "push", "view": modal(text_input("more"))}
        assert (await submitted(world, socket, view_id, push))["ok"]
        stack = (await world.get("views", user=ANA))["views"]
        assert [view["reads"] for view in stack] == ["Key\nAgain", "More"]
        top = stack[-1]["view_id"]
        assert (await submitted(world, socket, top, {"response_action": "clear"}, more={"typed": "x"}))["ok"]
        assert (await world.get("views", user=ANA))["views"] == []


async def test_an_answer_that_slack_can_not_follow_leaves_the_form_open() -> None:
    async with workspace() as world:
        socket = await world.socket()
        view_id = await opened(world, socket, modal(text_input("key"), section("Text", block_id="words")))
        wrong: list[Any] = [
            {"response_action": "errors", "errors": {"nowhere": "x"}},
            {"response_action": "errors", "errors": {"words": "not an input"}},
            {"response_action": "dance"},
            {"response_action": "update", "view": {"type": "modal"}},
            "text",
        ]
        for payload in wrong:
            told = await submitted(world, socket, view_id, payload, key={"typed": "x"})
            assert told["error"] == "invalid_response"
        assert len((await world.get("views", user=ANA))["views"]) == 1


async def test_a_view_is_updated_by_hash_or_not_at_all() -> None:
    async with workspace() as world:
        socket = await world.socket()
        view_id = await opened(world, socket, modal(section("Loading"), external_id="mine"))
        client = world.client
        first = await client.views_update(view_id=view_id, view=modal(section("One")))
        stale = client.views_update(view_id=view_id, view=modal(section("Two")), hash="0.old")
        assert await world.refused(stale) == "hash_conflict"
        fresh = await client.views_update(view_id=view_id, view=modal(section("Two")), hash=first["view"]["hash"])
        assert fresh["view"]["id"] == view_id
        assert await world.refused(client.views_update(view_id="V1", view=modal())) == "not_found"
        [shown] = (await world.get("views", user=ANA))["views"]
        assert shown["reads"] == "Two"


async def test_a_modal_that_breaks_the_rules_is_refused_with_reasons() -> None:
    async with workspace() as world:
        socket = await world.socket()
        waiting = asyncio.ensure_future(world.command(ANA))
        envelope = await socket.next()
        await socket.ack(envelope)
        await waiting
        view = modal(text_input("key"))
        del view["submit"]
        trigger = envelope["payload"]["trigger_id"]
        told = await world.raw("views.open", json={"trigger_id": trigger, "view": view})
        assert told["error"] == "invalid_arguments"
        assert "submit" in told["response_metadata"]["messages"][0]
        assert (await world.raw("views.open", json={"trigger_id": trigger, "view": modal()}))["ok"]


async def test_clicks_in_a_modal_carry_the_view_and_can_push_up_to_three() -> None:
    async with workspace() as world:
        socket = await world.socket()
        view = modal(actions(button("More", "more", "v1")))
        view_id = await opened(world, socket, view)
        for depth in (2, 3, 4):
            waiting = asyncio.ensure_future(
                world.act("click", user=ANA, view_id=view_id, action_id="more", value="v1")
            )
            envelope = await socket.next()
            await socket.ack(envelope)
            assert (await waiting)["ok"]
            payload = envelope["payload"]
            assert payload["container"] == {"type": "view", "view_id": view_id}
            assert payload["actions"][0]["value"] == "v1"
            assert "response_url" not in payload
            push = world.client.views_push(trigger_id=payload["trigger_id"], view=view)
            if depth <= 3:
                view_id = (await push)["view"]["id"]
            else:
                assert await world.refused(push) == "push_limit_reached"


async def test_closing_tells_the_app_where_it_asked_for_that() -> None:
    async with workspace() as world:
        socket = await world.socket()
        view_id = await opened(world, socket, modal(section("x"), notify_on_close=True))
        waiting = asyncio.ensure_future(world.act("close", user=ANA, view_id=view_id, all=True))
        envelope = await socket.next()
        await socket.ack(envelope)
        assert (await waiting)["ok"]
        assert (envelope["payload"]["type"], envelope["payload"]["is_cleared"]) == ("view_closed", True)
        again = await world.act("close", user=ANA, view_id=view_id)
        assert (again["status"], again["error"]) == (409, "not_the_open_modal")


async def test_a_home_tab_is_published_and_its_buttons_work() -> None:
    async with workspace() as world:
        socket = await world.socket()
        home = {"type": "home", "blocks": [section("Your GPUs"), actions(button("List", "list"))]}
        await world.client.views_publish(user_id=ANA, view=home)
        shown = (await world.get("views", user=ANA))["home"]
        assert shown["reads"] == "Your GPUs"
        waiting = asyncio.ensure_future(world.act("click", user=ANA, view_id=shown["view_id"], action_id="list"))
        envelope = await socket.next()
        await socket.ack(envelope)
        assert (await waiting)["ok"]
        assert envelope["payload"]["view"]["type"] == "home"


async def test_an_external_menu_asks_the_app_for_its_options() -> None:
    """From three characters on, unless the menu says otherwise; what is no list of options shows none."""
    option = {"text": {"type": "plain_text", "text": "H100"}, "value": "h100"}
    group = {"label": {"type": "plain_text", "text": "Big"}, "options": [option]}
    asked = {"type": "external_select", "action_id": "gpu", "min_query_length": 0}
    async with workspace() as world:
        socket = await world.socket()
        posted = await world.post(
            blocks=[actions(asked), actions({**asked, "action_id": "b", "min_query_length": 3})]
        )
        aim: Json = {"user": ANA, "channel": TRAINING, "ts": posted["ts"]}

        async def suggested(answer: Any) -> Json:
            waiting = asyncio.ensure_future(world.act("suggest", **aim, action_id="gpu", typed="H1"))
            envelope = await socket.next()
            await socket.ack(envelope, answer)
            assert (envelope["payload"]["type"], envelope["payload"]["value"]) == ("block_suggestion", "H1")
            return await waiting

        fine_ones: list[Json] = [{"options": []}, {"options": [option] * 100}, {"option_groups": [group]}]
        for fine in fine_ones:
            told = await suggested(fine)
            assert (told["ok"], told["payload"]) == (True, fine)
        for wrong in (
            None,
            [option],
            {"options": [option] * 101},
            {"options": ["H100"]},
            {"option_groups": [option]},
        ):
            assert (await suggested(wrong))["error"] == "invalid_response"
        short = await world.act("suggest", **aim, action_id="b", typed="H1")
        assert (short["status"], short["error"]) == (409, "too_short")

"""Modals and the Home tab, with a Bolt app and with plain envelopes."""

import asyncio
from typing import Any

from slack_bolt.app.async_app import AsyncApp

from sandbox.slack.default import ANA, BEN, CLEO
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
    """Open a modal with a command, and return its id."""
    waiting = asyncio.ensure_future(world.command(ANA))
    envelope = await socket.next()
    answer = await world.client.views_open(trigger_id=envelope["payload"]["trigger_id"], view=view)
    await socket.ack(envelope)
    await waiting
    return str(answer["view"]["id"])


async def submitted(world: World, socket: RawSocket, view_id: str, payload: Any, **values: Any) -> Json:
    """Submit a modal that the app acknowledges with `payload`, and return the outcome."""
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


async def test_a_bolt_app_can_refuse_a_submission_and_accept_the_next_one() -> None:
    async with workspace() as world:
        await world.bolt(key_form)
        await world.command(ANA)
        form = (await world.get("views", user=ANA, wait=20))["modal"]
        assert (form["title"], form["reads"], form["submit"]) == ("Form", "Key", "Save")
        assert form["inputs"][0]["block_id"] == "key"

        async def submit(typed: str) -> Json:
            values = {"key": {"typed": typed}}
            return await world.act("submit", user=ANA, view_id=form["view_id"], values=values)

        refused = await submit("hello")
        assert (refused["ok"], refused["errors"]) == (False, {"key": "hello is no key"})
        again = (await world.get("views", user=ANA))["modal"]
        assert again["errors"] == {"key": "hello is no key"}
        assert again["inputs"][0]["value"]["value"] == "hello"
        assert (await submit("ssh-ed25519 AAAA"))["ok"]
        assert (await world.get("views", user=ANA))["modal"] is None


async def test_the_persons_client_refuses_an_incomplete_modal() -> None:
    async with workspace() as world:
        socket = await world.socket()
        view_id = await opened(world, socket, modal(text_input("key", min_length=5), text_input("note")))
        outcome = await world.act("submit", user=ANA, view_id=view_id, values={"key": {"typed": "abc"}})
        assert outcome["error"] == "incomplete"
        assert set(outcome["errors"]) == {"key", "note"}


async def test_a_submission_has_all_values_and_the_metadata() -> None:
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


async def test_a_menu_of_people_offers_everyone_who_is_not_deactivated() -> None:
    menu = {
        "type": "input",
        "block_id": "with",
        "label": {"type": "plain_text", "text": "With"},
        "element": {"type": "multi_users_select", "action_id": "pick", "initial_users": [CLEO]},
    }
    async with workspace() as world:
        socket = await world.socket()
        view_id = await opened(world, socket, modal(menu))
        (shown,) = (await world.get("views", user=ANA))["modal"]["inputs"]
        assert [choice["text"] for choice in shown["options"]] == ["Ana", "Ben", "Cleo", "Gus", "Olga"]
        values = {"with": {"pick": [BEN, CLEO]}}
        waiting = asyncio.ensure_future(world.act("submit", user=ANA, view_id=view_id, values=values))
        envelope = await socket.next()
        await socket.ack(envelope)
        assert (await waiting)["ok"]
        chosen = envelope["payload"]["view"]["state"]["values"]["with"]["pick"]
        assert chosen == {"type": "multi_users_select", "selected_users": [BEN, CLEO]}


async def test_an_acknowledgement_can_update_the_modal_or_close_it() -> None:
    async with workspace() as world:
        socket = await world.socket()
        view_id = await opened(world, socket, modal(text_input("key")))
        update = {"response_action": "update", "view": modal(text_input("key"), section("Again"))}
        assert (await submitted(world, socket, view_id, update, key={"typed": "x"}))["ok"]
        shown = (await world.get("views", user=ANA))["modal"]
        assert (shown["view_id"], shown["reads"]) == (view_id, "Key\nAgain")
        assert shown["inputs"][0]["value"]["value"] == "x"
        assert (await submitted(world, socket, view_id, {"response_action": "clear"}))["ok"]
        assert (await world.get("views", user=ANA))["modal"] is None


async def test_an_invalid_acknowledgement_leaves_the_modal_open() -> None:
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
            outcome = await submitted(world, socket, view_id, payload, key={"typed": "x"})
            assert outcome["error"] == "invalid_response"
        assert (await world.get("views", user=ANA))["modal"]["view_id"] == view_id


async def test_an_update_keeps_typed_text_and_is_refused_with_an_outdated_hash() -> None:
    async with workspace() as world:
        socket = await world.socket()
        view_id = await opened(world, socket, modal(text_input("key", min_length=5)))
        await world.act("submit", user=ANA, view_id=view_id, values={"key": {"typed": "abc"}})
        client = world.client
        first = await client.views_update(view_id=view_id, view=modal(text_input("key"), section("One")))
        stale = client.views_update(view_id=view_id, view=modal(section("Two")), hash="0.old")
        assert await world.refused(stale) == "hash_conflict"
        fresh = await client.views_update(
            view_id=view_id, view=modal(text_input("key"), section("Two")), hash=first["view"]["hash"]
        )
        assert fresh["view"]["id"] == view_id
        shown = (await world.get("views", user=ANA))["modal"]
        assert (shown["reads"], shown["inputs"][0]["value"]["value"]) == ("Key\nTwo", "abc")
        await world.act("close", user=ANA, view_id=view_id)
        assert await world.refused(client.views_update(view_id=view_id, view=modal())) == "not_found"


async def test_a_home_tab_is_not_published_with_an_outdated_hash() -> None:
    async with workspace() as world:
        publish = world.client.views_publish
        first = await publish(user_id=ANA, view={"type": "home", "blocks": [section("One")]}, hash="0.none")
        two = {"type": "home", "blocks": [section("Two")]}
        await publish(user_id=ANA, view=two, hash=first["view"]["hash"])
        assert await world.refused(publish(user_id=ANA, view=two, hash=first["view"]["hash"])) == "hash_conflict"


async def test_a_refused_modal_uses_up_its_trigger() -> None:
    """The modal is refused because it has an input but no submit button."""
    async with workspace() as world:
        socket = await world.socket()
        waiting = asyncio.ensure_future(world.command(ANA))
        envelope = await socket.next()
        await socket.ack(envelope)
        await waiting
        view = modal(text_input("key"))
        del view["submit"]
        trigger = envelope["payload"]["trigger_id"]
        answer = await world.raw("views.open", json={"trigger_id": trigger, "view": view})
        assert answer["error"] == "invalid_arguments"
        assert "submit" in answer["response_metadata"]["messages"][0]
        again = await world.raw("views.open", json={"trigger_id": trigger, "view": modal()})
        assert again["error"] == "exchanged_trigger_id"


async def test_a_click_in_a_modal_has_the_view_but_no_response_url() -> None:
    async with workspace() as world:
        socket = await world.socket()
        view_id = await opened(world, socket, modal(actions(button("More", "more", "v1"))))
        clicking = world.act("click", user=ANA, view_id=view_id, action_id="more", value="v1")
        waiting = asyncio.ensure_future(clicking)
        envelope = await socket.next()
        await socket.ack(envelope)
        assert (await waiting)["ok"]
        payload = envelope["payload"]
        assert payload["container"] == {"type": "view", "view_id": view_id}
        assert payload["actions"][0]["value"] == "v1"
        assert "response_url" not in payload


async def test_a_closed_modal_cannot_be_used() -> None:
    async with workspace() as world:
        view_id = await opened(world, await world.socket(), modal(section("x")))
        assert (await world.act("close", user=ANA, view_id=view_id))["ok"]
        again = await world.act("close", user=ANA, view_id=view_id)
        assert (again["status"], again["error"]) == (409, "not_the_open_modal")


async def test_a_home_tab_is_published_and_its_buttons_send_the_view() -> None:
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

"""Requests of programs about rentals: make, find, extend and release them, and send heartbeats."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import pytest

from bot.api.reading import read_body
from bot.api.server import fingerprint
from bot.errors import Mistake
from bot.lifecycle.actions import programs
from bot.lifecycle.actions.account import Pause
from bot.lifecycle.actions.action import carry_out
from bot.model.api import RentalRequest
from bot.model.person import Key
from bot.model.state import State
from bot.model.token import BeyondTerms
from tests.api.test_server import problem
from tests.api.world import H100, Api
from tests.handlers.team import KEY_LINE
from tests.lifecycle.world import ANA, BEN, CLEO, HOUR, MINUTE


async def test_a_machine_is_searched_bought_used_and_released(api: Api) -> None:
    await api.token()
    asked = await api.rent()
    answer = asked.json()
    assert (asked.status_code, asked.headers["location"]) == (202, f"/v1/rentals/{answer['id']}")
    assert (answer["state"], answer["token"], answer["key"]) == ("searching", "nightly eval (Ana)", "run-812")
    assert answer["next_step"] == (
        "Ask again in 5 s with the same key, run-812; a new key would ask for a second machine."
    )
    await api.world.settle()
    starting = await api.shown(answer["id"])
    assert (starting["state"], starting["ask_again_in"]) == ("starting", 10)
    assert starting["reason"] == "Starting: 1x H100 SXM 80 GB at Hyperstack, $2.15/h, 0 s."
    rental = await api.world.until(answer["id"], State.READY)
    ready = await api.shown(rental.id)
    assert ready["state"] == "ready"
    assert ready["reason"] == "Ready. It ends at 16:02 UTC, and its disk is deleted then."
    assert ready["next_step"] == (
        f"Log in with ssh.command. To end it sooner, send DELETE /v1/rentals/{rental.id}."
    )
    assert ready["ssh"] == {
        "host": rental.host,
        "port": rental.port,
        "user": "root",
        "command": f"ssh -p {rental.port} root@{rental.host}",
        "host_key": rental.host_key,
    }
    released = (await api.ask("DELETE", f"rentals/{rental.id}")).json()
    assert (released["state"], released["ssh"]) == ("ending", None)
    again = await api.ask("DELETE", f"rentals/{rental.id}?now=true")
    assert (again.status_code, again.json()["ends_at"]) == (200, released["ends_at"])
    await api.world.until(rental, State.DESTROYED)
    ended = await api.shown(rental.id)
    assert (ended["state"], ended["ask_again_in"], ended["ends_at"]) == ("ended", None, released["ends_at"])
    assert ended["next_step"] == "This key never rents again. To ask for a machine again, use a new key."
    assert (await api.ask("DELETE", f"rentals/{rental.id}")).status_code == 200


async def test_a_key_never_rents_a_second_machine(api: Api) -> None:
    """The end in the request has passed when it is repeated, so nobody could make this request anew."""
    await api.token()
    request = {"gpu": "H100", "until": (api.world.now + 2 * HOUR).isoformat()}
    first, second = await asyncio.gather(api.rent(**request), api.rent(**request))
    assert first.json()["id"] == second.json()["id"]
    rental = await api.world.until(first.json()["id"], State.READY)
    await api.world.until(rental, State.DESTROYED, within=4 * HOUR)
    repeated = await api.rent(**request)
    assert (repeated.status_code, repeated.json()["id"], repeated.json()["state"]) == (202, rental.id, "ended")
    assert problem(await api.rent(gpu="L40S")) == (
        422,
        "key-in-use",
        "The key run-812 belongs to another request, 1x H100 for 2 h. Nothing was rented. Repeat that request, or "
        "use a new key for a new machine.",
    )
    listed = (await api.ask("GET", "rentals?key=run-812")).json()["rentals"]
    assert [one["id"] for one in listed] == [rental.id]
    assert (await api.ask("GET", "rentals?key=run-813")).json() == {"rentals": []}


def test_the_hash_of_a_request_never_changes() -> None:
    """The hash is stored with the rental: a request that is repeated after an upgrade must find its rental."""
    body = RentalRequest.model_validate({**H100, "max_total": "20", "wait_for": "3h", "note": "run 7"})
    assert fingerprint(body) == "5e37630c216b9a54a0ec5987a01033e99c56365f7ca419d3518dda786ab8cb52"
    assert fingerprint(body.model_copy(update={"reuse": True, "count": 1})) == fingerprint(body)


async def test_reuse_finds_the_current_machine_with_equal_arguments(api: Api) -> None:
    await api.token()
    body = {**H100, "reuse": True}
    first, second = [await api.ask("POST", "rentals", json=body) for _ in range(2)]
    assert (first.status_code, first.json()["id"]) == (202, second.json()["id"])
    third = await api.ask("POST", "rentals", json={**body, "gpu": " h100", "region": "eu", "lease": "240m"})
    assert (third.status_code, third.json()["id"]) == (202, first.json()["id"])
    found = await api.ask("GET", f"rentals?key={first.json()['key']}")
    assert found.json()["rentals"][0]["id"] == first.json()["id"]
    assert problem(await api.ask("POST", "rentals", json=body, headers={"Idempotency-Key": "k"}))[1:] == (
        "mistake",
        'Send either the header Idempotency-Key or "reuse": true, not both.',
    )


async def test_reuse_finds_a_machine_that_was_asked_for_in_other_words(api: Api) -> None:
    """The note and capital letters don't count, even if the first request had a key."""
    await api.token()
    first = (await api.rent(**H100, note="run 7")).json()
    again = {**H100, "gpu": "h100", "note": "the same again", "reuse": True}
    assert (await api.ask("POST", "rentals", json=again)).json()["id"] == first["id"]
    other = {**again, "lease": "90m"}
    assert (await api.ask("POST", "rentals", json=other)).json()["id"] != first["id"]


async def test_reuse_finds_the_machine_that_was_rented_with_a_key(api: Api) -> None:
    await api.token()
    first = (await api.rent("eval-1")).json()
    again = (await api.ask("POST", "rentals", json={**H100, "reuse": True})).json()
    assert (again["id"], again["key"]) == (first["id"], "eval-1")


async def test_reuse_finds_a_machine_whose_requested_end_has_passed(api: Api) -> None:
    """The machine runs longer, because its lease was extended. Nobody could make this request anew."""
    await api.token()
    body = {"gpu": "H100", "until": (api.world.now + HOUR).isoformat(), "reuse": True}
    first = (await api.ask("POST", "rentals", json=body)).json()
    await api.world.until(first["id"], State.READY)
    assert (await api.ask("POST", f"rentals/{first['id']}/extend", json={"lease": "3h"})).status_code == 200
    await api.world.pass_time(90 * MINUTE)
    again = await api.ask("POST", "rentals", json=body)
    assert (again.status_code, again.json()["id"]) == (202, first["id"]), again.text


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"max_total": 20}, {"max_total": "20.00"}),
        ({"max_total": 7.5}, {"max_total": "7.50"}),
        ({"lease": "90m"}, {"lease": "1h30m"}),
        ({"until": "2026-12-01T14:00:00Z"}, {"until": "2026-12-01T15:00:00+01:00"}),
        ({"count": 1, "note": "", "setup": None}, {}),
    ],
)
def test_two_ways_to_write_the_same_body_are_one_request(one: dict[str, object], other: dict[str, object]) -> None:
    first, second = (fingerprint(read_body(json.dumps(each).encode(), RentalRequest)) for each in (one, other))
    assert first == second


async def test_words_and_fields_make_the_same_request(api: Api) -> None:
    await api.token(at_once=3, per_hour=10)
    answers = [
        (await api.rent("words", words="2 H100 EU spot 90m max $9 total -- run 7")).json(),
        (await api.rent("both", words="2 H100 EU spot 90m", max_total="9", note="run 7")).json(),
        (
            await api.rent(
                "fields",
                gpu="h100",
                count=2,
                region="EU",
                spot=True,
                lease="90m",
                max_total="9.00",
                note="run 7",
            )
        ).json(),
    ]
    requests = [(await api.world.rental(answer["id"])).request for answer in answers]
    assert requests[0] == requests[1] == requests[2]
    assert {(answer["request"], answer["note"]) for answer in answers} == {
        ("2x H100 in EU (spot) for 1 h 30 min", "run 7")
    }


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"gpu": "H100x"}, '"gpu": Nobody offers this GPU right now. Similar names: H100'),
        ({"gpu": "H100", "region": "Mars"}, '"region": I don\'t know this region. Regions: US, EU'),
        ({"gpu": "H100", "lease": "99h"}, '"lease": Type a time of at most 72h'),
        ({**H100, "until": "2026-12-01T14:00:00Z"}, 'Send either "lease" or "until", not both.'),
        ({"gpu": "H100", "setup": "none"}, '"setup": Your team\'s rules no longer have this setup.'),
        ({"words": "H100 blah"}, 'I don\'t know "blah". Put a note after --. Without it: "H100"'),
        ({"words": "H100 with <@U0BEN>"}, "A program can't give other people access to its machine."),
        ({"words": "H100", "gpu": "H100"}, 'Send either "words" or "gpu", not both.'),
        ({"words": "H100 under $3", "max_total": "9"}, "Name the highest price once"),
        ({"lease": "4h"}, 'Name a GPU: send "gpu", such as "H100", or "words".'),
        ({**H100, "ssh_public_key": "ssh-ed25519 nothing"}, ""),
    ],
)
async def test_a_wrong_request_is_explained_and_uses_up_no_key(
    api: Api, fields: dict[str, str], words: str
) -> None:
    await api.token()
    status, kind, detail = problem(await api.rent(**fields))
    assert (status, kind) == (422, "mistake")
    assert detail.startswith(words)
    assert "/gpu" not in detail
    assert (await api.rent()).status_code == 202


async def test_a_private_key_is_refused_and_kept_nowhere(api: Api, sqlite_url: str) -> None:
    await api.token()
    pem = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\n-----END OPENSSH PRIVATE KEY-----"
    status, _, detail = problem(await api.rent(**H100, ssh_public_key=pem))
    assert (status, detail.startswith("That was a private key. I didn't keep it")) == (422, True)
    database = Path(sqlite_url.removeprefix("sqlite:///"))
    files = list(database.parent.glob(f"{database.name}*"))
    assert files
    assert not [file for file in files if b"b3BlbnNz" in file.read_bytes()]
    assert (await api.ask("GET", "rentals")).json() == {"rentals": []}


@pytest.mark.parametrize("place", ["note", "words", "gpu", "ssh_public_key", "key"])
async def test_the_secret_in_a_request_is_refused_and_kept_nowhere(api: Api, sqlite_url: str, place: str) -> None:
    secret = await api.token()
    key, fields = "run-812", {"words": "H100 EU 4h"}
    if place == "key":
        key = secret
    elif place == "words":
        fields["words"] += f" -- with {secret}"
    else:
        fields[place] = f"x{secret}"
    status, _, detail = problem(await api.rent(key, **fields))
    assert (status, detail.startswith("The request contains the secret of a token.")) == (422, True)
    assert secret not in detail
    database = Path(sqlite_url.removeprefix("sqlite:///"))
    assert not [file for file in database.parent.glob(f"{database.name}*") if secret.encode() in file.read_bytes()]
    assert (await api.ask("GET", "rentals")).json() == {"rentals": []}


async def test_a_private_key_in_a_note_is_refused(api: Api) -> None:
    await api.token()
    status, _, detail = problem(await api.rent(**H100, note="-----BEGIN OPENSSH PRIVATE KEY----- b3BlbnNz"))
    assert (status, detail.startswith("That was a private key. I didn't keep it")) == (422, True)


async def test_a_key_finds_its_rental_even_if_a_newer_version_refuses_the_ssh_key(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    await api.token()
    body = {**H100, "ssh_public_key": KEY_LINE}
    first = await api.rent(**body)

    async def refuse(_: str) -> Key:
        raise Mistake("This kind of key isn't accepted any more.")

    monkeypatch.setattr(programs, "program_key", refuse)
    assert (await api.rent(**body)).json()["id"] == first.json()["id"]
    assert problem(await api.rent("run-813", **body))[:2] == (422, "mistake")


async def test_refusals_name_a_person_and_the_next_step(api: Api) -> None:
    await api.token(at_once=1)
    assert problem(await api.rent(gpu="A100")) == (
        409,
        "beyond-terms",
        "nightly eval can rent H100 or L40S, and not A100. Nothing was rented, and repeating this won't help. Ask "
        "for one of these, or ask Ana to change the terms.",
    )
    assert (await api.ask("GET", "token")).json()["last_refusal"].startswith("nightly eval can rent H100 or L40S")
    await api.rented("run-811")
    crowded = await api.rent()
    assert problem(crowded)[1:] == (
        "beyond-terms",
        "nightly eval has 1 machine (run-811), as many as its terms allow. Nothing was rented. Release one, or "
        "ask again after 16:02 UTC.",
    )
    assert crowded.headers["retry-after"] == str(int((4 * HOUR).total_seconds()))
    await api.token(name="other")
    await carry_out(api.world.deps, CLEO, Pause("bill check"))
    assert problem(await api.rent())[1:] == (
        "paused",
        'Cleo paused all renting: "bill check". Nothing was rented. Ask again later.',
    )


async def test_a_request_beyond_the_terms_waits_for_an_approver(api: Api) -> None:
    await api.token(beyond=BeyondTerms.ASK, per_hour=2)
    answer = (await api.rent()).json()
    await api.world.settle()
    pending = await api.shown(answer["id"])
    assert (pending["state"], pending["approvers"], pending["ask_again_in"]) == ("pending", ["Ben"], 60)
    assert pending["reason"].startswith("Waiting for Ben's approval until ")
    assert pending["next_step"] == (
        "Ask again in 60 s with the same key, run-812; a new key would ask for a second machine."
    )
    denied = await api.world.deny(await api.world.rental(answer["id"]), BEN)
    answer = await api.shown(denied.id)
    assert (answer["state"], answer["ask_again_in"]) == ("denied", None)
    assert answer["next_step"] == "This key never rents again. To ask for a machine again, use a new key."


async def test_one_search_decides_that_nothing_fits(api: Api) -> None:
    await api.token()
    rental = await api.rented("run-812", State.EXPIRED, State.FAILED, **{**H100, "max_total": "0.50"})
    answer = await api.shown(rental.id)
    assert (answer["state"], answer["reason"]) == (
        "sold_out",
        "No offer fits this request at the moment. Nothing was rented.",
    )


async def test_a_program_that_waits_is_told_until_when_it_is_searched(api: Api) -> None:
    await api.token()
    answer = (await api.rent(**H100, max_total="0.50", wait_for="3h")).json()
    await api.world.settle()
    waiting = await api.shown(answer["id"])
    assert waiting["state"] == "searching"
    assert waiting["reason"] == "No offer has fitted yet. I'll keep looking until 15:00 UTC."
    assert waiting["expires_at"] == "2026-11-24T15:00:00Z"


async def test_a_repeated_extension_adds_nothing(api: Api) -> None:
    await api.token()
    rental = await api.rented(gpu="H100", lease="2h")
    ends = [
        (await api.ask("POST", f"rentals/{rental.id}/extend", json={"lease": "3h"})).json()["ends_at"]
        for _ in range(2)
    ]
    assert ends == ["2026-11-24T15:04:00Z"] * 2
    later = {"until": "2026-11-24T15:30:00+00:00"}
    assert (await api.ask("POST", f"rentals/{rental.id}/extend", json=later)).json()["ends_at"] == (
        "2026-11-24T15:30:00Z"
    )
    refused = await api.ask("POST", f"rentals/{rental.id}/extend", json={"lease": "6h"})
    assert problem(refused)[1:] == (
        "beyond-terms",
        "nightly eval can rent for 4 h at most, and not for 6 h. Nothing was changed. Ask for less time, or ask "
        "Ana to change the terms.",
    )
    assert refused.json()["instance"] == f"/v1/rentals/{rental.id}"


async def test_a_heartbeat_is_due_20_minutes_after_the_last(api: Api) -> None:
    await api.token()
    rental = await api.rented(**H100, heartbeat=True)
    ready_at = rental.running_lease.ready_at
    before = await api.shown(rental.id)
    assert before["heartbeat_until"] == (ready_at + 20 * MINUTE).isoformat().replace("+00:00", "Z")
    await api.world.pass_time(timedelta(minutes=5))
    answer = (await api.ask("POST", f"rentals/{rental.id}/heartbeat")).json()
    expected = api.world.now + 20 * MINUTE
    assert answer["heartbeat_until"] == expected.isoformat().replace("+00:00", "Z")
    assert answer["next_step"].startswith(f"Send the next heartbeat by {expected:%H:%M} UTC. ")


async def test_a_quote_shows_which_offers_are_within_the_terms(api: Api) -> None:
    await api.token(per_hour=3)
    quote = (await api.ask("GET", "quote?words=H100 EU 4h")).json()
    assert quote["request"] == "1x H100 in EU for 4 h"
    first = quote["offers"][0]
    assert (first["vendor"], first["per_hour"], first["at_most"], first["within_terms"]) == (
        *("Hyperstack", "2.15", "9.68"),
        True,
    )
    dearer = next(offer for offer in quote["offers"] if not offer["within_terms"])
    assert dearer["reason"].startswith("1x H100 costs at least $3.11/h, and nightly eval may spend $3.00/h.")
    assert (await api.ask("GET", "rentals")).json() == {"rentals": []}


async def test_a_token_shows_what_is_left_of_its_terms(api: Api) -> None:
    await api.token()
    await api.rented()
    token = (await api.ask("GET", "token")).json()
    assert (token["owner"], token["machines"], token["machines_today"]) == (ANA.name, 1, 1)
    assert (token["total"], token["per_hour"]) == ("200.00", "5.00")
    assert float(token["left"]) < 200
    assert float(token["per_hour_left"]) < 5

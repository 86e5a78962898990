"""The commands as scripts call them: their output in a pipe, their exit statuses, and what they send."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import deque
from datetime import timedelta
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from bot.model.api import ProgramState
from tests.agent.api import ID, KEY, SECRET, Api, a_rental, problem, status
from tests.agent.conftest import Cli, QuickClock
from tests.databases import START

STARTING, READY, PENDING = ProgramState.STARTING, ProgramState.READY, ProgramState.PENDING
SEARCHING = ProgramState.SEARCHING
ANA = "Ana"
ROOT = Path(__file__).parents[2]
RENT = ("rent", "H100", "EU", "--for", "4h", "--max", "20", "--key", KEY)


async def test_in_a_pipe_a_rented_machine_is_only_its_result(api: Api, cli: Cli, clock: QuickClock) -> None:
    api.states = deque(map(a_rental, (SEARCHING, STARTING, STARTING, READY)))
    done = await cli(*RENT, "--wait")
    assert (done.status, done.err) == (0, "")
    assert done.out.splitlines() == snapshot(
        [
            "Ready after 2 min 51 s. It ends at 11:00 CET, and its disk is deleted then. "
            "To end it sooner: gpubot agent release --key run-812",
            "ssh -p 34811 root@203.0.113.7",
            "Host key: SHA256:Vx1abc. Don't connect if ssh shows a different one.",
            "$189.24 of nightly eval's $200.00 is left.",
        ]
    )
    asked = [f"GET /v1/rentals/{ID}?wait=25&state={state}" for state in ("searching", "starting", "starting")]
    assert api.calls == ["POST /v1/rentals", *asked]
    assert clock.paused == [60], "the API answered at once, and asked for a pause of 60 s"
    assert api.seen[0].body == {"words": "H100 EU for 4h", "max_total": "20.00"}
    assert api.seen[0].key == KEY


async def test_json_is_the_answer_of_the_api_on_one_line(api: Api, cli: Cli) -> None:
    api.states = deque([a_rental(STARTING), a_rental(READY, note="dön\x1b[2J")])
    done = await cli(*RENT, "--wait", "--json")
    assert (done.status, done.err) == (0, "")
    assert done.out.count("\n") == 1
    assert done.out.isascii()
    assert "\x1b" not in done.out
    assert json.loads(done.out) == a_rental(READY, note="dön\x1b[2J").model_dump(mode="json")


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (ProgramState.DENIED, 3),
        (ProgramState.EXPIRED, 4),
        (ProgramState.SOLD_OUT, 5),
        (ProgramState.REFUSED, 6),
        (ProgramState.ENDED, 1),
        (ProgramState.ENDING, 1),
    ],
)
async def test_a_request_that_fails_has_its_reason_and_exit_status(
    api: Api, cli: Cli, state: ProgramState, expected: int
) -> None:
    rental = a_rental(state, reason="Ben denied it.\n$ rm -rf /", next_step="Use a new key.")
    api.states = deque([a_rental(SEARCHING), rental, rental])
    done = await cli(*RENT, "--wait")
    assert (done.status, done.out, done.err) == (expected, "", "Ben denied it. $ rm -rf / Use a new key.\n")
    with_json = await cli(*RENT, "--json")
    assert (with_json.status, json.loads(with_json.out)["state"]) == (expected, state.value)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("beyond-terms", 6), ("over-budget", 6), ("refused", 6), ("key-in-use", 1), ("mistake", 1)],
)
async def test_a_request_that_is_refused_at_once_has_its_reason(
    api: Api, cli: Cli, kind: str, expected: int
) -> None:
    why = "8x H100 costs at least $18.40/h, and nightly eval may spend $5.00/h. Nothing was rented."
    api.refusal = lambda _: problem(kind, why, status=409)
    assert await cli(*RENT, "--wait") == (expected, "", f"{why}\n")
    with_json = await cli(*RENT, "--json")
    assert (with_json.status, with_json.err) == (expected, f"{why}\n")
    assert json.loads(with_json.out)["type"] == f"/problems/{kind}"


async def test_without_wait_the_command_says_how_to_see_the_rental(api: Api, cli: Cli) -> None:
    api.states = deque([a_rental(SEARCHING)])
    assert (await cli(*RENT))[:2] == snapshot(
        (
            0,
            "1x H100 in EU for 4 h, at most $10.76. The state is searching. "
            "To see how far it is: gpubot agent show --key run-812\n",
        )
    )
    api.states = deque([a_rental(PENDING)])
    assert (await cli(*RENT))[:2] == snapshot(
        (
            0,
            "Needs approval. Ben was asked at 09:58 CET, and the request expires tomorrow at 07:00 CET. "
            "To see the decision: gpubot agent show --key run-812\n",
        )
    )


async def test_without_a_key_one_is_made_and_printed_before_it_is_sent(api: Api, cli: Cli) -> None:
    api.refusal = lambda _: status(500)()
    done = await cli("rent", "H100")
    assert done.status == 1
    made = re.match(r"The key of this rental is (cli-\w+)\. .*: gpubot agent show --key \1\n", done.err)
    assert made is not None
    assert api.seen[0].key == made[1]
    await cli("rent", "H100")
    assert len(api.rented) == 2, "the next command asks for another machine"


@pytest.mark.usefixtures("api")
async def test_an_unclear_answer_says_how_to_find_the_rental(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPUBOT_API_URL", "http://127.0.0.1:1")
    done = await cli(*RENT)
    assert done == (
        1,
        "",
        snapshot(
            "http://127.0.0.1:1 doesn't answer: connection refused. The request may have arrived. "
            "To find out, repeat it with the same key: --key run-812\n"
        ),
    )


async def test_every_field_of_a_request_is_sent(api: Api, cli: Cli, tmp_path: Path) -> None:
    public = tmp_path / "id.pub"
    public.write_text("ssh-ed25519 AAAA ana@laptop\n")
    more = ("--wait-for", "30m", "--heartbeat", "--setup", "torch", "--note", "eval 7", "--ssh-key", str(public))
    assert (await cli("rent", "2xH100", "spot", "--key", KEY, *more)).status == 0
    assert api.seen[0].body == {
        "words": "2xH100 spot",
        "wait_for": "30m",
        "heartbeat": True,
        "setup": "torch",
        "note": "eval 7",
        "ssh_public_key": "ssh-ed25519 AAAA ana@laptop",
    }


async def test_a_private_key_is_never_sent(api: Api, cli: Cli, tmp_path: Path) -> None:
    private = tmp_path / "id_ed25519"
    private.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blbn\n")
    done = await cli(*RENT, "--ssh-key", str(private))
    assert done.status == 1
    assert f"Name the file with the public key: {private}.pub" in done.err
    assert (await cli(*RENT, "--ssh-key", str(tmp_path))).status == 1
    assert api.seen == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("rent",),
        ("rent", "H100", "--max", "nan"),
        ("rent", "H100", "--max", "-1"),
        ("rent", "H100", "--max", "20.001"),
        ("rent", "H100", "--for", "4"),
        ("rent", "H100", "--for", "0h"),
        ("rent", "H100", "--key", ""),
        ("rent", "H100", "--key", "k" * 101),
        ("rent", "H100", "--key", "a\nb"),
        ("rent", "H100", "--note", "x" * 201),
        ("show",),
        ("show", ID, "--key", KEY),
        ("extend", ID),
        ("extend", ID, "--for", "6h", "--until", "2026-12-01T18:00"),
        ("extend", ID, "--until", "18:00"),
        ("extend", ID, "--until", "0001-01-01"),
        ("heartbeat", ID, "--"),
        ("release", ID, "--force"),
        ("logout",),
    ],
)
async def test_wrong_usage_sends_nothing(api: Api, cli: Cli, arguments: tuple[str, ...]) -> None:
    assert (await cli(*arguments)).status == 2
    assert api.seen == []


@pytest.mark.parametrize("command", ["quote", "show", "rent"])
async def test_an_argument_that_is_not_text_is_refused(api: Api, cli: Cli, command: str) -> None:
    done = await cli(command, os.fsdecode(b"H100\xff"))
    assert (done.status, done.err) == (1, "An argument isn't text in UTF-8. Nothing was sent.\n")
    assert api.seen == []


async def test_a_rental_is_found_by_id_by_key_and_by_the_environment(
    api: Api, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_id, by_key = await cli("show", ID), await cli("show", "--key", KEY)
    monkeypatch.setenv("GPUBOT_RENTAL", ID)
    assert await cli("show") == by_id == by_key
    assert api.calls == [f"GET /v1/rentals/{ID}", f"GET /v1/rentals?key={KEY}", *[f"GET /v1/rentals/{ID}"] * 2]
    unknown = await cli("release", "--key", "run-9")
    assert unknown == (1, "", "No rental of this token has the key run-9.\n")


async def test_show_has_the_cost_the_end_and_the_way_to_log_in(api: Api, cli: Cli) -> None:
    until = START + timedelta(minutes=20)
    api.states = deque(
        [
            a_rental(READY, reason="Ready. It ends at 10:00 UTC.", heartbeat_until=until, note="eval\x1b[1m\n7"),
            a_rental(READY, key=None, token=ANA, ssh=None, money=None, reason="Ready.", next_step="Only look."),
            a_rental(READY, reason="No heartbeat has arrived since 09:10 UTC."),
            a_rental(PENDING, reason="Waiting for Ben's approval."),
        ]
    )
    shown = [(await cli("show", ID)).out.splitlines() for _ in range(4)]
    assert shown == snapshot(
        [
            [
                "1x H100 SXM 80 GB (m3xt8, key run-812) of nightly eval (Ana), $2.08/h: ready",
                'Note: "eval[1m 7"',
                "$0.07 so far, at most $10.76.",
                "Ready after 2 min 51 s. It ends at 11:00 CET, and its disk is deleted then. "
                "To end it sooner: gpubot agent release --key run-812",
                "ssh -p 34811 root@203.0.113.7",
                "Host key: SHA256:Vx1abc. Don't connect if ssh shows a different one.",
                "Send a heartbeat by 10:20 CET: gpubot agent heartbeat --key run-812",
                "$189.24 of nightly eval's $200.00 is left.",
            ],
            ["1x H100 SXM 80 GB (m3xt8) of Ana, $2.08/h: ready", "Ready. Only look."],
            [
                "1x H100 SXM 80 GB (m3xt8, key run-812) of nightly eval (Ana), $2.08/h: ready",
                "$0.07 so far, at most $10.76.",
                "No heartbeat has arrived since 09:10 UTC.",
                "Ready after 2 min 51 s. It ends at 11:00 CET, and its disk is deleted then. "
                "To end it sooner: gpubot agent release --key run-812",
                "ssh -p 34811 root@203.0.113.7",
                "Host key: SHA256:Vx1abc. Don't connect if ssh shows a different one.",
                "$189.24 of nightly eval's $200.00 is left.",
            ],
            [
                "1x H100 SXM 80 GB (m3xt8, key run-812) of nightly eval (Ana): pending",
                "$0.07 so far, at most $10.76.",
                "Waiting for Ben's approval. Ask again in 60 s.",
            ],
        ]
    )


async def test_list_and_quote_are_columns_in_a_pipe(api: Api, cli: Cli) -> None:
    assert (await cli("list")).out == snapshot(
        "m3xt8  run-812  ready  1x H100 SXM 80 GB  ends at 11:00 CET  $0.07 so far, at most $10.76  "
        "nightly eval (Ana)\n"
    )
    assert (await cli("quote", "H100", "EU", "--for", "4h")).out == snapshot("""\
1x H100 in EU for 4 h:
$2.08/h   1x H100 SXM 80 GB  Nebius, EU      at most $10.76
$12.50/h  1x H100 NVL 94 GB  Hyperstack, EU  at most $54.17  It costs more than $5.00/h.
""")
    assert api.calls[1] == "GET /v1/quote?words=H100+EU+for+4h"


async def test_an_extension_names_the_length_or_the_end(api: Api, cli: Cli) -> None:
    assert (await cli("extend", ID, "--for", "6h")).status == 0
    assert (await cli("extend", ID, "--until", "2026-12-01T18:00")).status == 0
    assert [seen.body for seen in api.seen] == [{"lease": "6h"}, {"until": "2026-12-01T17:00:00Z"}]


async def test_release_says_what_happens_to_the_machine(api: Api, cli: Cli) -> None:
    api.states = deque([a_rental(ProgramState.ENDING, reason="It ends after on-ending.sh.", next_step="")])
    assert await cli("release", ID) == (0, "It ends after on-ending.sh.\n", "")
    assert (await cli("release", ID, "--now")).status == 0
    assert api.calls == [f"DELETE /v1/rentals/{ID}", f"DELETE /v1/rentals/{ID}?now=true"]


async def test_one_heartbeat_says_when_the_next_is_due(api: Api, cli: Cli) -> None:
    api.states = deque(
        [
            a_rental(READY, heartbeat_until=START + timedelta(minutes=20)),
            a_rental(READY),
            a_rental(ProgramState.ENDED),
        ]
    )
    beats = [(await cli("heartbeat", ID)).out for _ in range(3)]
    assert beats == snapshot(
        [
            "m3xt8 is running. Send the next heartbeat by 10:20 CET.\n",
            "m3xt8 is running, and needs no heartbeats.\n",
            "The state is ended. Use a new key for a new machine.\n",
        ]
    )
    assert api.calls == [f"POST /v1/rentals/{ID}/heartbeat"] * 3


@pytest.mark.usefixtures("api")
async def test_token_shows_what_is_left_of_its_terms(cli: Cli) -> None:
    assert (await cli("token")).out.splitlines() == snapshot(
        [
            "nightly eval (Ana) may rent H100 or L40S for project vision until Tue 18 Mar at 10:00 CET.",
            "$189.24 of $200.00 is left, and $2.92/h of $5.00/h.",
            "It has 1 of 2 machines at once, and has rented 3 of 6 in 24 h. The longest lease is 4 h.",
            "Beyond these terms, requests are refused.",
            "If a heartbeat is lost, the machine ends, unless its GPUs work.",
        ]
    )


async def test_the_secret_is_in_no_output(api: Api, cli: Cli) -> None:
    api.refusal = lambda call: status(401)() if "token" in call else None
    for command in (RENT, ("list",), ("token",), ("token", "--json"), ("show", "../../x")):
        done = await cli(*command)
        assert SECRET[4:] not in done.out + done.err


def test_other_commands_do_not_load_the_client() -> None:
    """`gpubot run` needs as much memory as before, and help is shown without an HTTP client."""
    program = (
        "import sys, bot.__main__; assert 'agent' not in sys.modules; "
        "import agent.commands; assert not {'httpx', 'bot.config', 'store'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)  # noqa: S603 - our own program

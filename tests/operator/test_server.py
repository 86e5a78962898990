"""The socket for operator commands.

The tests cover who may use it, existing files in its place, and clients that misbehave.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bot.errors import Mistake, Outage, Unusable
from bot.lifecycle.deps import Deps
from bot.model.account_facts import PAUSED
from bot.net.socket_file import listen, socket_problem
from bot.operator import server
from bot.operator.protocol import LONGEST_REQUEST, Answer, Command, Kind, Request, ask, own_version
from tests.programs import NEEDS, ROOT

NOTHING = "Nobody has a machine right now."


async def sent(path: Path, line: bytes) -> bytes:
    """Send bytes and nothing more, and return the answer when the connection has been closed."""
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(line)
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    return answer


async def lists(path: Path) -> None:
    """Check that the bot responds on a socket."""
    line = Request(version=own_version(), command=Command(kind=Kind.LIST)).model_dump_json().encode()
    assert Answer.model_validate_json(await sent(path, line + b"\n")) == Answer(done=True, text=NOTHING)


async def test_commands_reach_the_bot_through_a_socket_of_its_user(path: Path) -> None:
    assert [stat.S_IMODE(os.stat(one).st_mode) for one in (path, path.parent)] == [0o600, 0o700]
    assert await asyncio.to_thread(ask, Command(kind=Kind.LIST)) == NOTHING
    with pytest.raises(Mistake, match="I don't know k7mq2"):
        await asyncio.to_thread(ask, Command(kind=Kind.SHOW, id="k7mq2"))
    assert (await asyncio.to_thread(ask, Command(kind=Kind.PAUSE, why="bill check"))).startswith(
        "Buying is paused."
    )


async def test_a_command_in_the_wrong_folder_names_the_bots_socket(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the move to PostgreSQL, root looks in its own data folder, but the bot's user in another one."""
    wrong = tmp_path / "root" / path.name
    wrong.parent.mkdir(mode=0o700)
    monkeypatch.setenv("GPUBOT_SOCKET", str(wrong))
    with pytest.raises(Unusable) as nobody:
        await asyncio.to_thread(ask, Command(kind=Kind.LIST))
    assert nobody.value.words.startswith(f"gpubot doesn't answer on {wrong}, but a program listens on ")
    assert str(path) in nobody.value.words


async def test_without_a_running_bot_the_command_names_an_alternative(tmp_path: Path, deps: Deps) -> None:
    gone = tmp_path / "gone.sock"  # a name that no bot of another test listens on
    async with server.serve(gone, deps):
        assert gone.exists()
    assert not gone.exists()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GPUBOT_SOCKET", str(gone))
        patch.chdir(tmp_path)
        words = f"gpubot isn't running here, or it uses another folder. It doesn't answer on {gone}."
        with pytest.raises(Unusable, match=f"^{words} gpubot destroy --resource ID works without gpubot."):
            ask(Command(kind=Kind.LIST))
        patch.delenv("GPUBOT_SOCKET")
        patch.setenv("GPUBOT_DATABASE_URL", "sqlite://")
        with pytest.raises(Mistake, match=r"^GPUBOT_DATABASE_URL: it must be"):
            ask(Command(kind=Kind.LIST))


async def test_if_the_bot_stops_before_answering_the_outcome_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.close()

    monkeypatch.setenv("GPUBOT_SOCKET", str(tmp_path / "s"))
    monkeypatch.chdir(tmp_path)
    async with await asyncio.start_unix_server(hang_up, tmp_path / "s"):
        with pytest.raises(Outage, match="didn't answer"):
            await asyncio.to_thread(ask, Command(kind=Kind.LIST))


async def test_no_control_characters_are_printed_on_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steering = "k7mq2\n\x1b]0;mine\x07\x1b[2Jready\r\u202e\u2028\x9b1m"

    async def steer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = Request.model_validate_json(await reader.readline())
        answer = Answer(done=request.command.kind is Kind.LIST, text=steering)
        writer.write(answer.model_dump_json().encode() + b"\n")
        writer.close()

    monkeypatch.setenv("GPUBOT_SOCKET", str(tmp_path / "s"))
    monkeypatch.chdir(tmp_path)
    async with await asyncio.start_unix_server(steer, tmp_path / "s"):
        (tmp_path / "s").chmod(0o600)
        assert await asyncio.to_thread(ask, Command(kind=Kind.LIST)) == "k7mq2\n]0;mine[2Jready1m"
        with pytest.raises(Mistake, match=r"^k7mq2\n\]0;mine\[2Jready1m$"):
            await asyncio.to_thread(ask, Command(kind=Kind.SHOW, id="k7mq2"))


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"list\n",
        b"\xff\xfe\x00\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"[" * 5000 + b"\n",
        json.dumps({"version": own_version(), "command": {"kind": "rent"}}).encode() + b"\n",
        json.dumps({"version": own_version(), "command": {"kind": "list", "all": True}}).encode() + b"\n",
    ],
)
async def test_an_invalid_command_is_answered_with_advice(path: Path, line: bytes) -> None:
    answer = Answer.model_validate_json(await sent(path, line))
    assert answer == Answer(
        done=False,
        text="I can't read this command. Does it have the version of the running gpubot? "
        "Check with gpubot doctor.",
    )
    await lists(path)


async def test_a_command_of_another_version_changes_nothing(path: Path) -> None:
    line = Request(version="0.0.1", command=Command(kind=Kind.PAUSE, why="x")).model_dump_json().encode() + b"\n"
    answer = Answer.model_validate_json(await sent(path, line))
    assert not answer.done
    assert answer.text.startswith(f"This command is of gpubot 0.0.1, and gpubot {own_version()} runs.")


@pytest.mark.parametrize("line", [b"", b'{"version":', b"x" * (LONGEST_REQUEST + 1) + b"\n"])
async def test_incomplete_and_oversized_requests_get_no_answer(path: Path, line: bytes) -> None:
    with suppress(ConnectionError):  # the bot closes it while the rest is still coming
        assert await sent(path, line) == b""
    await lists(path)


async def test_hanging_clients_delay_nobody_and_are_disconnected(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging = [await asyncio.open_unix_connection(path) for _ in range(50)]
    await lists(path)
    monkeypatch.setattr(server, "SLOWEST_REQUEST", 0.01)
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(b'{"version":')
    assert await reader.read() == b""
    monkeypatch.setattr(server, "DRAIN", 0.01)
    for _, other in [*hanging, (reader, writer)]:
        other.close()


async def test_hanging_clients_do_not_delay_the_shutdown(
    tmp_path: Path, deps: Deps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "DRAIN", 0.01)
    async with server.serve(tmp_path / "s", deps):
        reader, writer = await asyncio.open_unix_connection(tmp_path / "s")
        await lists(tmp_path / "s")
    assert await reader.read() == b""
    writer.close()


async def test_the_folder_may_have_a_long_name(
    tmp_path: Path, deps: Deps, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / ("long" * 25) / "gpubot.sock"
    monkeypatch.setenv("GPUBOT_SOCKET", str(path))
    monkeypatch.chdir(tmp_path)
    async with server.serve(path, deps):
        assert await asyncio.to_thread(ask, Command(kind=Kind.LIST)) == NOTHING


# --- existing files


async def test_the_socket_of_a_killed_bot_is_replaced(tmp_path: Path, deps: Deps) -> None:
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(tmp_path / "s"))
    async with server.serve(tmp_path / "s", deps):
        await lists(tmp_path / "s")


async def test_an_unusable_socket_path_is_explained_and_the_bot_runs(tmp_path: Path, deps: Deps) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(Unusable, match=r"file exists, but isn't a socket\. Name another path\.$"):
        listen(tmp_path / "file", "GPUBOT_SOCKET")
    assert (tmp_path / "file").read_text() == "mine"
    with listen(tmp_path / "s", "GPUBOT_SOCKET"), pytest.raises(Unusable, match="another gpubot listens on"):
        listen(tmp_path / "s", "GPUBOT_SOCKET")
    with pytest.raises(Unusable, match=r"^GPUBOT_SOCKET: I can't listen on .*too long\. Name another path\.$"):
        listen(tmp_path / ("long" * 25), "GPUBOT_SOCKET")
    with pytest.raises(Unusable, match=r"^GPUBOT_SOCKET: I can't listen on .*: File exists\. Name"):
        listen(tmp_path / "file" / "s", "GPUBOT_SOCKET")
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o775)
    with pytest.raises(Unusable, match=f"Type: chmod go-w {shared}$"):
        listen(shared / "s", "GPUBOT_SOCKET")
    shared.chmod(0o1777)
    with pytest.raises(Unusable, match=r"Name another folder\.$"):
        listen(shared / "s", "GPUBOT_SOCKET")
    shared.chmod(0o775)
    with capture_logs() as logged:
        async with server.serve(shared / "s", deps):
            assert not (shared / "s").exists()
    (line,) = [entry for entry in logged if entry["event"] == "operator.no_socket"]
    assert line["words"].endswith(f"Type: chmod go-w {shared}")


# --- another user of the machine


async def test_a_command_is_not_sent_to_a_replaceable_socket(path: Path) -> None:
    for what, usual, shared, command in (
        (path.parent, 0o700, 0o777, f"chmod go-w {path.parent}"),
        (path, 0o600, 0o666, f"chmod 600 {path}"),
    ):
        os.chmod(what, shared)
        with pytest.raises(Unusable, match=rf"^GPUBOT_SOCKET: nothing was sent, because .* Type: {command}$"):
            await asyncio.to_thread(ask, Command(kind=Kind.PAUSE, why="x"))
        os.chmod(what, usual)
    assert (await asyncio.to_thread(ask, Command(kind=Kind.PAUSE, why="x"))).startswith("Buying is paused."), (
        "not before"
    )


async def test_a_folder_of_another_user_is_refused_everywhere(
    open_folder: Path, deps: Deps, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bot, the doctor and the operator commands refuse it."""
    path = open_folder / "s"
    monkeypatch.setenv("GPUBOT_SOCKET", str(path))
    monkeypatch.chdir(open_folder)
    async with server.serve(path, deps):
        os.chown(open_folder, NOBODY, -1)
        words = f"{open_folder} belongs to nobody, who could replace "
        with pytest.raises(Unusable, match=f"^GPUBOT_SOCKET: nothing was sent, because {words}"):
            await asyncio.to_thread(ask, Command(kind=Kind.LIST))
        assert (socket_problem(path) or "").startswith(words), "as the doctor says"
        with pytest.raises(Unusable, match=f"^GPUBOT_SOCKET: {words}"):
            listen(open_folder / "other", "GPUBOT_SOCKET")


async def test_root_can_command_another_users_bot_but_no_impostor(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = open_folder / "s"
    monkeypatch.setenv("GPUBOT_SOCKET", str(path))
    monkeypatch.chdir(open_folder)
    os.chown(open_folder, NOBODY, -1)
    line = Answer(done=True, text="mine").model_dump_json()
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-c", LISTENS, str(path), line, stdout=subprocess.PIPE
    )
    try:
        assert started.stdout is not None
        assert await started.stdout.readline() == b"listens\n"
        assert await asyncio.to_thread(ask, Command(kind=Kind.LIST)) == "mine"
        os.chown(path, 0, -1)
        with pytest.raises(Unusable, match="belongs to nobody, who could replace s"):
            await asyncio.to_thread(ask, Command(kind=Kind.LIST))
        os.chown(open_folder, 0, -1)
        with pytest.raises(Unusable, match="s belongs to root, but the program that listens there runs as nobody"):
            await asyncio.to_thread(ask, Command(kind=Kind.LIST))
    finally:
        started.kill()
        await started.wait()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Yield a folder that everybody can access, unlike those of pytest."""
    if os.geteuid() != 0:
        pytest.skip(f"{NEEDS}{ROOT}")
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


NOBODY = 65534
BECOMES_NOBODY = f"""
import os, socket, sys
os.setgroups([])
os.setgid({NOBODY})
os.setuid({NOBODY})
"""
LISTENS = f"""{BECOMES_NOBODY}
with socket.socket(socket.AF_UNIX) as listening:
    listening.bind(sys.argv[1])
    os.chmod(sys.argv[1], 0o600)
    listening.listen()
    print("listens", flush=True)
    while True:
        other = listening.accept()[0]
        other.recv(1000)
        other.sendall(sys.argv[2].encode() + b"\\n")
        other.close()
"""
AS_NOBODY = f"""{BECOMES_NOBODY}
with socket.socket(socket.AF_UNIX) as other:
    try:
        other.connect(sys.argv[1])
        other.sendall(sys.argv[2].encode() + b"\\n")
        print("answer:", other.recv(1000).decode())
    except OSError as error:
        print(type(error).__name__)
"""


async def said_to_nobody(path: Path) -> str:
    """Return the answer that another user of this machine gets to a command."""
    line = Request(version=own_version(), command=Command(kind=Kind.PAUSE, why="mine now")).model_dump_json()
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", AS_NOBODY, str(path), line],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


async def test_another_user_cannot_use_the_socket(open_folder: Path, deps: Deps) -> None:
    """This applies even if the file's permissions let them.

    The bot gets the user from the operating system.
    """
    path = open_folder / "s"
    async with server.serve(path, deps):
        assert await said_to_nobody(path) == "PermissionError"
        path.chmod(0o666)
        assert await said_to_nobody(path) in {"answer:", "ConnectionResetError", "BrokenPipeError"}
        await lists(path)
        answer = await sent(
            path,
            Request(version=own_version(), command=Command(kind=Kind.PAUSE, why="x")).model_dump_json().encode()
            + b"\n",
        )
        assert Answer.model_validate_json(answer).text.startswith("Buying is paused."), "it was not paused before"


async def test_a_bot_with_a_wrong_clock_changes_nothing(
    tmp_path: Path, deps: Deps, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "s"
    monkeypatch.setenv("GPUBOT_SOCKET", str(path))
    monkeypatch.chdir(tmp_path)
    async with server.serve(path, replace(deps, may_claim=lambda: False)):
        for command in (Command(kind=Kind.PAUSE, why="bill check"), Command(kind=Kind.LIST)):
            with pytest.raises(Mistake, match=r"so nothing was changed\. .* gpubot destroy --resource"):
                await asyncio.to_thread(ask, command)
    async with deps.store.read() as tx:
        assert await tx.account.get(PAUSED) is None

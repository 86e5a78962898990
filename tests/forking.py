"""Starts gpubot's programs by forking a process that has already loaded their modules.

`python -m bot ..` and `python -m sandbox ..` need a second of CPU time to load their modules, which is most of
what many tests would cost. After `fork_programs`, `subprocess.Popen` starts these programs, and those of the
bench, through a server: a process that has loaded the modules and does nothing else. A forked program is an
ordinary process. It is a child of the process that requested it, with its own environment, folder, standard
streams, signals and exit status, and it runs the real `main`.

Some programs are started without a fork: programs with different options for Python in their environment
(PYTHONUTF8, LC_ALL) or with a process group of their own, as in tests/demo/test_programs.py, and all programs
outside Linux or under coverage. Two differences remain: a forked program has the command line of the server, and
it exits without tearing down its modules.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import json
import os
import random
import runpy
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from bot.clock import SystemClock
from bot.net.sandbox_clock import FollowedClock

BENCH = ("bench.empty_app", "bench.peer", "bench.ssh_host", "bench.timing")
"""The programs of the bench. They need no libraries that the other programs don't load."""
PROGRAMS = ("bot", "sandbox", "sandbox.compute", "sandbox.slack", *BENCH)
LOADED = ("bot.app", "demo.console", "demo.script", "bot.__main__", "sandbox.__main__", "alembic.command")
"""The modules that the server loads: those of the programs, except BENCH, and those that they load later."""
LONGEST_REQUEST = 100_000
WRONG_CLOCK = "TEST_WRONG_CLOCK"
"""An environment variable with the hours by which a forked bot's clock is ahead, or behind if negative."""
ROOT = Path(__file__).parents[1]
_SET_CHILD_SUBREAPER = 36


class ForkingPopen(subprocess.Popen[Any]):
    """A Popen whose child is forked by the server if the command runs one of the programs."""

    def _execute_child(self, *given: Any) -> None:
        args, executable, preexec_fn, _, pass_fds, cwd, env, _, _, shell, *others = given
        pipes, rest = others[:6], tuple(others[6:])
        command = _module_command(args)
        environment = dict(os.environ if env is None else env)
        *usual, new_session, process_group = rest
        plain = not (executable or preexec_fn or pass_fds or shell) and (*usual, process_group) == _USUAL
        if command is None or not plain or not _is_like_ours(environment):
            super()._execute_child(*given)  # type: ignore[misc]  # not in the stubs
            return
        stdin, _, _, stdout, _, stderr = pipes
        streams = [number if fd == -1 else fd for number, fd in enumerate((stdin, stdout, stderr))]
        request = json.dumps([command, os.fspath(cwd or Path.cwd()), environment, bool(new_session)])
        self.pid = _server.fork(request, streams)
        self._child_created = True
        self._close_pipe_fds(*pipes)  # type: ignore[attr-defined]  # as above


_USUAL = (True, None, None, None, -1, -1)
"""The values of restore_signals, gid, gids, uid, umask and process_group if the caller doesn't set them."""


def _module_command(args: Any) -> list[str] | None:
    """Return the part of a command after `python -m` if it starts one of the programs, otherwise None."""
    if not isinstance(args, Sequence) or isinstance(args, str | bytes):
        return None
    command = [os.fspath(arg) for arg in args]
    runs = len(command) > 2 and command[:2] == [sys.executable, "-m"] and command[2] in PROGRAMS
    return command[2:] if runs else None


def _is_like_ours(environment: Mapping[str, str]) -> bool:
    """Return whether the environment matches this process in everything that Python reads only when it starts.

    A PYTHONPATH that names this project doesn't matter, because the server has already loaded the project's
    modules.
    """
    read_at_start = {name: one for name, one in environment.items() if name.startswith(("PYTHON", "LANG", "LC_"))}
    if read_at_start.get("PYTHONPATH") == str(ROOT):
        del read_at_start["PYTHONPATH"]
    return all(one == os.environ.get(name) for name, one in read_at_start.items())


class _Server:
    """The server of this process. It starts with the first request, and ends with this process."""

    def __init__(self) -> None:
        self._requests: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def fork(self, request: str, streams: list[int]) -> int:
        """Fork a new child of this process, and return its process ID.

        `request` contains the part of the command after `python -m`, the folder, the environment, and whether the
        child gets its own session.
        """
        requests = self._requests or self._start()
        # The server's child exits right after it has forked the program. As a subreaper, this process then becomes
        # the program's parent.
        _adopt_orphans(True)
        try:
            socket.send_fds(requests, [request.encode()], streams)
            answer = requests.recv(100)
        finally:
            _adopt_orphans(False)
        if not answer:
            raise ChildProcessError("The server that forks programs has ended.")
        return int(answer)

    def fork_itself(self) -> None:
        """Start the server as a fork of this process, which has already loaded the programs."""
        ours, theirs = self._connect()
        if os.fork() == 0:
            ours.close()
            run(serve(theirs))
        theirs.close()

    def _start(self) -> socket.socket:
        ours, theirs = self._connect()
        command = [sys.executable, "-m", "tests.forking", str(theirs.fileno())]
        self._process = _Plain(
            command, pass_fds=[theirs.fileno()], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        theirs.close()
        atexit.register(self._stop)
        return ours

    def _connect(self) -> tuple[socket.socket, socket.socket]:
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        return self._requests, theirs

    @property
    def pid(self) -> int | None:
        """The process ID of the server, or None if it hasn't been needed yet."""
        return None if self._process is None else self._process.pid

    def _stop(self) -> None:
        if self._requests is not None and self._process is not None:
            self._requests.close()
            self._process.wait()


def _adopt_orphans(adopts: bool) -> None:
    ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, int(adopts), 0, 0, 0)


_Plain = subprocess.Popen
_server = _Server()


def fork_programs() -> None:
    """Fork all programs that this process starts from now on, where that is possible."""
    if sys.platform == "linux" and "COVERAGE_PROCESS_CONFIG" not in os.environ:
        subprocess.Popen = ForkingPopen  # type: ignore[misc]  # asyncio's processes are made by it too


def server_pid() -> int | None:
    """Return the process ID of the server, or None if no program has been started yet."""
    return _server.pid


def serve(requests: socket.socket) -> list[str]:
    """Fork a process for each request.

    Returns only in the forked processes, with the rest of the command after `python -m`.
    """
    for module in LOADED:
        import_module(module)
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        request, streams, _, _ = socket.recv_fds(requests, LONGEST_REQUEST, 3)
        if not request:
            os._exit(0)
        answer, answer_end = os.pipe()
        if (between := os.fork()) == 0:
            if (child := os.fork()) != 0:
                os.write(answer_end, str(child).encode())
                os._exit(0)
            for fd in (answer, answer_end):
                os.close(fd)
            requests.close()
            return _become(request, streams)
        os.waitpid(between, 0)
        requests.send(os.read(answer, 100))
        for fd in (answer, answer_end, *streams):
            os.close(fd)


def _become(request: bytes, streams: list[int]) -> list[str]:
    command, cwd, environment, new_session = json.loads(request)
    if new_session:
        os.setsid()
    for standard, fd in enumerate(streams):
        os.dup2(fd, standard)
        os.close(fd)
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    random.seed()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    return [str(word) for word in command]


def run(command: list[str]) -> NoReturn:
    """Run a program in this process, then end the process."""
    global _server  # noqa: PLW0603 - the inherited one belongs to the process that forked this one
    _server = _Server()
    if command[:2] in (["bot", "demo"], ["bot", "sandbox"]):
        _server.fork_itself()
        subprocess.Popen = ForkingPopen  # type: ignore[misc]
    if hours := os.environ.get(WRONG_CLOCK):
        _set_clock(timedelta(hours=float(hours)))
    sys.modules.pop(f"{command[0]}.__main__", None)
    sys.argv[1:] = command[1:]
    status = 0
    try:
        runpy.run_module(command[0], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if isinstance(end.code, str):
            raise
        status = end.code or 0
    _end(status)


def _set_clock(ahead: timedelta) -> None:
    """Make this process's clock wrong, as if somebody had set the machine's clock. Time spans stay correct."""
    real, put = SystemClock.real, FollowedClock.put

    def wrong_real(clock: SystemClock) -> datetime:
        return real(clock) + ahead

    def wrong_put(clock: FollowedClock, moment: datetime, **more: Any) -> None:
        put(clock, moment + ahead, **more)

    SystemClock.real = wrong_real  # type: ignore[method-assign,assignment]  # this process has no other code under test
    FollowedClock.put = wrong_put  # type: ignore[method-assign,assignment]  # as above


def _end(status: int) -> NoReturn:
    """End this process as Python does, but without tearing down its modules.

    Tearing them down would first copy all memory that the process shares with the server, which takes a quarter of
    the CPU time of a short life.
    """
    threading._shutdown()  # type: ignore[attr-defined]  # not in the stubs
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    run(serve(socket.socket(fileno=int(sys.argv[1]))))

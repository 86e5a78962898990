"""Sockets in the file system, and the rules about the owner of a socket's file.

The bot, the operator commands and `gpubot doctor` make the same checks, because anyone who can replace a socket
can read each command or request and send any answer.
"""

from __future__ import annotations

import os
import pwd
import socket
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bot.errors import Unusable

ROOT = 0
LONGEST_PATH = 107
"""The maximum length in bytes of a path that a socket can be bound to (unix(7))."""
BACKLOG = 16
_LISTENS = 1 << 16
"""The flag in `/proc/net/unix` of a socket on which a program listens (`__SO_ACCEPTCON` in Linux's net.h)."""
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_PEER = struct.Struct("3i")
"""The format of `struct ucred` in unix(7): process, user and group."""


@contextmanager
def short_path(path: Path) -> Iterator[str]:
    """Yield a path to the socket that is short enough for `bind` and `connect` (at most LONGEST_PATH bytes).

    The folder is opened, and the path leads through its file descriptor: `/proc/self/fd/7/gpubot.sock`. Until the
    end of the block, this path leads to the same folder, even if someone renames or replaces the folder. On a
    system without /proc, the path is unchanged. Raises OSError if there is no such folder.
    """
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        through = Path(f"/proc/self/fd/{folder}")
        yield str(through / path.name if through.exists() else path)
    finally:
        os.close(folder)


def listen(path: Path, setting: str, *, for_group: bool = False) -> socket.socket:
    """Return a socket that listens on `path`.

    A socket that was left behind by a killed process is replaced.

    Args:
        path: The path.
        setting: The name of the setting with the path, for error messages.
        for_group: Whether the group of the socket can use it, too. If not, only its owner and root can use it, and
            a missing folder is created.

    Raises:
        Unusable: The path can't be used, another gpubot listens on the socket, or other users could replace the
            socket. The message contains advice.
    """
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if not for_group:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if (problem := socket_problem(path, listens=True)) is not None:
            raise Unusable(f"{setting}: {problem}")
        _remove_stale(path, setting)
        _bind(listening, path)
        path.chmod(0o660 if for_group else 0o600)  # before listen(), so that nobody else can connect first
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        why = error.strerror or error
        raise Unusable(f"{setting}: I can't listen on {path}: {why}. Name another path.") from None
    except Unusable:
        listening.close()
        raise
    return listening


def _remove_stale(path: Path, setting: str) -> None:
    """Remove a socket on which nobody listens.

    Raises Unusable if something listens on it, or if it isn't a socket.
    """
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise Unusable(f"{setting}: {path} exists, but isn't a socket. Name another path.")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other, short_path(path) as short:
            try:
                other.connect(short)
            except ConnectionRefusedError:
                path.unlink()
                return
        raise Unusable(f"{setting}: another gpubot listens on {path}. Name another path for this one.")


def _bind(listening: socket.socket, path: Path) -> None:
    """Bind a socket to a path. Raises OSError if that fails.

    If the full path is short enough, the socket is bound to it, so that `/proc/net/unix` shows where the bot
    listens. Otherwise, the path from `short_path` is used.
    """
    whole = path.absolute()
    if len(os.fsencode(whole)) <= LONGEST_PATH:
        listening.bind(str(whole))
        return
    with short_path(path) as short:
        listening.bind(short)


def listening_elsewhere(path: Path, table: Path = Path("/proc/net/unix")) -> list[Path]:
    """Return the sockets in other folders that have the file name of `path` and on which a program listens.

    This finds a bot that another user runs, because its socket is in another data folder. The list is empty on
    systems other than Linux, because they don't have proc_net_unix(5).
    """
    found = set()
    with suppress(OSError):
        for line in table.read_text(errors="surrogateescape").splitlines()[1:]:
            columns = line.split(maxsplit=7)
            if len(columns) == 8 and int(columns[3], 16) & _LISTENS and Path(columns[7]).name == path.name:
                found.add(Path(columns[7]))
    return sorted(one for one in found - {path.absolute()} if one.is_absolute())


def socket_problem(path: Path, *, at: str | None = None, listens: bool = False) -> str | None:
    """Describe the problem with a socket or its folder, and how to solve it. None if there is no problem.

    The socket and its folder must belong to root or to the user who runs gpubot, and no other user must have write
    access.

    The user who runs gpubot is normally the user of this process. There is one exception: root can send a command
    to another user's gpubot. If this process runs as root, the owner of the socket is therefore assumed to be the
    user who runs gpubot. If there is no socket, the owner of the folder is used instead. Raises OSError if there
    is no such folder.

    Args:
        path: The path as it was configured, for messages.
        at: The path to use for the checks, from `short_path`. By default, `path` is used.
        listens: True if this process is the bot, which will replace an existing socket. The socket itself isn't
            checked then.
    """
    there = Path(at) if at is not None else path
    folder, file = there.parent.stat(), None
    if not listens:
        with suppress(FileNotFoundError, NotADirectoryError):
            file = there.lstat()
    user = os.geteuid()
    if user == ROOT and not listens:
        user = (file or folder).st_uid
    for what, found in ((path.parent, folder), (path, file)):
        if found is not None and found.st_uid not in {ROOT, user}:
            return (
                f"{what} belongs to {_name(found.st_uid)}, who could replace {path.name}. "
                f"Only root and the user who runs gpubot, here {_name(user)}, may own it."
            )
    if folder.st_mode & _OTHERS_WRITE:
        shared = folder.st_mode & stat.S_ISVTX  # such as /tmp, whose mode must not be changed
        return (
            f"other users of this machine can write to {path.parent}, so they could replace "
            f"{path.name}. {'Name another folder.' if shared else f'Type: chmod go-w {path.parent}'}"
        )
    if file is not None and stat.S_ISSOCK(file.st_mode) and file.st_mode & _OTHERS_WRITE:
        return f"other users of this machine can write to {path}. Type: chmod 600 {path}"
    return None


def peer_problem(connection: socket.socket, path: Path, at: str) -> str | None:
    """Describe the problem if the program that listens on the socket doesn't run as the socket's owner.

    None if the program runs as the owner, or if the system doesn't report the program's user.
    """
    user, owner = user_of(connection), Path(at).lstat().st_uid
    if user is None or user == owner:
        return None
    return f"{path} belongs to {_name(owner)}, but the program that listens there runs as {_name(user)}."


def user_of(connection: socket.socket) -> int | None:
    """Return the ID of the user who runs the program at the other end of a connection.

    None if the system doesn't report it.
    """
    if not hasattr(socket, "SO_PEERCRED"):
        return None
    found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
    return int(_PEER.unpack(found)[1])


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"user {user}"

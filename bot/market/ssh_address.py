"""Reads a machine's address from the vendor's data.

People paste the SSH command, which has this address, into a shell, so only an IP address or a host name is
accepted.
"""

from __future__ import annotations

import ipaddress
import re

from bot.market.fields import whole

SSH_PORT = 22
_HOST_NAME = re.compile(
    r"(?=.{1,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
)
_ALL_DIGITS = re.compile(r"(?:.*\.)?(?:\d+|0x[0-9a-f]*)")
_DESTINATION = re.compile(r"(?:[a-z_][a-z0-9_.-]{0,31}@)?(\S+)", re.IGNORECASE)
_OPTIONS_WITH_VALUE = frozenset({"-i", "-l", "-o", "-J", "-F"})


def host(value: object) -> str | None:
    """Return an IP address, also a loopback one, or a host name in its plain form. Return None for anything
    else."""
    if not isinstance(value, str) or len(value) > 260 or not value.isascii():
        return None
    written = value.strip().lower()
    try:
        address = ipaddress.ip_address(written.removeprefix("[").removesuffix("]"))
    except ValueError:
        is_name = _HOST_NAME.fullmatch(written) and not _ALL_DIGITS.fullmatch(written)
        return written if is_name else None
    # A scope (`fe80::1%eth0`) may be any text, and means nothing on another machine.
    if "%" in written or address.is_unspecified or address.is_multicast:
        return None
    return str(address)


def port(value: object) -> int | None:
    """Return a TCP port. Return None for anything else."""
    return whole(value, 1, 65535)


def from_command(value: object) -> tuple[str | None, int | None]:
    """Return host and port of `ssh [-p PORT] [USER@]HOST`. Return (None, None) for any other command.

    The user is ignored: it is root at every vendor (docs/compute-clear.md, "Status and resources").
    """
    if not isinstance(value, str) or len(value) > 500:
        return None, None
    words = value.split()
    if not words or words[0] != "ssh":
        return None, None
    found_host: str | None = None
    found_port: int | None = None
    rest = iter(words[1:])
    for word in rest:
        if word == "-p":
            found_port = port(next(rest, None))
        elif word.startswith("-p"):
            found_port = port(word[2:])
        elif word in _OPTIONS_WITH_VALUE:
            next(rest, None)
        elif word.startswith("-"):
            continue
        elif found_host is None:
            destination = _DESTINATION.fullmatch(word)
            found_host = host(destination.group(1)) if destination else None
            if found_host is None:
                return None, None
        else:  # a command to run on the machine
            return None, None
    return found_host, found_port


def from_access(access: object) -> tuple[str | None, int | None]:
    """Return host and port of a resource's `access`; the port is 22 if none is given. Return (None, None) without
    a host."""
    if not isinstance(access, dict):
        return None, None
    command_host, command_port = from_command(access.get("ssh_command"))
    found_host = host(access.get("external_ip")) or command_host
    if found_host is None:
        return None, None
    return found_host, port(access.get("ssh_port")) or command_port or SSH_PORT

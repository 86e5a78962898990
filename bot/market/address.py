"""Where a machine is, out of what a vendor wrote. People paste the command that we build from it into a shell, so
nothing passes that is not an address or a host name."""

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
_TAKES_VALUE = frozenset({"-i", "-l", "-o", "-J", "-F"})


def host(value: object) -> str | None:
    """A usable IP address or host name in its plain form. Loopback is one too."""
    if not isinstance(value, str) or len(value) > 260 or not value.isascii():
        return None
    written = value.strip().lower()
    try:
        # A scope (`fe80::1%eth0`) may be any text, and means nothing on another machine.
        address = ipaddress.ip_address(written.removeprefix("[").removesuffix("]"))
    except ValueError:
        named = _HOST_NAME.fullmatch(written) and not _ALL_DIGITS.fullmatch(written)
        return written if named else None
    if "%" in written or address.is_unspecified or address.is_multicast:
        return None
    return str(address)


def port(value: object) -> int | None:
    """A TCP port."""
    return whole(value, 1, 65535)


def from_command(value: object) -> tuple[str | None, int | None]:
    """Host and port of `ssh [-p PORT] [USER@]HOST`; of any other command neither.

    The user is not read: it is root at every vendor (guide, "Use").
    """
    if not isinstance(value, str) or len(value) > 500:
        return None, None
    words = value.split()
    if not words or words[0] != "ssh":
        return None, None
    found_host: str | None = None
    found_port: int | None = None
    rest = iter(words[1:])
    for part in rest:
        if part == "-p":
            found_port = port(next(rest, None))
        elif part.startswith("-p"):
            found_port = port(part[2:])
        elif part in _TAKES_VALUE:
            next(rest, None)
        elif part.startswith("-"):
            continue
        elif found_host is None:
            destination = _DESTINATION.fullmatch(part)
            found_host = host(destination.group(1)) if destination else None
            if found_host is None:
                return None, None
        else:  # a command to run there
            return None, None
    return found_host, found_port


def of_access(access: object) -> tuple[str | None, int | None]:
    """Host and port of a resource's `access`, the port 22 where none is named; two times None until there are."""
    if not isinstance(access, dict):
        return None, None
    command_host, command_port = from_command(access.get("ssh_command"))
    found = host(access.get("external_ip")) or command_host
    if found is None:
        return None, None
    return found, port(access.get("ssh_port")) or command_port or SSH_PORT

"""Reads a boot script (`cloud_init`), or what a person typed on the machine. It is never run."""

import re
from functools import lru_cache

import asyncssh

_KEY_LINE = re.compile(
    r'(?P<options>\brestrict(?:,[A-Za-z0-9-]+(?:="[^"\n]*")?)*[ \t]+)?'
    r"(?P<key>(?<![\w-])(?:ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)|sk-ssh-ed25519@openssh\.com"
    r"|sk-ecdsa-sha2-nistp256@openssh\.com)[ \t]+[A-Za-z0-9+/]{16,}={0,2}(?![A-Za-z0-9+/=]))"
)
_PROBE = "gpubot-probe 1"
"""The first line of a report. A script that installs the probe contains this line."""
_SET_UP_STATE = re.compile(r">\s*\S*\bsetup\.state\b")
"""Found in a script that writes how far the setup is. The probe only reads that."""
_ENDING = "on-ending running"
"""How a line of a report begins. A script that installs what starts an on-ending.sh contains it."""
_FORCED = re.compile(r'restrict,(?:.*,)?command="([^"]*)"')


@lru_cache
def key_lines(script: str) -> tuple[str, ...]:
    """Return a line of authorized_keys for each public key that the script has anywhere, in order, each key once.

    A line has the options that stand before its key in the script, if they begin with `restrict`. Text that only
    looks like a key is left out, as sshd does.
    """
    lines: dict[bytes, str] = {}
    for found in _KEY_LINE.finditer(script.replace('\\"', '"')):
        key = read_public_key(found["key"])
        if key is not None:
            lines.setdefault(key.public_data, found[0])
    return tuple(lines.values())


def forced_command(line: str) -> str | None:
    """Return the only command that a line of authorized_keys allows. Return None if it allows every command."""
    found = _FORCED.match(line)
    return found and found[1]


@lru_cache
def probe_lines(script: str) -> tuple[str, ...]:
    """Return the lines that let a key run the probe and nothing else. Return none if the script has no probe."""
    return tuple(filter(forced_command, key_lines(script))) if _PROBE in script else ()


def has_set_up(script: str) -> bool:
    """Return whether the script runs a setup."""
    return _SET_UP_STATE.search(script) is not None


def has_ending(script: str) -> bool:
    """Return whether the script installs what starts an on-ending.sh."""
    return _ENDING in script


def read_public_key(line: str) -> asyncssh.SSHKey | None:
    """Return the key of a line of an authorized_keys file without options. Return None if it can't be read."""
    try:
        return asyncssh.import_public_key(line)
    except (asyncssh.KeyImportError, ValueError):
        return None

"""Reads the lines for authorized_keys in a boot script (`cloud_init`). The script is never run."""

import re

import asyncssh

_KEY_LINE = re.compile(
    r'(?P<options>\brestrict(?:,[A-Za-z0-9-]+(?:="[^"\n]*")?)*[ \t]+)?'
    r"(?P<key>(?<![\w-])(?:ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)|sk-ssh-ed25519@openssh\.com"
    r"|sk-ecdsa-sha2-nistp256@openssh\.com)[ \t]+[A-Za-z0-9+/]{16,}={0,2}(?![A-Za-z0-9+/=]))"
)
_PROBE = "gpubot-probe 1"
"""The first line of a report. The script that prints it is in the boot script."""
_SET_UP_STATE = re.compile(r">\s*\S*\bsetup\.state\b")
"""Writes how far the set-up is. The probe only reads it."""
_FORCED = re.compile(r'restrict,(?:.*,)?command="([^"]*)"')


def key_lines(script: str) -> list[str]:
    """Return a line of authorized_keys for each public key that the script has anywhere, in order, each key once.

    A line has the options that stand before its key in the script, if they begin with `restrict`. Text that only
    looks like a key is left out, as sshd does.
    """
    lines: dict[bytes, str] = {}
    for found in _KEY_LINE.finditer(script):
        key = read_public_key(found["key"])
        if key is not None:
            lines.setdefault(key.public_data, found[0])
    return list(lines.values())


def forced_command(line: str) -> str | None:
    """Return the only command that a line of authorized_keys allows. Return None if it allows every command."""
    found = _FORCED.match(line)
    return found and found[1]


def probe_path(script: str) -> str | None:
    """Return the path of the probe's script on the machine. Return None if the boot script doesn't install it."""
    if _PROBE not in script:
        return None
    return next(filter(None, map(forced_command, key_lines(script))), None)


def has_set_up(script: str) -> bool:
    """Return whether it runs a set-up."""
    return _SET_UP_STATE.search(script) is not None


def read_public_key(line: str) -> asyncssh.SSHKey | None:
    """Return the key of a line of an authorized_keys file without options. Return None if it can't be read."""
    try:
        return asyncssh.import_public_key(line)
    except (asyncssh.KeyImportError, ValueError):
        return None

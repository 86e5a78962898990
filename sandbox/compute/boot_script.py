"""Reads the public keys in a boot script (`cloud_init`). The script is never run."""

import re

import asyncssh

_KEY = re.compile(
    r"(?<![\w-])(?:ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)|sk-ssh-ed25519@openssh\.com"
    r"|sk-ecdsa-sha2-nistp256@openssh\.com)[ \t]+[A-Za-z0-9+/]{16,}={0,2}(?![A-Za-z0-9+/=])"
)


def public_keys(script: str) -> list[asyncssh.SSHKey]:
    """Return each public key that the script has anywhere, in order and once.

    A machine that runs the script lets in these keys. Text that only looks like a key is left out, as sshd does.
    """
    keys: dict[bytes, asyncssh.SSHKey] = {}
    for found in _KEY.finditer(script):
        key = read_public_key(found[0])
        if key is not None:
            keys.setdefault(key.public_data, key)
    return list(keys.values())


def read_public_key(line: str) -> asyncssh.SSHKey | None:
    """Return the key of a line of an authorized_keys file. Return None if it can't be read."""
    try:
        return asyncssh.import_public_key(line)
    except (asyncssh.KeyImportError, ValueError):
        return None

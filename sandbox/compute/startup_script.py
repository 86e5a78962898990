"""Analyzes a startup script (`cloud_init`), or the lines that a person typed on a machine. Nothing is run."""

import re
from functools import lru_cache

import asyncssh

_KEY_LINE = re.compile(
    r'(?P<options>\brestrict(?:,[A-Za-z0-9-]+(?:="[^"\n]*")?)*[ \t]+)?'
    r"(?P<key>(?<![\w-])(?:ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)|sk-ssh-ed25519@openssh\.com"
    r"|sk-ecdsa-sha2-nistp256@openssh\.com)[ \t]+[A-Za-z0-9+/]{16,}={0,2}(?![A-Za-z0-9+/=]))"
)
_PROBE = "gpubot-probe 1"
"""The first line of the probe's report. A script that installs the probe contains this line."""
_SET_UP_STATE = re.compile(r">\s*\S*\bsetup\.state\b")
"""Matches scripts that write the file with a setup script's state. The probe's script only reads this file."""
_ENDING = "on-ending running"
"""The beginning of a line in the probe's report. A script that can start on-ending.sh contains this text."""
_HEALTH = "gpubot-health 1"
"""The first line of the health of the GPUs. A script that can check them contains this line."""
_JOBS = ("gpubot-job 1", "gpubot-jobs 1")
"""The beginning of a job's file, and the first line of the jobs in a report.

A script that installs `gpubot-run` and the program that reads its files contains both.
"""
_FORCED = re.compile(r'restrict,(?:.*,)?command="([^"]*)"')


@lru_cache
def key_lines(script: str) -> tuple[str, ...]:
    """Return an authorized_keys line for each public key in the script, in order and without duplicates.

    A line includes the options in front of the key, if they begin with `restrict`. Text that only looks like a key
    is ignored, as sshd would.
    """
    lines: dict[bytes, str] = {}
    for found in _KEY_LINE.finditer(script.replace('\\"', '"')):
        key = read_public_key(found["key"])
        if key is not None:
            lines.setdefault(key.public_data, found[0])
    return tuple(lines.values())


def forced_command(line: str) -> str | None:
    """Return the only command that an authorized_keys line allows, or None if it allows any command."""
    found = _FORCED.match(line)
    return found and found[1]


@lru_cache
def probe_lines(script: str) -> tuple[str, ...]:
    """Return the lines with keys that may only run the probe. Empty if the script doesn't install the probe."""
    return tuple(filter(forced_command, key_lines(script))) if _PROBE in script else ()


def has_set_up(script: str) -> bool:
    """Return whether the script runs a setup script of the team."""
    return _SET_UP_STATE.search(script) is not None


def has_ending(script: str) -> bool:
    """Return whether the script installs the program that starts on-ending.sh."""
    return _ENDING in script


def has_health(script: str) -> bool:
    """Return whether the script installs the program that checks the health of the GPUs."""
    return _HEALTH in script


def has_jobs(script: str) -> bool:
    """Return whether the script installs `gpubot-run` and the program that reports its jobs."""
    return all(text in script for text in _JOBS)


def read_public_key(line: str) -> asyncssh.SSHKey | None:
    """Parse an authorized_keys line without options. Return None if it isn't a valid key."""
    try:
        return asyncssh.import_public_key(line)
    except (asyncssh.KeyImportError, ValueError):
        return None

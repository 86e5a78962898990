"""Ana's machine k7mq2 with startup scripts that contain keys, a setup script or the probe."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from bot.model.attempt import OwnedKey, SentScript
from bot.model.base import changed
from bot.model.summary import RentalDetails
from bot.policy.access.keys import LARGEST_RSA
from tests.views.stories import ANA, BEN, CARL, clock, keys_now, ready

NOW = clock(14, 0)
HOST_KEY = "SHA256:Vx1kEjQq0mO8c5rFQ3mE2vV2m0lRrj7mRk3yqf1Zr1A"


def line(n: int) -> str:
    """Return the public key line number `n`, counted from 1."""
    return f"ssh-ed25519 AAAAC3NzaC1lZDI{n}"


def key(person: str, comment: str, written: str = line(1)) -> OwnedKey:
    digest = base64.b64encode(hashlib.sha256(written.encode()).digest()).decode()
    return OwnedKey(person=person, line=written, comment=comment, fingerprint=f"SHA256:{digest[:6]}")


FIRST = key(ANA, "you@laptop", "ssh-ed25519 AAAA")
"""The default key, which every purchase sends."""


def large(n: int) -> OwnedKey:
    """Return one of Ana's keys of the largest permitted RSA size.

    It consists of the type, the exponent and the modulus, each preceded by its length.
    """
    parts = (b"ssh-rsa", b"\1\0\1", b"\0" + bytes([255 - n]) * (LARGEST_RSA // 8))
    blob = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return key(ANA, "", f"ssh-rsa {base64.b64encode(blob).decode()}")


def sent(
    *keys: OwnedKey,
    later: tuple[OwnedKey, ...] = (),
    setup: str | None = None,
    probe: bool = False,
    **changes: Any,
) -> RentalDetails:
    """Return Ana's ready machine k7mq2 with Ben and Carl as teammates.

    Args:
        keys: The keys in its startup script, which their owners still have.
        later: Keys that people have added since then.
        setup: The name of the setup script in the startup script.
        probe: Whether the startup script contains the probe.
        changes: Other fields of the rental.
    """
    details = ready(**{"host_key": HOST_KEY, "teammates": (BEN, CARL), **changes})
    first, last = details.attempts
    script = SentScript(version=1, keys=keys, setup=setup, probe=probe) if keys or setup or probe else None
    attempts = (first, changed(last, script=script))
    return changed(details, attempts=attempts, keys_now=keys_now(FIRST, *keys, *later))

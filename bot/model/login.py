"""Logins: a program gets its token because a person types a code in Slack."""

from __future__ import annotations

from pydantic import Field

from bot.model.base import Frozen, Instant


class SealedSecret(Frozen):
    """A secret that only one program can read (`bot/sealed_secret.py`). All values are base64."""

    public_key: str
    """The X25519 key that was made for this secret alone."""
    nonce: str
    ciphertext: str


class Login(Frozen):
    """A login of a program. The store deletes it soon after it has expired."""

    id: str = Field(repr=False)
    """A long random ID, which only the program and the form in Slack know. It never appears in a message or a log.

    Whoever knows it can read the encrypted secret, and nothing else.
    """
    code: str = Field(repr=False)
    """The code that a person types in Slack, in capital letters."""
    public_key: str
    """The program's X25519 key, in base64."""
    program: str
    """The name that the program gave itself. Untrusted text: escape it for display."""
    host: str
    """The name of the program's machine, as the program gave it. Untrusted text: escape it for display."""
    address: str
    """The origin of the request: an IP address, or a user ID such as `uid 1000` for a Unix socket."""
    created_at: Instant
    expires_at: Instant
    """The time after which neither the code nor the secret can be used."""
    person: str | None = None
    """The Slack ID of the person who typed the code. From then on, the code works for nobody else."""
    token_id: str | None = None
    """The ID for the new token. It is chosen when the person opens the form."""
    secret: SealedSecret | None = None
    """The secret of the token. None until the person submits the form. From then on, the code works for nobody."""

"""Logins by code: a program gets a token because a person types the program's code in Slack.

A program begins a login and shows its code. The person who types the code claims the login, and gets the form for
a new token. When this person submits the form, `MakeToken` (bot/lifecycle/actions/tokens.py) makes the token and,
in the same transaction, encrypts its secret for the program. The program then fetches the encrypted secret.

Everything that a program sends comes from a stranger. The people who type codes are the only ones who can tell
whether the program is theirs, so they are shown where it runs.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bot.errors import Mistake, Refused, SentSecret, TooLate, UnknownLogin
from bot.lifecycle.deps import TOKEN_ID_LENGTH, Deps, transact
from bot.model.base import changed
from bot.model.login import Login
from bot.model.person import Person
from bot.model.text import short
from bot.model.token import Token
from bot.policy.access.token_secret import contains_secret
from bot.policy.team.roles import check_user
from bot.sealed_secret import InvalidKey, check_public_key, seal
from store.db import Tx

if TYPE_CHECKING:  # Only the REST API needs its models at run time.
    from bot.model.api import LoginRequest

CODE_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
"""The letters of codes. Without vowels, no code is a word (RFC 8628, section 6.1).

There are no digits, so that no letter can be taken for one, such as B for 8.
"""
CODE_LENGTH = 8
CODE_LASTS = timedelta(minutes=10)
"""The time in which a person can type a code."""
FORM_LASTS = timedelta(minutes=10)
"""The time in which a person can submit the form after they typed the code."""
SECRET_LASTS = timedelta(minutes=10)
"""The time in which the program can fetch its secret."""
MOST_PENDING = 100
"""The maximum number of logins that wait for a person at the same time."""
FULL_FOR = timedelta(minutes=1)
"""The time after which a program should try again if there are already MOST_PENDING logins."""
_ID_BYTES = 32


@dataclass(frozen=True)
class ProgramLogin:
    """A login, and the token that was made for it."""

    login: Login
    token: Token | None = None
    """The token. None until the person has submitted the form."""
    owner_name: str = ""
    """The name of the token's owner. Empty if there is no token."""


async def begin_login(deps: Deps, request: LoginRequest, address: str) -> Login:
    """Store a new login, and return it with its code.

    `address` says where the request came from (`Login.address`).

    Raises:
        Mistake: No secret can be encrypted for the public key, or a name contains a secret.
        Refused: Too many logins are waiting for a person.
    """
    try:
        check_public_key(request.public_key)
    except InvalidKey:
        message = "No secret can be encrypted for this public_key. Nothing was done. Make a new X25519 key pair."
        raise Mistake(message) from None
    if contains_secret(request.program) or contains_secret(request.host):
        raise SentSecret.sent_by_program()

    # Check this first without the spending lock, so that strangers whose logins are refused delay no purchases.
    async with deps.store.read() as tx:
        await _check_pending(tx, deps.clock.now())

    async def decision(tx: Tx) -> Login:
        now = deps.clock.now()
        await _check_pending(tx, now)
        login = Login(
            id=secrets.token_urlsafe(_ID_BYTES),
            code="".join(secrets.choice(CODE_LETTERS) for _ in range(CODE_LENGTH)),
            public_key=request.public_key,
            program=request.program,
            host=request.host,
            address=address,
            created_at=now,
            expires_at=now + CODE_LASTS,
        )
        await tx.logins.add(login)
        return login

    return await transact(deps, decision)


async def _check_pending(tx: Tx, now: datetime) -> None:
    if await tx.logins.pending(now) >= MOST_PENDING:
        message = f"{MOST_PENDING} programs are already waiting for somebody to type their code."
        raise Refused(f"{message} Nothing was done.", again_at=now + FULL_FOR)


async def login_for(deps: Deps, login_id: str) -> ProgramLogin:
    """Return a login for the program that knows its ID. It may have expired. Raises UnknownLogin."""
    async with deps.store.read() as tx:
        login = await tx.logins.get(login_id)
        if login is None:
            raise UnknownLogin
        if login.secret is None or login.token_id is None:
            return ProgramLogin(login)
        token = await tx.tokens.get(login.token_id)
        if token is None:
            return ProgramLogin(login)
        return ProgramLogin(login, token, (await tx.people.names([token.owner])).get(token.owner, token.owner))


async def login_of_code(deps: Deps, person: Person, code: str) -> Login:
    """Claim the login with this code for the person who typed it, and return the login.

    From then on, the code works for nobody else. The same person can type it again, for example because they
    closed the form by accident: the new token keeps its ID, so that two forms never make two tokens. `expires_at`
    is the time until which the form can be submitted.

    Raises:
        Mistake: The code is unknown, older than CODE_LASTS, used, or claimed by another person. The message is the
            same in all cases, so that nobody learns which codes exist.
        Refused: The person isn't allowed to use the bot.
    """
    check_user(person, deps.rules)
    code = code.upper()
    what = f"I don't know the code {short(code)}, or it's older than 10 min."
    unknown = Mistake(f"{what} Run gpubot agent login again for a new one.")
    if len(code) != CODE_LENGTH or not set(code) <= set(CODE_LETTERS):
        raise unknown

    async def decision(tx: Tx) -> Login:
        now, login = deps.clock.now(), await tx.logins.of_code(code)
        if (
            login is None
            or now >= login.created_at + CODE_LASTS
            or login.person not in {None, person.id}
            or login.secret is not None
        ):
            raise unknown
        token_id, until = login.token_id or deps.new_id(TOKEN_ID_LENGTH), now + FORM_LASTS
        await tx.logins.open(login.id, person.id, token_id, until)
        return changed(login, person=person.id, token_id=token_id, expires_at=until)

    return await transact(deps, decision)


async def login_of_form(tx: Tx, person: Person, login_id: str, token_id: str, now: datetime) -> Login:
    """Return the login of a form that a person submits to make a token with this ID.

    If an earlier submission has made the token, the login already has a secret. Raises TooLate if the login isn't
    this person's, or if it has expired without a secret.
    """
    login = await tx.logins.get(login_id)
    if login is None or (login.person, login.token_id) != (person.id, token_id):
        raise _too_late()
    if login.secret is None and now >= login.expires_at:
        raise _too_late()
    return login


async def seal_for(tx: Tx, login: Login, secret: str, now: datetime) -> Login:
    """Encrypt the secret of a token for the program of a login, store it, and return the login.

    Raises Stale if the login already has a secret.
    """
    sealed, until = seal(secret, login.public_key, login.id), now + SECRET_LASTS
    await tx.logins.seal(login.id, sealed, until)
    return changed(login, secret=sealed, expires_at=until)


def _too_late() -> TooLate:
    return TooLate("This login has expired, so nothing was changed. Run gpubot agent login again for a new code.")

"""Logs in: asks for a token, and waits until a person has made it in Slack.

The program makes a key pair for each login, and sends the public key. The API encrypts the token's secret with it.
So only the program can read the secret, even if somebody else sees the answers of the API.
"""

from __future__ import annotations

import re
import socket

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from pydantic import SecretStr

from agent import words
from agent.client import Answer, ApiAway, ApiRefused, Client
from agent.screen import Screen
from agent.settings import is_token
from bot.clock import Clock
from bot.errors import Mistake
from bot.model.api import LONGEST_NAME, Login, LoginRequest, LoginState, SealedSecret
from bot.model.login import SealedSecret as StoredSecret
from bot.sealed_secret import NotForUs, open_sealed, public_text

USUAL_PAUSE, LONGEST_PAUSE = 3, 30
"""The pause in seconds (wall clock) between two requests if the API names none, and the longest pause."""
PATIENCE = 300.0
"""The time in seconds (wall clock) for which the API may be down during a login, such as for an upgrade."""
_CODE = re.compile(r"[A-Z0-9]{4,16}")
"""The form of a code. No other text from the API is shown as a code, because people type what they are shown."""
_NOT_IN_HOSTS = re.compile(r"[^A-Za-z0-9._-]+")
_GOES_ON = frozenset({LoginState.WAITING, LoginState.OPENED})


def login_request(key: X25519PrivateKey, program: str) -> LoginRequest:
    """Return the request for a token. It names the program and this machine, so that people recognize them."""
    host = _NOT_IN_HOSTS.sub("-", socket.gethostname())[:LONGEST_NAME] or "unnamed"
    return LoginRequest(public_key=public_text(key), program=program, host=host)


async def wait_for_token(client: Client, request: LoginRequest, *, clock: Clock, screen: Screen) -> Answer[Login]:
    """Show a code, and wait until a person has made a token with it, or until the code has expired.

    Returns:
        The last answer of the API. Its state is DONE or EXPIRED.
    """
    answer = await client.begin_login(request)
    begun = answer.value
    if _CODE.fullmatch(begun.code) is None:
        raise ApiAway("The API answered without a code that a person can type. Check GPUBOT_API_URL.")
    for line in words.code_lines(begun.code):
        screen.note(line)
    while answer.value.state in _GOES_ON:
        screen.status(words.login_status(answer.value))
        await clock.pause(min(max(answer.value.ask_again_in or USUAL_PAUSE, 1), LONGEST_PAUSE))
        try:
            answer = await client.login(begun.id, patience=PATIENCE)
        except ApiRefused as error:
            if error.status != 404:
                raise
            # The API forgets a login soon after it has expired.
            expired = begun.model_copy(update={"state": LoginState.EXPIRED})
            return Answer(expired, expired.model_dump(mode="json"))
    return answer


def open_token(sealed: SealedSecret | None, key: X25519PrivateKey, login_id: str) -> SecretStr:
    """Return the token of a login. Raises Mistake if it wasn't encrypted for this program."""
    try:
        token = "" if sealed is None else open_sealed(StoredSecret(**dict(sealed)), key, login_id)
    except NotForUs:
        token = ""
    if not is_token(token):
        raise Mistake(words.not_readable())
    return SecretStr(token)

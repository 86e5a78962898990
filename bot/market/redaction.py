"""Takes our token out of what the marketplace says. Its texts are stored and shown in Slack."""

from __future__ import annotations

import html
import json
import re
from urllib.parse import quote, quote_plus

from pydantic import SecretStr

from bot.market.fields import NotJson

MASK = "[token]"
_SHORTEST = 8
"""Characters. Something shorter protects nothing, and may be a word of the language."""


class Redactor:
    """Knows the ways in which a text may repeat the token: as it is, in a URL, in JSON within JSON, in HTML."""

    def __init__(self, token: SecretStr) -> None:
        secret = token.get_secret_value()
        escaped = json.dumps(secret)[1:-1]
        ways = {secret, quote(secret), quote(secret, safe=""), quote_plus(secret), html.escape(secret)}
        ways |= {escaped, escaped.replace("/", "\\/")}
        longest_first = map(re.escape, sorted(ways, key=len, reverse=True))
        # In any case: status words are stored in lower case, and %2f is %2F.
        self._ways = re.compile("|".join(longest_first) if len(secret) >= _SHORTEST else "(?!)", re.IGNORECASE)

    def masked(self, said: object) -> object:
        """Return a decoded JSON value with the token masked in every text and key.

        Raise NotJson if it is nested too deep.
        """
        try:
            return self._walk(said)
        except RecursionError as error:
            raise NotJson("nested too deep") from error

    def _walk(self, said: object) -> object:
        if isinstance(said, str):
            return self._text(said)
        if isinstance(said, list):
            return [self._walk(entry) for entry in said]
        if isinstance(said, dict):
            return {self._text(name): self._walk(value) for name, value in said.items()}
        return said

    def _text(self, said: str) -> str:
        # Invisible characters are dropped when a text is stored, which would join the parts of a token again.
        seen = said if said.isprintable() else "".join(c for c in said if c.isprintable() or c.isspace())
        return self._ways.sub(MASK, seen) if self._ways.search(seen) else said

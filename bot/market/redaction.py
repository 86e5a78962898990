"""Removes the bot's token from the marketplace's answers, whose texts are stored and shown in Slack."""

from __future__ import annotations

import html
import json
import re
from urllib.parse import quote, quote_plus

from pydantic import SecretStr

from bot.market.fields import NotJson

MASK = "[token]"
_MIN_LENGTH = 8
"""Characters of a token that is masked. A shorter one is no protection, and may be a common word."""


class Redactor:
    """Masks each form in which a text may repeat the token: as it is, in a URL, in JSON within JSON, in HTML."""

    def __init__(self, token: SecretStr) -> None:
        secret = token.get_secret_value()
        escaped = json.dumps(secret)[1:-1]
        forms = {secret, quote(secret), quote(secret, safe=""), quote_plus(secret), html.escape(secret)}
        forms |= {escaped, escaped.replace("/", "\\/")}
        longest_first = map(re.escape, sorted(forms, key=len, reverse=True))
        # Case is ignored: status words are stored in lower case, and %2f is the same as %2F.
        self._pattern = re.compile(
            "|".join(longest_first) if len(secret) >= _MIN_LENGTH else "(?!)", re.IGNORECASE
        )

    def masked(self, value: object) -> object:
        """Return a decoded JSON value with the token masked in every text and key.

        Raise NotJson if it is nested too deeply.
        """
        try:
            return self._mask(value)
        except RecursionError as error:
            raise NotJson("nested too deep") from error

    def _mask(self, value: object) -> object:
        if isinstance(value, str):
            return self._mask_text(value)
        if isinstance(value, list):
            return [self._mask(entry) for entry in value]
        if isinstance(value, dict):
            return {self._mask_text(name): self._mask(field) for name, field in value.items()}
        return value

    def _mask_text(self, text: str) -> str:
        # Invisible characters are dropped when a text is stored, which would join the parts of a token again.
        visible = text if text.isprintable() else "".join(c for c in text if c.isprintable() or c.isspace())
        return self._pattern.sub(MASK, visible) if self._pattern.search(visible) else text

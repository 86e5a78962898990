"""What a call to Slack that failed means to a check."""

from __future__ import annotations

import re

from bot.doctor.findings import Finding, left, wrong
from handlers.slack_api.error_codes import error_code

_CODE = re.compile(r"[a-z][a-z0-9_]{1,60}")


def code_of(error: Exception) -> str:
    """Slack's word for an error, or the kind of failure. A server's own text is never shown."""
    code = error_code(error)
    return code if _CODE.fullmatch(code) else type(error).__name__


def unread(what: str, error: Exception) -> Finding:
    """The finding for a call that gave no answer to go by."""
    code = code_of(error)
    if code == "missing_scope":
        return left(what, "the missing scopes first.")
    return wrong(what, f"Slack gave no usable answer ({code}). Try again in a minute.")

"""The finding for a failed call to Slack."""

from __future__ import annotations

import re

from bot.doctor.findings import Finding, not_checked, wrong
from handlers.slack_api.error_codes import error_code

_CODE = re.compile(r"[a-z][a-z0-9_]{1,60}")


def code_of(error: Exception) -> str:
    """Return Slack's error code, or the class of the error. Never show text that a server wrote."""
    code = error_code(error)
    return code if _CODE.fullmatch(code) else type(error).__name__


def call_failed(what: str, error: Exception) -> Finding:
    """Return the finding for a call that gave no usable answer."""
    code = code_of(error)
    if code == "missing_scope":
        return not_checked(what, "the missing scopes first.")
    return wrong(what, f"Slack gave no usable answer ({code}). Try again in a minute.")

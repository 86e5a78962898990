"""Checks whether people can take their SSH keys from GitHub."""

from __future__ import annotations

from bot.doctor.findings import CheckContext, Finding, hint, ok
from bot.errors import KeysUnavailable
from bot.github import github_at

WHAT = "GitHub"
ANY_NAME = "gpubot"
"""A user name to ask for. Whether there is such a user doesn't matter."""


async def github(context: CheckContext) -> list[Finding]:
    """Return whether GitHub answers in time to a question for keys. Return nothing if the policy takes none from
    there, or if the policy or the address can't be read."""
    if not context.rules.keys.github or context.blocked_by("GPUBOT_POLICY", "GPUBOT_GITHUB_URL"):
        return []
    async with github_at(context.settings.github_url) as source:
        try:
            await source.key_lines(ANY_NAME)
        except KeysUnavailable as unavailable:
            instead = "People can paste their keys; keys: {github: false} in the policy hides the button."
            return [hint(WHAT, f"{unavailable.reason} {instead}")]
    return [ok(WHAT, "people can take their SSH keys from there.")]

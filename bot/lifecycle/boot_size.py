"""Whether the keys and the set-up of a request fit into one boot script, with the keys that people have now."""

from __future__ import annotations

from collections.abc import Sequence

from bot.lifecycle.ports.store import Tx
from bot.policy.boot import check_script_size, further_keys
from bot.policy.rules import Rules


async def check_boot_script(
    tx: Tx, rules: Rules, owner: str, teammates: Sequence[str], setup: str | None, *, reader: str
) -> None:
    """Raise Mistake with the sizes if they don't fit. The next step in it is for `reader`, a Slack id."""
    keys = await tx.people.keys_of((owner, *teammates))
    check_script_size(further_keys(owner, teammates, keys), setup, rules, own=reader == owner)

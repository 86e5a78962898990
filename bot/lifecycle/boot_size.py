"""Whether keys, probe and set-up of a request fit into one boot script, with the keys that people have now."""

from __future__ import annotations

from collections.abc import Sequence

from bot.lifecycle.deps import Deps
from bot.lifecycle.ports.store import Tx
from bot.model.request import Request
from bot.policy.boot import check_script_size, further_keys
from bot.policy.probing import wants_probe


async def check_boot_script(
    tx: Tx, deps: Deps, owner: str, teammates: Sequence[str], request: Request, *, reader: str
) -> None:
    """Raise Mistake with the sizes if they don't fit. The next step in it is for `reader`, a Slack id."""
    further = further_keys(owner, teammates, await tx.people.keys_of((owner, *teammates)))
    probe_line = deps.probe_line if wants_probe(request, deps.rules) else ""
    check_script_size(further, request.setup, deps.rules, probe_line=probe_line, own=reader == owner)

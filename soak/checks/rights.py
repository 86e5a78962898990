"""Nobody sees what they may not."""

from __future__ import annotations

import re

from soak.deeds import GUEST, NOTE, OUTSIDER
from soak.evidence import RENTAL_ID, Evidence

_SSH = re.compile(r"\bssh (?:-p (\d+) )?root@")
_NAMED = re.compile(rf", ({RENTAL_ID})\b")
_HELP = re.compile(r"Up to \$[\d,.]+/h and \$[\d,.]+ in all you decide alone|under \$\d")
"""The sums that everyone may read: the team's limits, and examples."""


def addresses_are_for_owners(evidence: Evidence) -> list[str]:
    """Only the owner of a machine reads how to open it, and nowhere in public."""
    ports = {m.port: evidence.owners.get(m.rental or "") for m in evidence.machines if m.port}
    found = []
    for name, messages in evidence.seen.items():
        for message in messages:
            ssh = _SSH.search(f"{message.text}\n{message.reads}")
            if ssh is None or message.author in evidence.people:
                continue
            if not (message.only_you or message.is_dm):
                found.append(f"an address stands in #{message.channel_name}: {message.text[:60]!r}")
            elif ssh[1] and ports.get(int(ssh[1]), name) != name:
                found.append(f"{name} read the address of {ports[int(ssh[1])]}'s machine")
    return found


def strangers_read_nothing_in_private(evidence: Evidence) -> list[str]:
    """A guest and an outsider are told neither money nor notes nor addresses, in messages and in dialogs."""
    found = []
    for name in (GUEST, OUTSIDER):
        texts = [f"{m.text}\n{m.reads}" for m in evidence.private(name)]
        texts += [text for who, text in evidence.modals if who == name]
        for text in texts:
            said = _HELP.sub("", text)
            if "$" in said or NOTE in said or _SSH.search(said):
                found.append(f"{name} read {text[:120]!r}")
    return found


def money_of_others_is_for_approvers(evidence: Evidence) -> list[str]:
    """Who neither approves nor is an admin reads in private no money of what others rent."""
    found = []
    for name in evidence.people:
        if name in {*evidence.approvers, evidence.admin, GUEST, OUTSIDER}:
            continue
        for message in evidence.private(name):
            for line in message.text.split("\n"):
                named = _NAMED.search(line)
                if named and evidence.owners.get(named[1], name) != name and "$" in line:
                    found.append(f"{name} read of {evidence.owners[named[1]]}'s money: {line[:80]!r}")
    return found


CHECKS = (addresses_are_for_owners, strangers_read_nothing_in_private, money_of_others_is_for_approvers)

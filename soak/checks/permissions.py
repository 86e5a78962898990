"""Checks that people read only what they are allowed to read."""

from __future__ import annotations

import re

from soak.actions import GUEST, NOTE, OUTSIDER
from soak.evidence import RENTAL_ID, Evidence

_SSH = re.compile(r"\bssh (?:-p (\d+) )?root@")
_RENTAL = re.compile(rf"(?:, |\()({RENTAL_ID})\b")
_HELP = re.compile(r"Above \$[\d,.]+/h or \$[\d,.]+ per rental, your request needs approval|under \$\d")
"""Amounts that everyone may read: the team's limits, and examples."""
_OFFER = " is offering you "
"""Part of the message in which an owner offers somebody a machine."""


def ssh_commands_are_for_owners_and_teammates(evidence: Evidence) -> list[str]:
    """Check that only a machine's owner and their teammates read its SSH command, and only in private."""
    allowed = {m.port: evidence.with_access.get(m.rental or "", frozenset()) for m in evidence.machines if m.port}
    found = []
    for name, messages in evidence.seen.items():
        for message in messages:
            ssh = _SSH.search(f"{message.text}\n{message.reads}")
            if ssh is None or message.author in evidence.people:
                continue
            if not (message.only_you or message.is_dm):
                found.append(f"an SSH command is in #{message.channel_name}: {message.text[:60]!r}")
            elif ssh[1] and name not in allowed.get(int(ssh[1]), {name}):
                found.append(f"{name} read an SSH command, and only {sorted(allowed[int(ssh[1])])} may open it")
    return found


def strangers_read_nothing_in_private(evidence: Evidence) -> list[str]:
    """Check that guests and outsiders read no amounts, notes or SSH commands.

    Their private messages and modals are checked.
    """
    found = []
    for name in (GUEST, OUTSIDER):
        texts = [f"{m.text}\n{m.reads}" for m in evidence.private(name)]
        texts += [text for who, text in evidence.modals if who == name]
        for text in texts:
            rest = _HELP.sub("", text)
            if "$" in rest or NOTE in rest or _SSH.search(rest):
                found.append(f"{name} read {text[:120]!r}")
    return found


def money_of_others_is_for_approvers(evidence: Evidence) -> list[str]:
    """Check that only approvers and admins read amounts of other people's rentals in private.

    If an owner offers somebody a machine, this person may read what it costs, because they would pay for it.
    """
    found = []
    for name in evidence.people:
        if name in {*evidence.approvers, evidence.admin, GUEST, OUTSIDER}:
            continue
        for message in evidence.private(name):
            for line in re.split(r"\n|; ", message.text):
                found_id = _RENTAL.search(line)
                if _OFFER in line:
                    continue
                if found_id and name not in evidence.had.get(found_id[1], {name}) and "$" in line:
                    found.append(f"{name} read of {evidence.owners[found_id[1]]}'s money: {line[:80]!r}")
    return found


CHECKS = (
    ssh_commands_are_for_owners_and_teammates,
    strangers_read_nothing_in_private,
    money_of_others_is_for_approvers,
)

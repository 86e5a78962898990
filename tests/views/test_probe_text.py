"""Monitoring in the message that a machine is ready, `/gpu ssh` and `/gpu probe`."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from inline_snapshot import snapshot

from bot.model.attempt import SentScript
from bot.model.base import changed
from bot.model.job import MachineJobs
from bot.model.machine_use import Missed, SetupProgress, SetupState, UsageStatus, Use
from bot.model.summary import RentalDetails
from bot.policy.access.probe_script import install_lines, probe_line
from bot.policy.team.rules import Idle, ProbeKind, Rules
from bot.policy.use.probing import BY_HAND_AFTER
from handlers.ids import ScriptName
from handlers.messages import probe, ssh_lines
from handlers.phrases import blocks
from tests.slack_limits import problems_of_message, problems_of_view
from tests.views.screens import message, page, read
from tests.views.startup_script_stories import NOW, key, large, line, sent
from tests.views.stories import ANA, BEN, READY_EVENT, RULES, reading, request

PROBE_LINE = probe_line("ssh-ed25519 AAAAProbe")
READY_AT = READY_EVENT.at
UNSEEN = Use(status=UsageStatus.UNKNOWN, since=READY_AT, why=Missed.REFUSED)
"""A usage status after logins have been refused for as long as a startup script may take."""


def probed(*, answered: timedelta | None = None, **changes: Any) -> RentalDetails:
    """Return k7mq2, whose startup script contains the probe, two keys and the setup script torch.

    `answered` is the time between ready and the first successful probe run. None if there was none.
    """
    keys = (key(ANA, "you@desk"), key(BEN, "ben@desk", line(2)))
    answered_at = None if answered is None else READY_AT + answered
    return sent(
        *keys, setup="torch", probe=True, request=request(setup="torch"), probe_answered_at=answered_at, **changes
    )


def without_probe(details: RentalDetails) -> RentalDetails:
    """Return the rental as if it had been requested with `no-probe`."""
    rental = changed(details.rental, request=changed(details.rental.request, probe=False))
    script = changed(details.attempts[1].script or SentScript(version=2), probe=False)
    return changed(
        details, rental=rental, attempts=(details.attempts[0], changed(details.attempts[1], script=script))
    )


def words(details: RentalDetails, reader: str) -> str:
    """Return the sentences in the ready message about keys, the setup script and the probe."""
    keys, *_, small = ssh_lines.log_in_parts(
        details, reading(NOW, reader), ssh_lines.keys_fact(details, reading(NOW, reader))
    )[1:]
    texts = [keys.text, *(line for line in small.text.splitlines() if not line.startswith("Host key"))]
    return message(blocks.message("\n".join(texts)), NOW)


def test_the_ready_message_lists_monitoring_and_working_keys_after_the_first_probe() -> None:
    running = SetupProgress(state=SetupState.RUNNING)
    stories = (
        probed(use=changed(UNSEEN, why=None)),
        probed(answered=timedelta(minutes=2), setup_progress=running),
        probed(use=UNSEEN),
        probed(use=changed(UNSEEN, why=None), answered=timedelta(minutes=40)),
        without_probe(probed()),
        changed(probed(), runs_script=False),
    )
    assert page(*(words(details, ANA) for details in stories)) == snapshot("""\

Your key "you@laptop" works; your key "you@desk" and Ben's keys will work in about a minute.
The log of setup "torch" is /var/lib/gpubot/setup.log. If it is missing, the setup didn't run.
I check GPU load and SSH connections every 2 min. To see the scripts for that: /gpu probe

Your keys "you@laptop" and "you@desk", and Ben's keys work.
Setup "torch" is running. It logs to /var/lib/gpubot/setup.log.
I check GPU load and SSH connections every 2 min. This machine lacks the script that runs
      /root/on-ending.sh before the end. To see the missing script: /gpu probe

Your key "you@laptop" works; your key "you@desk" and Ben's keys don't work, because the startup
      script didn't run.
The setup script "torch" wasn't started on this machine.

Your key "you@laptop" works; your key "you@desk" and Ben's keys might not work.
The log of setup "torch" is /var/lib/gpubot/setup.log. If it is missing, the setup didn't run.
I check GPU load and SSH connections every 2 min. This machine lacks the script that runs
      /root/on-ending.sh before the end. To see the missing script: /gpu probe

Your key "you@laptop" works; your key "you@desk" and Ben's keys will work if the vendor runs the
      startup script.
The log of setup "torch" is /var/lib/gpubot/setup.log. If it is missing, the setup didn't run.

Your key "you@laptop" works; your key "you@desk" and Ben's keys will work if the vendor runs the
      startup script.
The log of setup "torch" is /var/lib/gpubot/setup.log. If it is missing, the setup didn't run.
""")


def test_the_ready_message_names_the_jobs_if_the_machine_reports_them() -> None:
    details = probed(answered=timedelta(minutes=2), jobs=MachineJobs())
    assert "I check GPU load, SSH connections and jobs every 2 min." in words(details, ANA)


def test_a_teammate_reads_when_their_key_works_and_what_is_monitored() -> None:
    stories = (probed(), probed(answered=timedelta(minutes=2)), probed(use=UNSEEN))
    assert page(*(words(details, BEN) for details in stories)) == snapshot("""\

Your key "ben@desk" will work in about a minute.
The log of setup "torch" is /var/lib/gpubot/setup.log. If it is missing, the setup didn't run.
I check GPU load and SSH connections every 2 min. To see the scripts for that: /gpu probe

Your key "ben@desk" works.
The log of setup "torch" is /var/lib/gpubot/setup.log. If it is missing, the setup didn't run.
I check GPU load and SSH connections every 2 min. This machine lacks the script that runs
      /root/on-ending.sh before the end. To see the missing script: /gpu probe

Your key "ben@desk" doesn't work, because the startup script didn't run. Ana can add it with /gpu
      share k7mq2.
The setup script "torch" wasn't started on this machine.
""")


def test_only_the_owner_gets_the_lines_that_install_a_missing_probe() -> None:
    late = READY_AT + BY_HAND_AFTER
    details = probed(use=UNSEEN)
    refused = changed(
        details,
        attempts=(details.attempts[0], changed(details.attempts[1], script=SentScript(version=2, refused=True))),
    )

    def shown(details: RentalDetails, now: datetime, reader: str = ANA, rules: Rules = RULES) -> str:
        rendered = ssh_lines.ssh(details, reader=reading(now, reader, rules=rules), probe_line=PROBE_LINE)
        assert problems_of_message(rendered.text, rendered.blocks) == []
        texts = [block["text"] for block in rendered.blocks if "text" in block]
        texts += [part for block in rendered.blocks if block["type"] == "context" for part in block["elements"]]
        return read("\n".join(text["text"] for text in texts), now)

    lines = f"```{install_lines(PROBE_LINE)}```"
    assert lines in shown(details, late)
    assert lines in shown(refused, READY_AT)
    assert lines not in shown(details, late - timedelta(seconds=1))
    awaited = shown(probed(), late)
    assert lines not in awaited, "no visit has said yet that it is not installed"
    assert "I check GPU load" in awaited
    assert lines not in shown(details, late, BEN)
    assert lines not in shown(details, late, rules=changed(RULES, idle=Idle(probe=ProbeKind.NONE)))
    pasted = probe.looks_now(details.rental)
    assert pasted.text == "I'll check within a minute. After that, /gpu ssh k7mq2 shows whether it worked."
    seen = shown(probed(answered=timedelta(minutes=40)), late)
    assert lines not in seen
    assert "I check GPU load" in seen
    removed = shown(probed(use=UNSEEN, answered=timedelta(minutes=2)), late)
    assert lines in removed
    assert "The machine refuses my key now, so I can't monitor it." in removed
    assert "I check GPU load and SSH connections every" not in removed
    assert lines not in shown(without_probe(probed(use=UNSEEN)), late)
    for why in (Missed.NO_ANSWER, Missed.HOST_KEY_CHANGED):
        assert lines not in shown(probed(use=changed(UNSEEN, why=why)), late), "they would not help"
    large_keys = sent(*map(large, range(4)), probe=True, use=UNSEEN)
    assert lines in shown(large_keys, late)


def test_the_probe_command_has_a_button_for_each_script() -> None:
    rendered = probe.probe(RULES)
    assert problems_of_message(rendered.text, rendered.blocks) == []
    assert message(rendered, NOW) == snapshot("""\
I log in to each machine every few minutes to check GPU load, GPU health, SSH connections and jobs,
      and to tell it when it will end. Before that, the machine runs its owner's /root/on-ending.sh,
      if there is one. My key can run only /usr/local/sbin/gpubot-probe, which runs gpubot-ending,
      gpubot-health and gpubot-jobs. People use gpubot-run to start jobs that I can see. /gpu get
      H100 no-probe leaves out all of these scripts.
[gpubot-probe] [gpubot-ending] [gpubot-run] [gpubot-jobs] [gpubot-health]\
""")
    off = probe.probe(changed(RULES, idle=Idle(probe=ProbeKind.NONE)))
    assert message(off, NOW) == snapshot(
        "Your team's rules switch monitoring off, so I don't check whether machines are used."
    )


@pytest.mark.parametrize("name", ScriptName)
def test_a_script_is_shown_in_full_within_slacks_limits(name: ScriptName) -> None:
    path, script = probe.SCRIPTS[name]
    view = probe.script_dialog(name).view
    assert problems_of_view(view) == []
    texts = [read(block["text"]["text"], NOW) for block in view["blocks"] if block["type"] == "section"]
    assert "".join(text.removeprefix("```").removesuffix("```") for text in texts) == script
    assert path.endswith(f"/gpubot-{name}")

"""Messages about monitoring, and about the probe, the script that reads how a machine is used."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from bot.model.rental import Rental
from bot.model.summary import RentalDetails
from bot.model.text import span
from bot.policy.access.health_script import HEALTH_PATH, HEALTH_SCRIPT
from bot.policy.access.jobs_script import GPUBOT_JOBS_SCRIPT, JOBS_PATH
from bot.policy.access.probe_script import (
    ENDING_PATH,
    ENDING_SCRIPT,
    INSTALLED_PROBE_SCRIPT,
    SCRIPT_PATH,
    install_lines,
)
from bot.policy.access.run_script import GPUBOT_RUN_SCRIPT, RUN_PATH
from bot.policy.team.rules import ProbeKind, Rules
from bot.policy.use.jobs import shows_jobs
from bot.policy.use.probe_times import PROBE_EVERY
from bot.policy.use.probing import awaits_probe, has_probe, is_refused, owner_must_install
from handlers.ids import NO_VALUE, Action, Callback, ScriptName, ScriptValue
from handlers.phrases import blocks
from handlers.phrases.blocks import Modal, Rendered, button
from handlers.phrases.ends import PATH
from handlers.phrases.format import Reader, literal

_SEES = "GPU load and SSH connections"


SCRIPTS: Mapping[ScriptName, tuple[str, str]] = MappingProxyType(
    {
        ScriptName.PROBE: (SCRIPT_PATH, INSTALLED_PROBE_SCRIPT),
        ScriptName.ENDING: (ENDING_PATH, ENDING_SCRIPT),
        ScriptName.RUN: (RUN_PATH, GPUBOT_RUN_SCRIPT),
        ScriptName.JOBS: (JOBS_PATH, GPUBOT_JOBS_SCRIPT),
        ScriptName.HEALTH: (HEALTH_PATH, HEALTH_SCRIPT),
    }
)
"""The path on a machine and the text of each script that the bot installs there."""


def probe(rules: Rules) -> Rendered:
    """Render the answer to `/gpu probe`.

    The answer says what the bot checks on machines and what the bot sends to machines. For this, the bot installs
    scripts on machines. The answer has a button for each script, which opens the script's text.
    """
    if rules.idle.probe is ProbeKind.NONE:
        return blocks.message(
            "Your team's rules switch monitoring off, so I don't check whether machines are used."
        )
    text = (
        "I log in to each machine every few minutes to check GPU load, GPU health, SSH connections and jobs, and "
        f"to tell it when it will end. Before that, the machine runs its owner's {PATH}, if there is one. My key "
        f"can run only {SCRIPT_PATH}, which runs gpubot-ending, gpubot-health and gpubot-jobs. People use "
        "gpubot-run to start jobs that I can see. /gpu get H100 no-probe leaves out all of these scripts."
    )
    buttons = [
        button(_program(path), Action.SHOW_SCRIPT, ScriptValue(script=name)) for name, (path, _) in SCRIPTS.items()
    ]
    return blocks.with_buttons(text, *buttons)


def script_dialog(name: ScriptName) -> Modal:
    """Render the dialog that shows one of the scripts that the bot installs on machines.

    The size of the startup script is limited. Therefore machines get the script without comments and indentation.
    """
    path, text = SCRIPTS[name]
    return blocks.modal(
        Callback.NOTICE,
        _program(path),
        blocks.context(f"{path}. Machines get it without comments and indentation."),
        *(blocks.section(code_block(part)) for part in _parts(text)),
        submit=None,
        close="Close",
        value=NO_VALUE,
    )


def _program(path: str) -> str:
    return path.rsplit("/", 1)[-1]


def _parts(text: str) -> list[str]:
    """Split a script between lines, so that each part is short enough for a paragraph."""
    parts = [""]
    for line in text.splitlines(keepends=True):
        if len(code_block(parts[-1] + line)) > blocks.SECTION_TEXT:
            parts.append("")
        parts[-1] += line
    return parts


def monitored(details: RentalDetails, rules: Rules) -> str:
    """Return a sentence saying what the bot monitors on a ready machine.

    If the machine can't run a script `/root/on-ending.sh` before it ends, the sentence says so. Empty if the
    machine has no probe, or if its probe doesn't respond.
    """
    rental, attempt = details.rental, details.current
    if attempt is None or not has_probe(rental, attempt, rules):
        return ""
    if is_refused(rental) or (rental.probe_answered_at is None and not awaited(details, rules)):
        return ""
    sees = "GPU load, SSH connections and jobs" if shows_jobs(rental, details.attempts, rules) else _SEES
    sees = f"I check {sees} every {span(PROBE_EVERY[rental.request.contract])}"
    if rental.probe_answered_at is not None and rental.on_ending is None:
        lacks = f"This machine lacks the script that runs {PATH} before the end"
        return f"{sees}. {lacks}. To see the missing script: /gpu probe"
    return f"{sees}. To see the scripts for that: /gpu probe"


def awaited(details: RentalDetails, rules: Rules) -> bool:
    """Return whether the probe on a ready machine is still expected to start by itself.

    The probe is the script that reports how the machine is used.
    """
    rental, attempt = details.rental, details.current
    if attempt is None or not has_probe(rental, attempt, rules):
        return False
    return details.runs_script and awaits_probe(rental, attempt)


def by_hand(details: RentalDetails, reader: Reader, probe_line: str) -> list[str]:
    """Return a paragraph with the shell lines that install the probe, for the owner of a ready machine.

    The probe is the script that reports how the machine is used. Empty if the probe is installed or is still
    expected to start by itself. Also empty for readers other than the owner.
    """
    attempt = details.current
    if not probe_line or attempt is None or reader.id != details.rental.owner:
        return []
    rules = reader.rules
    if awaited(details, rules) or not owner_must_install(details.rental, attempt, rules, reader.now):
        return []
    removed = details.rental.probe_answered_at is not None
    why = "The machine refuses my key now" if removed else "The startup script didn't run"
    without = "" if removed else f" The machine still won't run a script at {PATH} before it ends."
    lead = f"{why}, so I can't monitor it. To let me check {_SEES}, paste this on the machine.{without}"
    return [f"{lead}\n{code_block(install_lines(probe_line))}"]


def looks_now(rental: Rental) -> Rendered:
    """Render the reply to a click on [I pasted it]."""
    return blocks.message(f"I'll check within a minute. After that, /gpu ssh {rental.id} shows whether it worked.")


def code_block(text: str) -> str:
    """Return a text as a code block. The text must come from the bot itself, and contain no backticks."""
    return f"```{literal(text)}```"

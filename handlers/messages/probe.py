"""Messages about monitoring, and about the probe, the script that reads how a machine is used."""

from __future__ import annotations

from bot.model.rental import Rental
from bot.model.summary import RentalDetails
from bot.model.text import span
from bot.policy.access.probe_script import ENDING_PATH, ENDING_SCRIPT, PROBE_SCRIPT, SCRIPT_PATH, install_lines
from bot.policy.team.rules import ProbeKind, Rules
from bot.policy.use.probe_times import PROBE_EVERY
from bot.policy.use.probing import awaits_probe, has_probe, is_refused, owner_must_install
from handlers.phrases import blocks
from handlers.phrases.blocks import Rendered
from handlers.phrases.ends import PATH
from handlers.phrases.format import Reader, literal

_SEES = "GPU load and SSH connections"


def probe(rules: Rules) -> Rendered:
    """Render the answer to `/gpu probe`.

    The answer says what the bot checks on machines and what the bot sends to machines. It also shows the two
    scripts that the bot installs on each machine for this.
    """
    if rules.idle.probe is ProbeKind.NONE:
        return blocks.message(
            "Your team's rules switch monitoring off, so I don't check whether machines are used."
        )
    text = (
        f"I log in to each machine every few minutes to check {_SEES}, and to tell it when it will end. "
        f"Before that, the machine runs its owner's {PATH}, if there is one. My key can run only the first of "
        f"these scripts, {SCRIPT_PATH}, which runs the second, {ENDING_PATH}. /gpu get H100 no-probe "
        "leaves both out."
    )
    parts = [text, *map(code_block, (PROBE_SCRIPT, ENDING_SCRIPT))]
    return blocks.of_parts(*map(blocks.paragraph, parts), closed=True)


def monitored(details: RentalDetails, rules: Rules) -> str:
    """Return a sentence saying what the bot monitors on a ready machine, and whether it runs an on-ending script.

    Empty if the machine has no probe, or if its probe doesn't respond.
    """
    rental, attempt = details.rental, details.current
    if attempt is None or not has_probe(rental, attempt, rules):
        return ""
    if is_refused(rental) or (rental.probe_answered_at is None and not awaited(details, rules)):
        return ""
    sees = f"I check {_SEES} every {span(PROBE_EVERY[rental.request.contract])}"
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

    The probe is the script that reports how the machine is used. The result is empty if the probe is installed or
    may still start by itself. It is also empty for readers other than the owner.
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

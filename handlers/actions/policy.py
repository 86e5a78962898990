"""`/gpu policy`: the team's rules, and reading them again."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import partial

from bot.errors import WrongPolicy
from bot.lifecycle.actions.account import reload_policy, show_policy
from bot.model.summary import PolicyView
from bot.model.text import listed, plural, span
from bot.policy.buying.budgets import channels_of_named_people
from bot.policy.team.rules import ProbeKind, Project, ReadyAnnouncement, Rules, WhenOver
from bot.policy.use.end_notices import LONG_LEASE, NOTICES, NOTICES_OF_LONG_LEASE
from handlers.actions.calling import on, shows
from handlers.ids import NO_VALUE, Action, NoValue
from handlers.listeners.context import Context
from handlers.listeners.interaction import Outcome, Reply, UserInteraction
from handlers.messages.replies import reply
from handlers.phrases import blocks
from handlers.phrases.blocks import Rendered, button
from handlers.phrases.error_text import mistakes_text
from handlers.phrases.format import (
    DAYS,
    Reader,
    asking_hours,
    channel,
    clock_text,
    escape,
    join,
    limit,
    limit_per_hour,
    mention_group,
    person,
)


async def reload(context: Context, interaction: UserInteraction, _: NoValue) -> Outcome:
    """Read the policy file again, and say what changed or what is wrong with it."""
    try:
        done = await reload_policy(context.deps, interaction.person)
    except WrongPolicy as wrong:
        return Reply(content=refused(wrong.lines), refused=True)
    return Reply(content=reloaded(done.keys))


MISTAKES_SHOWN = 10


@dataclass(frozen=True)
class Names:
    """How people, groups, channels and text from the file are written."""

    person: Callable[[str], str]
    group: Callable[[str], str]
    channel: Callable[[str], str]
    text: Callable[[str], str]

    def people(self, people: Sequence[str], groups: Sequence[str] = ()) -> str:
        """Return `Ana, Ben and the group ML`, or an empty text."""
        return listed([*map(self.person, people), *(f"the group {self.group(one)}" for one in groups)])

    def channels(self, channels: Sequence[str]) -> str:
        """Return `#gpus and #training`."""
        return listed([*map(self.channel, channels)])


ON_A_TERMINAL = Names(person=str, group=str, channel=str, text=escape)


def rules_in_words(rules: Rules, names: Names) -> list[tuple[str, list[str]]]:
    """Return the rules as lists of sentences, each with its title. Every key of the policy file changes them."""
    parts = [
        ("In short", _in_short(rules, names)),
        ("Who", _who(rules, names)),
        ("Approval", _approval(rules, names)),
        ("Money", _money(rules, names)),
        ("Renting", _renting(rules, names)),
        ("Asking whether a machine is needed", _asking(rules)),
        ("Keeping", _keeping(rules)),
        ("Projects", [_project(name, project, names) for name, project in rules.projects.items()]),
    ]
    found = [(title, [*filter(None, sentences)]) for title, sentences in parts]
    return [(title, sentences) for title, sentences in found if sentences]


def terminal_text(rules: Rules) -> str:
    """Return the rules as lines for a terminal."""
    lines = []
    for title, sentences in [*rules_in_words(rules, ON_A_TERMINAL), *_changed_channels(rules)]:
        lines += [title, *(f"  {sentence}" for sentence in sentences)]
    return html.unescape("\n".join(lines))


def _in_short(rules: Rules, names: Names) -> list[str]:
    """Return the five rules that people ask about.

    They say what people may rent on their own, who decides about the rest, for how long, how many machines, and
    for how much a month.
    """
    approvers, budgets, lease, limits = rules.approvers, rules.budgets, rules.lease, rules.limits
    named = names.people(approvers.people, approvers.groups)
    admins = names.people(rules.admins) or "those of GPUBOT_ADMINS"
    where = names.channel(rules.approvals_channel) if rules.approvals_channel else "the home channel"
    team = f"The team's budget is {limit(budgets.team)} a month." if budgets.team else "The team has no budget."
    person = f"Each person's is {limit(budgets.person)}." if budgets.person else "A person has none."
    over = "an approver decides" if budgets.over is WhenOver.APPROVER else "a rental is refused"
    return [
        f"Up to {_alone(rules.auto_approve.per_hour, rules.auto_approve.total)} people rent on their own.",
        f"Above that, an approver decides: {named}. Requests go to {where}. Admins: {admins}."
        if named
        else f"Above that, an admin decides: {admins}. Requests go to {where}.",
        f"A rental is for {span(lease.default)} if nobody says for how long, and for {span(lease.max)} at most.",
        f"Nobody can approve more than {plural(limits.per_rental_gpus, 'GPU')} in a rental, "
        f"{plural(limits.per_person_rentals, 'rental')} of one person at a time, "
        f"and {limit_per_hour(limits.team_per_hour)} of the team.",
        join(team, person, f"Over a budget {over}."),
    ]


def _changed_channels(rules: Rules) -> list[tuple[str, list[str]]]:
    """Return which channels no longer charge their project for everybody, as a list with its title."""
    found = [
        f"{one} now charges {project} only for its people and approvers. "
        "Others who ask there are charged to their own only project, or to none."
        for one, project in channels_of_named_people(rules).items()
    ]
    return [("Changed since earlier versions", found)] if found else []


def _who(rules: Rules, names: Names) -> list[str]:
    use = rules.use
    who = "Every member" if not use.groups else f"Members of {names.people((), use.groups)}, approvers and admins"
    guests = "guests too" if use.guests else "no guests"
    where = f"in {names.channels(use.channels)} and in direct messages" if use.channels else "in every channel"
    finance = names.people(rules.finance.people, rules.finance.groups)
    return [
        f"{who} may rent, {guests}, {where}.",
        f"Everybody's spend is also read by {finance}, who get each month's file." if finance else "",
        f"Up to {plural(rules.keys.per_person, 'SSH key')} for each person"
        f"{', also taken from GitHub' if rules.keys.github else ', none from GitHub'}.",
        f"The team's time zone is {rules.timezone}.",
    ]


def _approval(rules: Rules, names: Names) -> list[str]:
    approval = rules.approval
    then = names.people(
        [one for one in approval.then if not one.startswith("S")],
        [one for one in approval.then if one.startswith("S")],
    )
    quiet = names.people(rules.approvers.quiet)
    own = (
        "Approvers may approve their own requests."
        if rules.self_approval
        else "Nobody approves their own request."
    )
    return [
        f"Never mentioned or reminded: {quiet}." if quiet else "",
        own,
        f"A request expires after {span(approval.expires)}. Approvers are reminded after {span(approval.remind)}.",
        f"After {span(approval.then_after)}, {then} are asked too." if then else "",
        "Of these times only the hours of an approver count.",
    ]


def _alone(hourly: Decimal, total: Decimal) -> str:
    return f"{limit_per_hour(hourly)} and {limit(total)} in all"


def _money(rules: Rules, names: Names) -> list[str]:
    budgets = rules.budgets
    alerts = listed([percent(alert) for alert in budgets.alerts])
    digest = rules.digest
    return [
        f"People are told of a budget at {alerts}." if alerts else "",
        f"Months are those of {rules.billing.timezone}.",
        f"Files for finance name the account {names.text(rules.billing.account)}.",
        f"A day is reported as unusual from {limit(budgets.unusual_from)} on.",
        f"The home channel reads the week's spend on {DAYS[digest[0]]} at {clock_text(digest[1])}."
        if digest
        else "",
    ]


def _project(name: str, project: Project, names: Names) -> str:
    parts = [
        f"for {names.channels(project.channels)}" if project.channels else "for no channel",
        f"only for {names.people(project.people)} and approvers" if project.people else "named by everyone",
        f"{limit(project.budget)} a month" if project.budget else "without a budget",
        f"cost center {names.text(project.cost_center)}" if project.cost_center else "",
        f"alone up to {_alone(project.auto_approve.per_hour, project.auto_approve.total)}"
        if project.auto_approve
        else "",
    ]
    return f"{names.text(name)}: {', '.join(filter(None, parts))}."


def _renting(rules: Rules, names: Names) -> list[str]:
    procure, announce, waiting = rules.procure, rules.announce, rules.waiting
    broadcast = announce.ready is ReadyAnnouncement.THREAD_BROADCAST
    return [
        _notices(rules),
        f"A machine runs for at least {span(rules.lease.grace)} after its owner was told of the end.",
        f"I try up to {plural(procure.attempts, 'offer')}, each at most {percent(procure.dearer)} dearer than the "
        f"clicked one, and give a machine {span(procure.provision_timeout)} to get ready.",
        f"Ready is said {'in the channel' if broadcast else 'below the card only'}, "
        f"{'with' if announce.address_in_channel else 'without'} the address.",
        f"A person may wait for {plural(waiting.per_person, 'machine')} at the same time, each for "
        f"{span(waiting.longest)} at most. I look every {span(waiting.every)}.",
        f"Setup scripts: {listed(sorted(map(names.text, rules.setup)))}." if rules.setup else "",
    ]


def _notices(rules: Rules) -> str:
    notices = rules.lease.notices
    if notices is None:
        usual, long = _spans(NOTICES), _spans(NOTICES_OF_LONG_LEASE)
        return f"Its owner is told {usual} before the end; {long} if it is for {span(LONG_LEASE)} or more."
    return f"Its owner is told {_spans(notices)} before the end." if notices else "Its owner is told at the end."


def _spans(spans: Sequence[timedelta]) -> str:
    return listed([*map(span, spans)])


def _asking(rules: Rules) -> list[str]:
    idle = rules.idle
    after = rules.check_in.after
    asked = "at any time" if rules.hours.always else f"on {asking_hours(rules.hours)} in their own zone"
    unseen = f"after {span(after)} without a sign of use" if after else "never"
    lines = [
        f"People are asked {asked}.",
        f"If I can't see into a machine, its owner is asked {unseen}.",
    ]
    if idle.probe is ProbeKind.NONE:
        lines.append("I don't look whether machines are used.")
    card = f"its card says so after {span(idle.channel_after)}" if idle.channel_after else "its card says nothing"
    again = f"; again after {_spans(idle.again)}" if idle.again else ""
    return [
        *lines,
        f"A machine is idle after {span(idle.after)} without use, {span(idle.never_used)} if it was never used. "
        f"A GPU is used from {percent(idle.gpu_below)} on.",
        f"Its owner is asked once {limit(idle.ask_from)} was idle, or after {span(idle.connected)} if somebody is "
        f"connected{again}.",
        f"From {limit_per_hour(idle.urgent_per_hour)} on the first question doesn't wait for the owner's hours.",
        f"If nobody answers, {card}, and the approvers read it after {span(idle.approvers_after)}.",
        "Nothing is ever destroyed because it looked idle.",
    ]


def _keeping(rules: Rules) -> list[str]:
    kept = rules.retention
    return [
        f"I forget messages that nothing changes any more after {span(kept.messages)}, searches without a rental "
        f"after {span(kept.quotes)}, and names and SSH keys of people who left after {span(kept.people)}.",
        "I keep the history and the cost of each rental.",
    ]


def percent(share: Decimal) -> str:
    """Return `80 %`, with every digit."""
    return f"{(share * 100).normalize():f} %"


# --- the answers to /gpu policy


def shown(view: PolicyView, reader: Reader) -> Rendered:
    """Return the rules in words, since when they are in force, and for admins the button that reads them again."""
    names = Names(
        person=partial(person, view.names), group=mention_group, channel=channel, text=partial(escape, limit=80)
    )
    parts = rules_in_words(reader.rules, names)
    by = f", by {person(view.names, view.by)}" if view.by else ""
    since = f"In force since {reader.times.time(view.since)}{by}." if view.since else ""
    wrong = ""
    if view.wrong:
        first = "The policy file has mistakes, so these rules stay."
        wrong = mistakes_text(first, view.wrong[:MISTAKES_SHOWN], len(view.wrong))
    texts = ["\n".join([title, *sentences]) for title, sentences in parts]
    again = button("Read the file again", Action.RELOAD_POLICY, NO_VALUE) if view.may_reload else None
    return blocks.message(
        "\n".join(filter(None, [wrong, *texts, since])),
        blocks.section(wrong) if wrong else None,
        *(blocks.section(f"*{title}*\n" + "\n".join(sentences)) for title, sentences in parts),
        blocks.context(since),
        blocks.actions(again),
        closed=again is None,
    )


def reloaded(keys: Sequence[str]) -> Rendered:
    """Return what reading the file again changed."""
    if not keys:
        return reply("I read the policy file again. Nothing changed.")
    return reply(
        f"I read the policy file again. Changed: {escape(', '.join(keys), 500)}. /gpu policy shows all rules."
    )


def refused(lines: Sequence[str]) -> Rendered:
    """Return why a file that was read again changed nothing."""
    words = mistakes_text(
        "The policy file has mistakes, so nothing was changed.", lines[:MISTAKES_SHOWN], len(lines)
    )
    return reply(words, button("Read the file again", Action.RELOAD_POLICY, NO_VALUE))


show = shows(show_policy, shown)

ON = (on(Action.RELOAD_POLICY, reload),)

"""Explains the team's rules in sentences, and reloads the policy file: `/gpu policy`."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import partial

from bot.errors import WrongPolicy
from bot.lifecycle.actions.account import reload_policy, show_policy
from bot.lifecycle.deps import with_newest_rules
from bot.model.summary import PolicyView
from bot.model.text import listed, plural, span
from bot.model.webhook import WebhookEvent
from bot.policy.buying.budgets import channels_of_named_people
from bot.policy.buying.spending import unknown_models
from bot.policy.team.rules import (
    Agent,
    ProbeKind,
    Project,
    ReadyAnnouncement,
    Rules,
    Webhook,
    WhenFailed,
    WhenOver,
)
from bot.policy.use.end_notices import LONG_LEASE, NOTICES, NOTICES_OF_LONG_LEASE
from handlers.actions.calling import on, shows
from handlers.ids import NO_VALUE, Action, NoValue
from handlers.listeners.context import Context
from handlers.listeners.interaction import Outcome, Reply, UserInteraction
from handlers.messages.replies import reply
from handlers.phrases import blocks
from handlers.phrases.blocks import Rendered, button
from handlers.phrases.budget_text import always_asked
from handlers.phrases.ends import PATH
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
    sentence,
)


async def reload(context: Context, interaction: UserInteraction, _: NoValue) -> Outcome:
    """Reload the policy file, and reply with the rules that have changed.

    The reply also names the GPUs in the file that the market doesn't sell. If the file contains mistakes, reply
    with the mistakes instead.
    """
    try:
        done = await reload_policy(context.deps, interaction.person)
    except WrongPolicy as wrong:
        return Reply(content=refused(wrong.lines), refused=True)
    rules, catalog = with_newest_rules(context.deps).rules, context.catalog()
    return Reply(content=reloaded(done.keys, unknown_models(rules, catalog) if catalog is not None else ()))


MISTAKES_SHOWN = 10


@dataclass(frozen=True)
class Names:
    """The functions that format people, groups, channels and text from the policy file."""

    person: Callable[[str], str]
    group: Callable[[str], str]
    channel: Callable[[str], str]
    text: Callable[[str], str]

    def people(self, people: Sequence[str], groups: Sequence[str] = ()) -> str:
        """Return people and groups as a text such as `Ana, Ben and the group ML`. Empty if there are none."""
        return listed([*map(self.person, people), *(f"the group {self.group(one)}" for one in groups)])

    def channels(self, channels: Sequence[str]) -> str:
        """Return the names of channels as a text such as `#gpus and #training`."""
        return listed([*map(self.channel, channels)])


ON_A_TERMINAL = Names(person=str, group=str, channel=str, text=escape)


def rules_in_words(rules: Rules, names: Names) -> list[tuple[str, list[str]]]:
    """Return the rules as lists of sentences. Each list has a title.

    The sentences cover every key of the policy file.
    """
    parts = [
        ("In short", _in_short(rules, names)),
        ("Who", _who(rules, names)),
        ("Approval", _approval(rules, names)),
        ("Money", _money(rules, names)),
        ("Renting", _renting(rules, names)),
        ("Asking whether a machine is needed", _asking(rules)),
        ("What is kept", _keeping(rules)),
        ("Webhooks", [_webhook(webhook, names) for webhook in rules.webhooks]),
        ("Projects", [_project(name, project, names) for name, project in rules.projects.items()]),
        ("Apps in Slack", [_agent(app_id, agent, names) for app_id, agent in rules.agents.items()]),
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
    """Return the rules that people ask about most.

    - The amount that people can rent without approval, and the GPUs that always need approval.
    - The people who approve larger amounts.
    - The length of a rental.
    - The maximum number of machines.
    - The monthly budgets.
    """
    approvers, budgets, lease, limits = rules.approvers, rules.budgets, rules.lease, rules.limits
    named = names.people(approvers.people, approvers.groups)
    admins = names.people(rules.admins) or "those of GPUBOT_ADMINS"
    where = names.channel(rules.approvals_channel) if rules.approvals_channel else "the home channel"
    team = f"a budget of {limit(budgets.team)} a month" if budgets.team else "no budget"
    person = f"a budget of {limit(budgets.person)} a month" if budgets.person else "none"
    over = "needs approval" if budgets.over is WhenOver.APPROVER else "is refused"
    return [
        f"People can rent on their own up to {_alone(rules.auto_approve.per_hour, rules.auto_approve.total)}.",
        _always(rules),
        f"Anything above that needs approval. Approvers: {named}. Admins: {admins}. Requests go to {where}."
        if named
        else f"Anything above that needs an admin's approval. Admins: {admins}. Requests go to {where}.",
        f"A rental lasts {span(lease.default)} if nobody names a length, and {span(lease.max)} at most.",
        f"Nobody can approve more than {plural(limits.per_rental_gpus, 'GPU')} per rental, "
        f"{plural(limits.per_person_rentals, 'rental')} per person at a time, "
        f"or {limit_per_hour(limits.team_per_hour)} for the whole team.",
        f"The team has {team}, and each person has {person}. A rental that would exceed a budget {over}.",
    ]


def _always(rules: Rules) -> str:
    always = always_asked(rules)
    longer = "More time for a running machine doesn't, up to the limits above."
    return join(sentence(f"{always} always need approval, whatever they cost"), longer) if always else ""


def _changed_channels(rules: Rules) -> list[tuple[str, list[str]]]:
    """Return a title and sentences about a changed rule for charging projects. Empty if no channel is affected.

    Earlier versions of the bot charged a channel's project for all requests in the channel. Now, if the rules list
    the people of a project, the project is charged only for requests of these people and of approvers.
    """
    found = [
        f"{one} now charges {project} only for its people and approvers. "
        "If others ask there, their own project is charged if exactly one names them, and otherwise none."
        for one, project in channels_of_named_people(rules).items()
    ]
    return [("Changed since earlier versions", found)] if found else []


def _who(rules: Rules, names: Names) -> list[str]:
    use = rules.use
    who = "Every member" if not use.groups else f"Members of {names.people((), use.groups)}, approvers and admins"
    guests = ", guests included," if use.guests else " (but no guests)"
    where = f"in {names.channels(use.channels)} and in direct messages" if use.channels else "in every channel"
    finance = names.people(rules.finance.people, rules.finance.groups)
    return [
        f"{who}{guests} can rent {where}.",
        f"Everyone's spending can also be read by {finance}, who get each month's file." if finance else "",
        f"Each person can save up to {plural(rules.keys.per_person, 'SSH key')}"
        f"{', also from GitHub' if rules.keys.github else ', but not from GitHub'}.",
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
        "Approvers can approve their own requests."
        if rules.self_approval
        else "Nobody can approve their own request."
    )
    return [
        f"I never mention or remind {quiet}." if quiet else "",
        own,
        f"A request expires after {span(approval.expires)}. Approvers are reminded after {span(approval.remind)}.",
        f"After {span(approval.then_after)}, I also ask {then}." if then else "",
        "For these times, only hours in which at least one approver can be asked count.",
    ]


def _alone(hourly: Decimal, total: Decimal) -> str:
    return f"{limit_per_hour(hourly)} and {limit(total)} per rental"


def _money(rules: Rules, names: Names) -> list[str]:
    budgets = rules.budgets
    alerts = listed([percent(alert) for alert in budgets.alerts])
    digest = rules.digest
    return [
        f"People are notified when a budget reaches {alerts}." if alerts else "",
        f"Months begin and end in the time zone {rules.billing.timezone}.",
        f"Files for finance name the account {names.text(rules.billing.account)}.",
        f"A day is reported as unusually expensive only if it costs {limit(budgets.unusual_from)} or more.",
        f"The week's spending is posted in the home channel on {DAYS[digest[0]]} at {clock_text(digest[1])}."
        if digest
        else "",
    ]


def _project(name: str, project: Project, names: Names) -> str:
    alone, channels = project.auto_approve, names.channels(project.channels)
    requests = f"requests in {channels} and for those that name it" if channels else "requests that name it"
    only = f", but only those of {names.people(project.people)} and approvers" if project.people else ""
    return join(
        f"{names.text(name)} is charged for {requests}{only}.",
        f"It has a budget of {limit(project.budget)} a month." if project.budget else "It has no budget.",
        f"Its cost center is {names.text(project.cost_center)}." if project.cost_center else "",
        f"People can rent for it on their own up to {_alone(alone.per_hour, alone.total)}." if alone else "",
    )


def _agent(app_id: str, agent: Agent, names: Names) -> str:
    rent = f"can ask for machines by mentioning me, with {names.people((agent.owner,))}'s token"
    return f"{names.text(app_id)} {rent} {names.text(agent.token)} and within its terms."


def _webhook(webhook: Webhook, names: Names) -> str:
    events = "all events" if set(webhook.events) == set(WebhookEvent) else listed(sorted(set(webhook.events)))
    where = ", and may be in a private network" if webhook.private else ""
    return f"{names.text(webhook.host)} receives {events} of rentals{where}."


def _renting(rules: Rules, names: Names) -> list[str]:
    procure, announce, waiting = rules.procure, rules.announce, rules.waiting
    broadcast = announce.ready is ReadyAnnouncement.THREAD_BROADCAST
    return [
        _notices(rules),
        _failed_script(rules),
        f"A machine keeps running for at least {span(rules.lease.grace)} after its owner was notified of its end.",
        f"I try up to {plural(procure.attempts, 'offer')}, each at most {percent(procure.dearer)} more expensive "
        f"than the clicked one, and give each machine {span(procure.provision_timeout)} to get ready.",
        f"When a machine is ready, I say so {'in the channel' if broadcast else 'only in the thread'}, "
        f"{'with' if announce.address_in_channel else 'without'} its address.",
        f"A person can be on the waitlist for {plural(waiting.per_person, 'machine')} at a time, and for "
        f"{span(waiting.longest)} at most. I look for offers every {span(waiting.every)}.",
        f"A token, with which a program rents machines, can work for {span(rules.tokens.longest)} at most.",
        f"Setup scripts: {listed(sorted(map(names.text, rules.setup)))}." if rules.setup else "",
    ]


def _notices(rules: Rules) -> str:
    notices, longer = rules.lease.notices, ""
    if notices is None:
        notices = NOTICES
        longer = f"; for rentals of {span(LONG_LEASE)} or more, {_before(NOTICES_OF_LONG_LEASE)}"
    return f"The owner of a machine is notified {_before(notices) if notices else 'only at'} its end{longer}."


def _failed_script(rules: Rules) -> str:
    """Return a sentence about machines whose `/root/on-ending.sh` fails before their end.

    Empty if the rules switch the probe off, because the script then doesn't run before the end.
    """
    if rules.idle.probe is ProbeKind.NONE:
        return ""
    failed = f"If a machine's {PATH} fails before the end"
    if rules.on_ending.failed is WhenFailed.KEEP:
        morning = "the next morning, in its owner's time zone"
        until = morning if rules.hours.always else "its owner's next hours begin"
        return f"{failed}, the machine keeps running until {until}."
    return f"{failed}, the machine still ends, unless its request said keep-if-failed."


def _before(notices: Sequence[timedelta]) -> str:
    """Return the times of the notices before a rental ends: `2 h before and again 30 min before`."""
    return " and again ".join(f"{span(notice)} before" for notice in notices)


def _asking(rules: Rules) -> list[str]:
    idle = rules.idle
    after = rules.check_in.after
    asked = "at any time"
    if not rules.hours.always:
        asked = f"only in these hours: {asking_hours(rules.hours)}, in their own time zone"
    unseen = f"is asked after {span(after)} without a sign of use" if after else "is never asked"
    lines = [
        f"People are asked {asked}.",
        f"If I can't monitor a machine, its owner {unseen}.",
    ]
    if idle.probe is ProbeKind.NONE:
        lines.append("I don't monitor how machines are used.")
    channel_after = idle.channel_after
    card = (
        f"the machine's card says so after {span(channel_after)}"
        if channel_after
        else "the machine's card doesn't say so"
    )
    again = f", and again after {listed([*map(span, idle.again)])}" if idle.again else ""
    return [
        *lines,
        f"A machine is idle after {span(idle.after)} without use, or {span(idle.never_used)} if it was never "
        f"used. A GPU is in use at a load of {percent(idle.gpu_below)} or more.",
        f"The owner is asked once {limit(idle.ask_from)} was spent on idle time, or after "
        f"{span(idle.connected)} if someone is connected{again}. While a job is running, the owner is asked only "
        f"after {span(idle.job_counts)} without work.",
        f"If a machine costs {limit_per_hour(idle.urgent_per_hour)} or more, the first question doesn't wait "
        "for the owner's hours.",
        f"If nobody answers, {card}, and approvers are notified after {span(idle.approvers_after)}.",
        "Machines are never destroyed just because they're idle.",
    ]


def _keeping(rules: Rules) -> list[str]:
    kept = rules.retention
    return [
        f"I delete messages that no longer change after {span(kept.messages)}, searches without a rental after "
        f"{span(kept.quotes)}, and the names and SSH keys of people who left after {span(kept.people)}.",
        "I keep the history and the cost of every rental.",
    ]


def percent(share: Decimal) -> str:
    """Return a share such as 0.8 as an exact percentage: `80%`."""
    return f"{(share * 100).normalize():f}%"


# --- answers to /gpu policy


def shown(view: PolicyView, reader: Reader) -> Rendered:
    """Return the rules in sentences, with the time at which they came into force.

    Admins also get a button that reloads the policy file.
    """
    names = Names(
        person=partial(person, view.names), group=mention_group, channel=channel, text=partial(escape, limit=80)
    )
    parts = rules_in_words(reader.rules, names)
    by = f", by {person(view.names, view.by)}" if view.by else ""
    since = f"These rules have been in force since {reader.times.time(view.since)}{by}." if view.since else ""
    wrong = ""
    if view.wrong:
        first = "The policy file has mistakes, so these rules stay in force."
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


def reloaded(keys: Sequence[str], unknown: Sequence[str] = ()) -> Rendered:
    """Return the reply after the policy file was read again. It lists the changes in the rules.

    `unknown` are the GPUs in `approval.always` that the market doesn't sell.
    """
    changed = "Nothing has changed."
    if keys:
        changed = f"Changed: {escape(', '.join(keys), 500)}. /gpu policy shows all rules."
    names = f"approval.always names GPUs that Compute Clear doesn't sell: {escape(', '.join(unknown), 500)}."
    return reply(join(f"I read the policy file again. {changed}", names if unknown else ""))


def refused(lines: Sequence[str]) -> Rendered:
    """Return the reply that lists the mistakes in the policy file, and says that the old rules stay in force."""
    text = mistakes_text(
        "The policy file has mistakes, so nothing was changed.", lines[:MISTAKES_SHOWN], len(lines)
    )
    return reply(text, button("Read the file again", Action.RELOAD_POLICY, NO_VALUE))


show = shows(show_policy, shown)

ON = (on(Action.RELOAD_POLICY, reload),)

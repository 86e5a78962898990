"""Reads the policy file, stores its rules as a new version, and applies them. A file with mistakes is ignored."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import structlog

from bot.errors import StoreBusy, WrongPolicy
from bot.lifecycle.changes.send import send, send_of_account
from bot.lifecycle.deps import Deps, RulesInForce, transact, with_newest_rules
from bot.lifecycle.loops.running import keep_running
from bot.lifecycle.money.budgets import count_again
from bot.model.account_facts import CHANNELS_CHARGE_LESS, POLICY_REFUSED
from bot.model.base import changed
from bot.model.event import Event, EventKind
from bot.model.facts import AccountFacts
from bot.model.records import PolicyVersion
from bot.policy.buying.budgets import channels_of_named_people
from bot.policy.team.policy_file import Policy, PolicySource
from bot.policy.team.rules import Rules
from store.db import Database, Tx, Written

log = structlog.get_logger("gpubot")

MISTAKES_SENT = 5
"""The maximum number of mistakes in the policy file that are listed in the alert to the admins."""


@dataclass(frozen=True)
class Reload:
    """The result of reading the policy file: the version in force, and the policy keys with new values."""

    version: PolicyVersion
    """The version that is in force now."""
    keys: tuple[str, ...]
    """The policy keys whose values have changed, such as `lease.max`."""


async def rules_at_start(store: Database, source: PolicySource) -> RulesInForce:
    """Return the rules with which the process starts, without storing anything.

    Usually, these are the rules of the policy file. The store's rules are used instead if the file has mistakes,
    or if other processes are already running with the store's rules.

    Raises WrongPolicy if the file has mistakes and the store has no rules that this release of gpubot understands.
    """
    wrong: WrongPolicy | None = None
    try:
        policy = await asyncio.to_thread(source.read)
    except WrongPolicy as error:
        wrong = error
    try:
        async with store.read() as tx:
            stored = await tx.policies.newest()
    except StoreBusy:
        stored = None
    rules = _rules_of(stored, source)
    if wrong is not None:
        if rules is None:
            raise wrong
        log.error("policy.refused", mistakes=list(wrong.lines))
        return RulesInForce(rules, source, stored, wrong.lines)
    if rules is None or not store.joined:
        return RulesInForce(policy.rules, source, stored if rules == policy.rules else None)
    if rules != policy.rules:
        log.warning("policy.file_differs", version=stored.n if stored is not None else None)
    return RulesInForce(rules, source, stored)


async def reload(deps: Deps, by: str | None = None) -> Reload:
    """Read the policy file, and bring its rules into force if they have changed.

    Changed rules are stored as the next version and used from now on. The admins are notified. Budgets are
    recalculated if the database had no rules before, or if the billing time zone has changed.

    Args:
        by: The person who requested the reload; they get no notification. None if a start or a SIGHUP caused it.

    Raises:
        WrongPolicy: The file has mistakes. The rules stay as they are. The admins are notified, but only once
            about the same mistakes.
        StoreBusy: The store doesn't accept writes. The rules stay as they are.
    """
    in_force = _in_force(deps)
    async with in_force.reading:
        try:
            policy = await asyncio.to_thread(in_force.source.read)
        except WrongPolicy as wrong:
            in_force.wrong = wrong.lines
            log.error("policy.refused", mistakes=list(wrong.lines))
            await transact(deps, _note_mistakes, deps, wrong, by)
            raise
        done = await transact(deps, _bring_into_force, deps, in_force, policy, by)
        in_force.rules, in_force.version, in_force.wrong = policy.rules, done.version, ()
    if done.keys:
        in_force.changed.set()
        log.info("policy.changed", version=done.version.n, by=by, keys=list(done.keys))
    return done


def _in_force(deps: Deps) -> RulesInForce:
    if deps.in_force is None:
        raise ValueError("these rules come from no file")
    return deps.in_force


async def _bring_into_force(tx: Tx, deps: Deps, in_force: RulesInForce, policy: Policy, by: str | None) -> Reload:
    await tx.account.set(POLICY_REFUSED, None)
    stored = await tx.policies.newest()
    await _note_channels(tx, deps, policy.rules, upgraded=stored is not None)
    before = _rules_of(stored, in_force.source)
    if stored is not None and before == policy.rules:
        return Reload(stored, ())
    keys = changed_keys(before or Rules(home_channel=policy.rules.home_channel), policy.rules)
    number = 1 if stored is None else stored.n + 1
    version = PolicyVersion(n=number, at=deps.clock.now(), by=by, file=policy.file)
    await tx.policies.add(version)
    if before is None or before.billing_zone != policy.rules.billing_zone:
        await count_again(tx, policy.rules, version.at)
    facts = AccountFacts(count=version.n, detail=", ".join(keys))
    event = Event(rental_id=None, kind=EventKind.POLICY_CHANGED, at=version.at, actor=by, facts=facts)
    if stored is None:
        await tx.events.add(event)  # These rules are in force already, so nobody is notified.
        return Reload(version, ())
    # People who were admins before this change of the policy are notified, too. Otherwise, an admin could be
    # removed without noticing.
    admins = tuple(dict.fromkeys((before or policy.rules).admins + policy.rules.admins))
    await send(tx, replace(deps, rules=changed(policy.rules, admins=admins)), event)
    if before is None or before.groups != policy.rules.groups:
        # The policy now names other Slack user groups. The stored data of people doesn't say whether they belong
        # to these groups, so delete it; it is then read from Slack again.
        await tx.people.forget()
    return Reload(version, keys)


async def _note_channels(tx: Tx, deps: Deps, rules: Rules, *, upgraded: bool) -> None:
    """Notify the admins once, after an upgrade, that fewer requests in some channels are charged to a project.

    Older versions of gpubot charged every request in a project's channel to the project. Now, if the project names
    its people, only requests by these people are charged to it.
    """
    if await tx.account.get(CHANNELS_CHARGE_LESS):
        return
    await tx.account.set(CHANNELS_CHARGE_LESS, True)
    channels = channels_of_named_people(rules)
    if upgraded and channels:
        log.warning("policy.channels_charge_less", channels=channels)
        facts = AccountFacts(detail="\n".join(f"{one} {project}" for one, project in channels.items()))
        await send_of_account(tx, replace(deps, rules=rules), EventKind.CHANNELS_CHARGE_LESS, facts)


async def _note_mistakes(tx: Tx, deps: Deps, wrong: WrongPolicy, by: str | None) -> None:
    all_lines = "\n".join(wrong.lines)
    if await tx.account.get(POLICY_REFUSED) == all_lines:
        return
    await tx.account.set(POLICY_REFUSED, all_lines)
    facts = AccountFacts(count=len(wrong.lines), detail="\n".join(wrong.lines[:MISTAKES_SENT]))
    await send_of_account(tx, deps, EventKind.POLICY_REFUSED, facts, by=by)


def _rules_of(version: PolicyVersion | None, source: PolicySource) -> Rules | None:
    """Return the rules in a stored version of the policy.

    None if no version is stored, or if this release of gpubot doesn't understand the rules.
    """
    if version is None:
        return None
    try:
        return source.rules_in(version.file)
    except WrongPolicy as wrong:
        log.warning("policy.stored_version_not_understood", version=version.n, mistakes=list(wrong.lines))
        return None


def changed_keys(before: Rules, after: Rules) -> tuple[str, ...]:
    """Return the policy keys that differ between two versions of the rules, such as `lease.max`."""
    values, others = (rules.model_dump(by_alias=True, exclude={"home_channel"}) for rules in (before, after))
    return tuple(_differences(values, others))


def _differences(before: Mapping[str, Any], after: Mapping[str, Any], above: str = "") -> Iterator[str]:
    for name in sorted({*before, *after}):
        one, other = before.get(name), after.get(name)
        if isinstance(one, dict) and isinstance(other, dict):
            yield from _differences(one, other, f"{above}{name}.")
        elif one != other:
            yield above + name


async def follow(
    deps: Deps,
    asked: asyncio.Event,
    then: Callable[[Deps], Awaitable[None]],
    *,
    joined: bool = False,
    look_again: float | None = None,
) -> None:
    """Keep the rules of this process up to date until cancelled.

    The policy file is read and brought into force now, and again each time `asked` is set. If another process
    brings new rules into force, this process uses them as well. Whenever the rules change, `then` is called. If
    the store doesn't accept writes, the policy file is read again later.

    Args:
        asked: Set when somebody requests that the file be read.
        then: Called after each change of the rules.
        joined: True if other processes were already running when this one started. In this case, the file isn't
            read at the start, because an outdated file on one machine would bring old rules back for all
            processes.
        look_again: The interval in wall-clock seconds at which the store's rules are read. None if only this
            process uses the database.
    """
    in_force, stored = _in_force(deps), asyncio.Event()
    deps.store.on_commit(stored.set, Written.POLICIES)
    if not joined or in_force.version is None:
        asked.set()

    async def read() -> None:
        await asked.wait()
        asked.clear()
        try:
            await reload(with_newest_rules(deps))
        except WrongPolicy:
            return  # The admins have been notified already.
        except BaseException:
            asked.set()
            raise

    async def read_stored() -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(look_again):
                await stored.wait()
        stored.clear()
        async with in_force.reading:
            await _take_stored(deps, in_force)

    async def note_change() -> None:
        await in_force.changed.wait()
        in_force.changed.clear()
        await then(with_newest_rules(deps))

    await asyncio.gather(
        keep_running("policy", read, deps.clock),
        keep_running("policy_stored", read_stored, deps.clock),
        keep_running("policy_changed", note_change, deps.clock),
    )


async def _take_stored(deps: Deps, in_force: RulesInForce) -> None:
    """Start to use the newest rules in the store if another process has brought them into force."""
    async with deps.store.read() as tx:
        newest = await tx.policies.newest()
    if newest is None or (in_force.version is not None and newest.n <= in_force.version.n):
        return
    rules = _rules_of(newest, in_force.source)
    if rules is None:
        return
    in_force.rules, in_force.version = rules, newest
    in_force.changed.set()
    log.info("policy.taken", version=newest.n)

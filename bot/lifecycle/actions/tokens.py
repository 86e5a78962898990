"""API tokens: owners make, change and stop them, and approvers decide about their terms.

`callers.py` finds the token with which a program asks for something.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from pydantic import SecretStr

from bot.errors import (
    AlreadyDecided,
    Decision,
    Mistake,
    NextStep,
    Refused,
    RequestChanged,
    TooLate,
    WrongTerm,
)
from bot.lifecycle.actions.action import Action, By, Direct
from bot.lifecycle.actions.ending import Destroy, ToDestroy, end_after_script
from bot.lifecycle.actions.logins import login_of_form, seal_for
from bot.lifecycle.changes.token_changes import add, ended, save, send_of_token, without_request
from bot.lifecycle.deps import Deps
from bot.lifecycle.money.token_use import rentals_of, use_of
from bot.lifecycle.people.back_to_approval import others_facts, pending_decision
from bot.lifecycle.people.deciders import Deciders, deciders, rules_now
from bot.lifecycle.people.teammates import names_of
from bot.model.base import EVER, changed
from bot.model.event import EventKind
from bot.model.login import Login
from bot.model.person import Person
from bot.model.rental import Rental
from bot.model.state import State
from bot.model.summary import Over, PeopleAsked
from bot.model.text import one_line
from bot.model.token import DecidedTerms, RequestedTerms, Token, TokenState, TokenSummary, TokenTerms
from bot.policy.access.token_secret import hash_of, new_secret
from bot.policy.buying.spending import CONFIRM_ABOVE, LONGEST_REASON, ONLY_APPROVERS, check_approver, may_approve
from bot.policy.team.roles import check_user, is_approver_or_admin, may_deny, may_destroy, sees_money
from bot.policy.team.rules import Rules
from bot.policy.team.token_terms import check_terms, clean_name, end_of, is_tighter, over_limits_of
from store.db import Tx

MOST_TOKENS = 20
"""The maximum number of tokens that a person can have at once."""


async def tell_crowded(tx: Tx, deps: Deps, token: Token, count: int, rentals: tuple[str, ...] = ()) -> None:
    """Notify the owner that a token asked for `count` machines within a minute, more than it can have.

    `rentals` are the IDs of its current rentals, if these are as many as its terms allow. The caller makes sure
    that the owner is notified at most once an hour.
    """
    await tx.tokens.note_crowded(token.id, deps.clock.now())
    await send_of_token(tx, deps, EventKind.TOKEN_CROWDED, token, count=count, rentals=rentals)


# --- making and changing tokens


@dataclass(frozen=True)
class NewTerms:
    """Terms that an owner wants for a token."""

    before: Token | None
    """The token as it is stored. None for a new one."""
    others: tuple[Token, ...]
    """The person's other tokens that aren't over."""
    asked: Deciders
    """The people who are asked if the terms need an approver."""
    over: tuple[Over, ...] = ()
    """The reasons why the terms need an approver. Empty if they need none."""
    tighter: bool = False
    """True if no term is more generous than before."""
    login: Login | None = None
    """The login of the program that gets the secret. None if the owner gets it."""


@dataclass(frozen=True)
class TokenMade:
    """A new token, or a token with a new secret."""

    token: Token
    secret: SecretStr | None
    """The secret. It is shown once and never stored. None if only the program of `login` can read it."""
    over: tuple[Over, ...]
    """The reasons why an approver has to agree before the secret works. Empty if it works now."""
    asked: PeopleAsked | None
    """The people who are asked. None if nobody is."""
    login: Login | None = None
    """The login of the program that gets the secret. None if the owner gets it."""


@dataclass(frozen=True)
class TokenChanged:
    """A token with new terms, or with a request for them."""

    token: Token
    over: tuple[Over, ...]
    """The reasons why an approver has to agree to the new terms. Empty if they are in force."""
    asked: PeopleAsked | None


class MakeToken(Action[NewTerms, NewTerms, TokenMade], id="make_token"):
    """Make a token, and return its secret, or encrypt the secret for the program that asked for it.

    If the same form is submitted twice, no second token is made. The token then gets the terms of the second form,
    as long as no program has used its secret. It also gets a new secret, because the answer with the first one may
    have been lost. The secret of a login stays as it is, because its program may already have fetched it.

    Args:
        name: The name that the owner chose.
        terms: The terms.
        token_id: A new ID, made when the form was opened.
        login_id: The ID of the login of a program. None if the secret is for the owner.

    Raises:
        WrongTerm: The name is taken, or the rules don't allow a term.
        Refused: The person isn't allowed to use the bot, or has too many tokens.
        TooLate: A program has used the first secret, the token is over, or the login has expired.
    """

    name: str
    terms: TokenTerms
    token_id: str
    login_id: str | None = None

    async def load(self, tx: Tx, deps: Deps, person: Person) -> NewTerms:
        check_user(person, deps.rules)
        before = await tx.tokens.get(self.token_id)
        if before is not None:
            _check_owner(before, person)
            _check_not_over(before, deps.clock.now())
            if before.last_used_at is not None and self.login_id is None:
                message = f"A program already uses {before.name}, so its secret can't be replaced."
                raise TooLate(f"{message} Nothing was changed. To replace it, stop the token and make a new one.")
            if before.last_used_at is not None and not self._same(before):
                message = f"A program already uses {before.name}, so this form can't change it any more."
                raise TooLate(f"{message} To change its terms, click Change in the list of your tokens.")
        loaded = await _load_new_terms(tx, deps, person, before)
        if self.login_id is None:
            return loaded
        login = await login_of_form(tx, person, self.login_id, self.token_id, deps.clock.now())
        return replace(loaded, login=login)

    def _same(self, before: Token) -> bool:
        """Return whether an earlier submission has made this token with the same name and terms."""
        return (before.name, before.newest_terms) == (clean_name(self.name), self.terms)

    def plan(self, loaded: NewTerms, by: By) -> NewTerms:
        name = clean_name(self.name)
        check_terms(name, self.terms, by.person, by.rules, by.now)
        if any(one.name.casefold() == name.casefold() for one in loaded.others):
            raise WrongTerm("name", f"You already have a token called {name}. Choose another name.")
        if len(loaded.others) >= MOST_TOKENS:
            raise Refused(f"You have {MOST_TOKENS} tokens, as many as a person can have. Stop one of them first.")
        return _planned(loaded, over_limits_of(self.terms, by.rules))

    async def do(self, tx: Tx, deps: Deps, person: Person, plan: NewTerms) -> TokenMade:
        now, secret, before, login = deps.clock.now(), new_secret(), plan.before, plan.login
        keeps_secret = before is not None and login is not None and login.secret is not None
        new = Token(
            id=self.token_id,
            owner=person.id,
            name=clean_name(self.name),
            state=TokenState.ASKED,
            secret_hash=before.secret_hash if before is not None and keeps_secret else hash_of(secret),
            created_at=now,
        )
        if before is None:
            token = await add(tx, _with_terms(new, self.terms, plan, now, deps.rules))
        elif self._same(before):
            token = await save(tx, before, changed(before, secret_hash=new.secret_hash))
        else:
            kept = {"version": before.version, "decided": before.decided, "created_at": before.created_at}
            new = changed(new, **kept, requested=before.requested)
            token = await save(tx, before, _with_terms(new, self.terms, plan, now, deps.rules))
        asks = token.requested is not None and (before is None or token.requested != before.requested)
        if asks:
            await _ask(tx, deps, person, token, plan.asked)
        if login is not None and not keeps_secret:
            login = await seal_for(tx, login, secret, now)
        shown = SecretStr(secret) if login is None else None
        if token.requested is None:
            # Even terms over the limits can be in force by now, because an approver has agreed in the meantime.
            return TokenMade(token, shown, (), None, login)
        return TokenMade(token, shown, plan.over, await _people_asked(tx, plan.asked), login)


class ChangeToken(Action[NewTerms, NewTerms, TokenChanged], id="change_token"):
    """Change the terms of a token.

    Terms that are tighter than the present ones are in force at once, and so are terms within the limits. Other
    terms go to the approvers, and the present terms stay in force until one of them agrees. Each change replaces
    an earlier request that is still pending.

    Raises:
        WrongTerm: The rules don't allow a term.
        Refused: The person isn't the owner, or isn't allowed to use the bot.
        TooLate: The token is over.
        Mistake: The token is unknown.
    """

    token_id: str
    terms: TokenTerms

    async def load(self, tx: Tx, deps: Deps, person: Person) -> NewTerms:
        check_user(person, deps.rules)
        token = await _known(tx, self.token_id)
        _check_owner(token, person)
        _check_not_over(token, deps.clock.now())
        return await _load_new_terms(tx, deps, person, token)

    def plan(self, loaded: NewTerms, by: By) -> NewTerms:
        token = loaded.before
        if token is None:
            raise ValueError("only a stored token can be changed")
        check_terms(token.name, self.terms, by.person, by.rules, by.now)
        if token.terms is not None and is_tighter(self.terms, token.terms):
            return _planned(loaded, (), tighter=True)
        return _planned(loaded, over_limits_of(self.terms, by.rules))

    async def do(self, tx: Tx, deps: Deps, person: Person, plan: NewTerms) -> TokenChanged:
        before, now = plan.before, deps.clock.now()
        if before is None:
            raise ValueError("only a stored token can be changed")
        token = await save(tx, before, _with_terms(before, self.terms, plan, now, deps.rules))
        if token.requested is None:
            return TokenChanged(token, (), None)
        await _ask(tx, deps, person, token, plan.asked)
        return TokenChanged(token, plan.over, await _people_asked(tx, plan.asked))


async def _load_new_terms(tx: Tx, deps: Deps, person: Person, before: Token | None) -> NewTerms:
    asked = await deciders(tx, deps.rules, [person.id], deps.clock.now())
    own = await tx.tokens.live(person.id)
    return NewTerms(before, tuple(one for one in own if before is None or one.id != before.id), asked)


def _planned(loaded: NewTerms, over: tuple[Over, ...], *, tighter: bool = False) -> NewTerms:
    return replace(loaded, over=over, tighter=tighter)


def _with_terms(token: Token, terms: TokenTerms, plan: NewTerms, now: datetime, rules: Rules) -> Token:
    """Return a token with new terms, or with a request for them if they need an approver."""
    if plan.over:
        requested = RequestedTerms(
            terms=terms,
            version=token.next_version,
            asked_at=now,
            expires_at=pending_decision(plan.asked, now, rules).expires_at,
            others_asked=plan.asked.asked.others_instead,
        )
        return changed(token, requested=requested)
    approved_by = token.approved_by if plan.tighter else None
    token = without_request(token, now)
    return changed(token, state=TokenState.LIVE, terms=terms, approved_by=approved_by)


async def _ask(tx: Tx, deps: Deps, person: Person, token: Token, asked: Deciders) -> None:
    """Ask the approvers about the requested terms of a token."""
    requested = token.requested
    if requested is None:
        return
    await send_of_token(
        tx,
        deps,
        EventKind.TOKEN_ASKED,
        token,
        by=person.id,
        version=requested.version,
        until=requested.expires_at,
        total=requested.terms.total,
        per_hour=requested.terms.per_hour,
        people=asked.people,
        admins_decide=asked.admins_decide,
        **others_facts(asked),
    )


async def _people_asked(tx: Tx, asked: Deciders) -> PeopleAsked:
    return PeopleAsked(
        names=await names_of(tx, asked.people),
        admins_decide=asked.admins_decide,
        away=() if asked.asked.people and not asked.asked.others_instead else await names_of(tx, asked.asked.away),
    )


# --- decisions of approvers


@dataclass(frozen=True)
class TermsToDecide:
    """Terms of a token that wait for an approver."""

    token: Token
    requested: RequestedTerms
    owner: Person
    self_approved: bool = False


class ApproveToken(Action[TermsToDecide, TermsToDecide, Token], id="approve_token"):
    """Approve the requested terms of a token. They are in force at once.

    Args:
        token_id: The token.
        version: The number of the request that the person has seen.

    Raises:
        Refused: The person isn't allowed to decide.
        WrongTerm: The rules don't allow a term any more.
        RequestChanged: Another request is pending.
        TooLate: No request is pending, or the owner left.
    """

    token_id: str
    version: int

    async def load(self, tx: Tx, deps: Deps, person: Person) -> TermsToDecide:
        token, requested = await _load_requested(tx, deps, person, self.token_id)
        rules = await rules_now(tx, deps.rules, [token.owner])
        self_approved = check_approver(person, [token.owner], rules)
        owner = await tx.people.get(token.owner, EVER) or Person(id=token.owner, name="")
        if owner.deactivated:
            raise TooLate(f"{owner.name} left the workspace. Nothing was changed.")
        _check_version(token, requested, self.version, deps.clock.now())
        return TermsToDecide(token, requested, owner, self_approved)

    def plan(self, loaded: TermsToDecide, by: By) -> TermsToDecide:
        check_terms(loaded.token.name, loaded.requested.terms, loaded.owner, by.rules, by.now)
        return loaded

    def confirms(self, plan: TermsToDecide) -> bool:
        return plan.requested.terms.total > CONFIRM_ABOVE

    async def do(self, tx: Tx, deps: Deps, person: Person, plan: TermsToDecide) -> Token:
        terms, now = plan.requested.terms, deps.clock.now()
        decided = DecidedTerms(version=plan.requested.version, approved=True, by=person.id, at=now)
        after = changed(
            plan.token,
            state=TokenState.LIVE,
            terms=terms,
            requested=None,
            decided=decided,
            approved_by=person.id,
        )
        token = await save(tx, plan.token, after)
        facts = {"version": plan.requested.version, "total": terms.total, "per_hour": terms.per_hour}
        await send_of_token(tx, deps, EventKind.TOKEN_APPROVED, token, by=person.id, **facts)
        return token


class DenyToken(Direct[TermsToDecide, Token], id="deny_token"):
    """Deny the requested terms of a token. A token that works keeps its present terms.

    Args:
        token_id: The token.
        version: The number of the request that the person has seen.
        why: The reason. It can be empty. At most LONGEST_REASON characters of it are kept.

    Raises:
        Refused: The person isn't allowed to decide.
        RequestChanged: Another request is pending.
        TooLate: No request is pending.
    """

    token_id: str
    version: int
    why: str = ""

    async def load(self, tx: Tx, deps: Deps, person: Person) -> TermsToDecide:
        token, requested = await _load_requested(tx, deps, person, self.token_id)
        if not may_deny(person, await rules_now(tx, deps.rules, [token.owner])):
            raise Refused(ONLY_APPROVERS)
        _check_version(token, requested, self.version, deps.clock.now())
        owner = await tx.people.get(token.owner, EVER) or Person(id=token.owner, name="")
        return TermsToDecide(token, requested, owner)

    def confirms(self, plan: TermsToDecide) -> bool:
        return True

    async def do(self, tx: Tx, deps: Deps, person: Person, plan: TermsToDecide) -> Token:
        now, reason = deps.clock.now(), one_line(self.why, LONGEST_REASON)
        after = without_request(plan.token, now, by=person.id, reason=reason)
        if after.state is TokenState.ASKED:
            after = ended(after, TokenState.DENIED, now, by=person.id)
        token = await save(tx, plan.token, after)
        await send_of_token(
            tx,
            deps,
            EventKind.TOKEN_DENIED,
            token,
            by=person.id,
            version=plan.requested.version,
            total=plan.requested.terms.total,
            still_works=not token.state.over,
            detail=reason or None,
        )
        return token


async def _load_requested(tx: Tx, deps: Deps, person: Person, token_id: str) -> tuple[Token, RequestedTerms]:
    """Return a token with a pending request.

    Raises:
        TooLate: Nothing is pending. The message says how the request was decided.
        Refused: Nothing is pending, and the person isn't allowed to see the decision.
    """
    token = await tx.tokens.get(token_id)
    if token is None:
        raise TooLate("My database no longer has this token. Nothing was changed.")
    if token.requested is not None:
        return token, token.requested
    if not sees_money(person, token.owner, deps.rules):
        raise Refused(ONLY_APPROVERS)
    decided = token.decided
    if decided is None or decided.by is None:
        raise TooLate(f"Nobody has to decide about {token.name} any more. Nothing was changed.")
    raise AlreadyDecided(
        None,
        Decision.APPROVED if decided.approved else Decision.DENIED,
        name=(await tx.people.names([decided.by])).get(decided.by),
        own=decided.by == person.id,
        ago=deps.clock.now() - decided.at,
    )


def _check_version(token: Token, requested: RequestedTerms, version: int, now: datetime) -> None:
    if requested.expires_at <= now:
        raise TooLate(f"The request for {token.name} expired before anyone decided. Nothing was changed.")
    if requested.version != version:
        raise RequestChanged(
            f"The terms of {token.name} have changed, so your click decided nothing. Check the new version."
        )


# --- stopping


@dataclass(frozen=True)
class ToStop:
    """A token that a person is allowed to stop now, and the rentals that end with it."""

    token: Token
    owner: str
    """The name of the token's owner."""
    to_end: tuple[ToDestroy, ...]
    """The rentals that aren't being destroyed yet, oldest first."""
    script_for: timedelta | None
    """The longest time for which a machine can run its `/root/on-ending.sh` first. None if no machine can."""

    @property
    def rentals(self) -> tuple[Rental, ...]:
        """The rentals that end with the token, oldest first."""
        return tuple(one.rental for one in self.to_end)


@dataclass(frozen=True)
class TokenStopped:
    """A token after it was stopped, and the rentals that end with it."""

    token: Token
    rentals: tuple[Rental, ...]


class StopToken(Direct[ToStop, TokenStopped], id="stop_token"):
    """Stop a token for good, and end all of its rentals, in one transaction.

    The token's requests that wait for an offer or a decision are withdrawn. If a machine is being bought, it is
    deleted as soon as it appears. Machines that the owner has given to somebody else are left alone.

    Args:
        token_id: The token.
        graceful_destroy: True if machines that can run `/root/on-ending.sh` run it first, for ten minutes at most.
            All other machines are destroyed at once.

    Raises:
        Mistake: The token is unknown.
        Refused: The person isn't allowed to stop it.
        TooLate: The token is over, and all of its rentals have ended or are ending.
    """

    token_id: str
    graceful_destroy: bool = False

    async def load(self, tx: Tx, deps: Deps, person: Person) -> ToStop:
        token = await _known(tx, self.token_id)
        if not may_destroy(person, token.owner, deps.rules):
            raise Refused("Only its owner, approvers and admins can stop this token. Nothing was changed.")
        rentals = [one for one in await rentals_of(tx, token) if one.state is not State.DESTROYING]
        if token.state.over and not rentals:
            raise TooLate(f"{token.name} has already ended, and so have its machines. Nothing was changed.")
        names = await tx.people.names([token.owner])
        to_end = [ToDestroy(one, await end_after_script(tx, deps, one)) for one in rentals]
        now = deps.clock.now()
        script_for = max((one.end_after_script - now for one in to_end if one.end_after_script), default=None)
        return ToStop(token, names.get(token.owner, token.owner), tuple(to_end), script_for)

    def confirms(self, plan: ToStop) -> bool:
        return True

    async def do(self, tx: Tx, deps: Deps, person: Person, plan: ToStop) -> TokenStopped:
        token = plan.token
        if not token.state.over:
            token = await save(tx, token, ended(token, TokenState.STOPPED, deps.clock.now(), by=person.id))
        rentals = [await self._end(tx, deps, person, one) for one in plan.to_end]
        ids = tuple(rental.id for rental in rentals)
        await send_of_token(tx, deps, EventKind.TOKEN_STOPPED, token, by=person.id, rentals=ids)
        return TokenStopped(token, tuple(rentals))

    async def _end(self, tx: Tx, deps: Deps, person: Person, one: ToDestroy) -> Rental:
        waits = one.rental.lease is not None and one.rental.lease.graceful_destroy is not None
        if self.graceful_destroy and waits:
            return one.rental
        graceful = self.graceful_destroy and one.end_after_script is not None
        done = await Destroy(one.rental.id, graceful_destroy=graceful).do(tx, deps, person, one)
        if isinstance(done, Exception):
            raise done
        return done


# --- queries


async def tokens_of(deps: Deps, person: Person, *, everyone: bool = False) -> list[TokenSummary]:
    """Return a person's own tokens that aren't over, oldest first. With `everyone`, return the whole team's.

    Raises Refused if the person wants to see everyone's tokens and is neither an approver nor an admin.
    """
    if everyone and not is_approver_or_admin(person, deps.rules):
        raise Refused("Only approvers and admins can see everyone's tokens. To see yours, leave out all.")
    async with deps.store.read() as tx:
        return await summaries(tx, deps, await tx.tokens.live(None if everyone else person.id))


async def token_for(deps: Deps, person: Person, token_id: str) -> TokenSummary:
    """Return a token for its owner, an approver or an admin.

    Raises Mistake if the token is unknown, and Refused if the person isn't allowed to see it.
    """
    async with deps.store.read() as tx:
        token = await _known(tx, token_id)
        if not sees_money(person, token.owner, deps.rules):
            raise Refused("Only its owner, approvers and admins can see this token.")
        return (await summaries(tx, deps, [token]))[0]


async def token_to_change(deps: Deps, person: Person, token_id: str) -> Token:
    """Return a token whose terms its owner wants to change.

    Raises Mistake if the token is unknown, Refused if the person isn't its owner, and TooLate if it is over.
    """
    async with deps.store.read() as tx:
        token = await _known(tx, token_id)
    _check_owner(token, person)
    _check_not_over(token, deps.clock.now())
    return token


async def to_decide(tx: Tx, deps: Deps, person: Person) -> list[TokenSummary]:
    """Return the tokens with a pending request for terms that this person can approve, oldest first."""
    waiting = [token for token in await tx.tokens.live() if token.requested is not None]
    found = [
        one for one in waiting if may_approve(person, [one.owner], await rules_now(tx, deps.rules, [one.owner]))
    ]
    return await summaries(tx, deps, found)


async def summaries(tx: Tx, deps: Deps, tokens: Sequence[Token]) -> list[TokenSummary]:
    """Return these tokens with their use and the names of their owners, in the same order."""
    now = deps.clock.now()
    names = await tx.people.names({token.owner for token in tokens})
    return [
        TokenSummary(token=token, use=await use_of(tx, token, now), owner_name=names.get(token.owner, token.owner))
        for token in tokens
    ]


# --- checks


async def _known(tx: Tx, token_id: str) -> Token:
    token = await tx.tokens.get(token_id)
    if token is None:
        raise Mistake("I don't know this token. Nothing was changed.", next_step=NextStep.LIST_YOURS)
    return token


def _check_owner(token: Token, person: Person) -> None:
    if token.owner != person.id:
        raise Refused("Only its owner can change this token. Nothing was changed.")


def _check_not_over(token: Token, now: datetime) -> None:
    if token.state.over or end_of(token, now) is not None:
        raise TooLate(f"{token.name} has ended, so it can't be changed. Make a new token instead.")

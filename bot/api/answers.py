"""Describes rentals, offers, tokens and logins to programs. No I/O.

Every answer about a rental contains its state, the reason for this state, and the next step. Times in sentences
are in UTC.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal

from aiohttp import web

from bot.lifecycle.actions.logins import ProgramLogin
from bot.lifecycle.actions.program_queries import ProgramOffer
from bot.model import api
from bot.model.api import ApiModel, LoginState, ProgramState
from bot.model.attempt import Why
from bot.model.gpu import display_name
from bot.model.money import Micros, in_dollars
from bot.model.offer import vendor_name
from bot.model.rental import Rental
from bot.model.request import Contract, Request
from bot.model.state import State
from bot.model.summary import ProgramView
from bot.model.text import about_span, listed, one_line, say_price, say_utc, span
from bot.model.token import Access, TokenSummary
from bot.policy.team.token_terms import per_hour_left, total_left
from bot.policy.use.heartbeats import LOST_AFTER, when_lost
from handlers.messages.ssh_lines import ssh_command
from handlers.phrases.rental_text import reason as why_text

PATH = "/v1/rentals"
LOGINS = "/v1/logins"
LOGIN_AGAIN_IN = 5
"""The number of seconds after which a program should ask for its login again."""
LONGEST_DETAIL = 500
LONGEST_REASON = 800
MOST_OFFERS = 20
NEVER_AGAIN = "This key never rents again. To ask for a machine again, use a new key."
_ASK_AGAIN = {
    ProgramState.PENDING: 60,
    ProgramState.SEARCHING: 5,
    ProgramState.BUYING: 5,
    ProgramState.STARTING: 10,
    ProgramState.READY: 300,
    ProgramState.ENDING: 30,
}
"""The number of seconds after which a program should ask again. Final states aren't included."""
_SOLD_OUT = frozenset(
    {
        *(Why.SOLD_OUT, Why.ANSWERED_FAILED, Why.EXPIRED, Why.REFUSED, Why.BOUGHT_BEFORE, Why.NOTHING_LEFT),
        *(Why.TOO_MANY_ATTEMPTS, Why.DEARER, Why.OTHER_GPU, Why.NOTHING_FITTED, Why.VENDOR_FAILED, Why.TOO_SLOW),
        Why.OUTAGE,
    }
)
"""The reasons why a rental ended without a machine because of the market. The same request can succeed later."""
_REFUSED = frozenset(
    {
        *(Why.NOT_ALLOWED, Why.BEYOND_TERMS, Why.OVER_BUDGET, Why.BUYING_BLOCKED, Why.PAUSED, Why.NO_KEY),
        Why.TOO_LITTLE_TIME,
    }
)
"""The reasons why a rental ended without a machine because of the rules or the request."""
_STATES = {
    State.AWAITING_APPROVAL: ProgramState.PENDING,
    State.QUEUED: ProgramState.SEARCHING,
    State.PROCURING: ProgramState.BUYING,
    State.PROVISIONING: ProgramState.STARTING,
    State.READY: ProgramState.READY,
    State.DESTROYING: ProgramState.ENDING,
    State.DENIED: ProgramState.DENIED,
}
_TEN_THOUSANDTH = Decimal("0.0001")
_CENT = Decimal("0.01")


def json_response(
    answer: ApiModel, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """Return an answer as JSON, which no proxy or library may store."""
    return web.Response(
        status=status,
        body=answer.model_dump_json().encode(),
        content_type="application/json",
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


def state_of(rental: Rental) -> ProgramState:
    """Return the state of a rental as programs see it."""
    if rental.state is State.READY and rental.lease is not None and rental.lease.graceful_destroy is not None:
        return ProgramState.ENDING
    if rental.state in _STATES:
        return _STATES[rental.state]
    if rental.lease is None and rental.ending is not None:
        if rental.ending.why in _SOLD_OUT:
            return ProgramState.SOLD_OUT
        if rental.ending.why in _REFUSED:
            return ProgramState.REFUSED
    return ProgramState.EXPIRED if rental.state is State.EXPIRED else ProgramState.ENDED


def rental_answer(view: ProgramView, now: datetime, listens_since: datetime | None = None) -> api.Rental:
    """Return the answer about a rental.

    `listens_since` is the time since which this process can receive heartbeats. None if it can't.
    """
    rental, state = view.rental, state_of(view.rental)
    heartbeat_until = _heartbeat_until(rental, listens_since) if view.own else None
    waits = state in {ProgramState.PENDING, ProgramState.SEARCHING}
    entry, lease, mine = rental.waitlist_entry, rental.lease, view.own
    expires_at = rental.decision.expires_at if rental.decision is not None else None
    if state is ProgramState.SEARCHING and entry is not None and not entry.once:
        expires_at = entry.until
    return api.Rental(
        id=rental.id,
        key=rental.idempotency_key if mine else None,
        token=view.token_name,
        state=state,
        reason=one_line(_reason(view, state, now), LONGEST_REASON),
        next_step=_next_step(view, state, now, heartbeat_until),
        ask_again_in=_ASK_AGAIN.get(state),
        request=request_words(rental.request, now),
        approvers=view.deciders if state is ProgramState.PENDING else (),
        asked_at=view.asked_at if state is ProgramState.PENDING else None,
        gpu=_gpu(rental),
        region=rental.vendor_region or rental.request.region,
        vendor=vendor_name(rental.vendor) if rental.vendor else None,
        per_hour=None if rental.rate is None or waits else dollars(rental.rate, up=True),
        created_at=rental.created_at,
        started_at=rental.procuring_since,
        usual_start=view.usual,
        ready_at=lease.ready_at if lease is not None else None,
        ends_at=_end(rental),
        expires_at=expires_at,
        heartbeat_until=heartbeat_until,
        money=_money(view) if mine else None,
        ssh=_ssh(view) if mine and rental.state is State.READY else None,
        note=rental.request.note,
    )


def request_words(request: Request, now: datetime) -> str:
    """Return a request in words, such as `1x H100 in EU for 4 h`."""
    where = f" in {request.region}" if request.region else ""
    spot = " (spot)" if request.contract is Contract.SPOT else ""
    if request.until_done:
        length = f"until its job is done, {span(request.lease)} at most"
    elif request.until is not None:
        length = f"until {say_utc(request.until, now)}"
    else:
        length = f"for {span(request.lease)}"
    return f"{request.count}x {display_name(request.gpu, request.features)}{where}{spot} {length}"


def quote_answer(request: Request, offers: Sequence[ProgramOffer], now: datetime) -> api.Quote:
    """Return the answer about the offers that fit a request now, cheapest first."""
    found = tuple(_offer(each) for each in offers[:MOST_OFFERS])
    allowed = next((each for each in found if each.within_terms), None)
    if not found:
        step = 'Ask again later, ask for something else, or send "wait_for" with the request to wait for an offer.'
    elif allowed is None:
        step = "This token can't rent any of these by itself. Ask for less, or ask its owner to change its terms."
    else:
        step = f"To rent, send POST {PATH}. The price can change until then."
    return api.Quote(request=request_words(request, now), offers=found, next_step=step)


def _offer(found: ProgramOffer) -> api.Offer:
    offer = found.offer
    return api.Offer(
        gpu=display_name(offer.gpu),
        count=offer.count,
        vendor=one_line(vendor_name(offer.vendor), 60),
        region=one_line(offer.region, 60),
        per_hour=dollars(offer.rate, up=True),
        at_most=amount(found.at_most, up=True),
        within_terms=not found.reason,
        reason=one_line(found.reason, LONGEST_DETAIL),
    )


def token_answer(summary: TokenSummary) -> api.Token:
    """Return the terms of a live token, and what is left of them.

    Raises ValueError if the token has no approved terms. This would be a bug, because the secret of such a token
    doesn't work yet.
    """
    token, use, terms = summary.token, summary.use, summary.token.terms
    if terms is None:
        raise ValueError(f"{token.id} has no terms")
    return api.Token(
        name=token.name,
        owner=summary.owner_name,
        project=terms.project,
        access=terms.access,
        gpus=terms.models,
        until=terms.until,
        total=amount(terms.total),
        left=amount(total_left(terms, use)),
        per_hour=dollars(terms.per_hour),
        per_hour_left=dollars(per_hour_left(terms, use)),
        machines_at_once=terms.at_once,
        machines=len(use.live),
        machines_a_day=terms.per_day,
        machines_today=len(use.begun),
        longest_lease=terms.longest,
        beyond=terms.beyond,
        if_heartbeat_lost=terms.lost,
        last_refusal=token.refusal,
    )


# --- amounts


def amount(micros: Micros, *, up: bool = False) -> Decimal:
    """Return an amount in dollars, rounded down to the cent, or up if `up`."""
    return in_dollars(micros).quantize(_CENT, rounding=ROUND_CEILING if up else ROUND_FLOOR)


def dollars(exact: Decimal, *, up: bool = False) -> Decimal:
    """Return an hourly price with two decimals, or with four if it has more."""
    rounded = max(exact, Decimal(0)).quantize(_TEN_THOUSANDTH, rounding=ROUND_CEILING if up else ROUND_FLOOR)
    cents = rounded.quantize(_CENT, rounding=ROUND_HALF_EVEN)
    return cents if cents == rounded else rounded


def _money(view: ProgramView) -> api.Money:
    terms = view.token.terms if view.token is not None else None
    return api.Money(
        spent=amount(view.spent.amount, up=True),
        at_most=amount(view.rental.terms.total, up=True),
        left=amount(total_left(terms, view.use) if terms is not None else 0),
        total=amount(terms.total if terms is not None else 0),
    )


# --- the machine


def _gpu(rental: Rental) -> str:
    if rental.model:
        return f"{rental.request.count}x {display_name(rental.model)}"
    return f"{rental.request.count}x {display_name(rental.request.gpu, rental.request.features)}"


def _machine(rental: Rental) -> str:
    """Return the machine with its vendor and its price, such as `1x H100 SXM 80 GB at Nebius, $2.08/h`."""
    at = f" at {one_line(vendor_name(rental.vendor), 40)}" if rental.vendor else ""
    return f"{_gpu(rental)}{at}" + (f", {say_price(rental.rate)}/h" if rental.rate is not None else "")


def _ssh(view: ProgramView) -> api.Ssh | None:
    rental, terms = view.rental, view.token.terms if view.token is not None else None
    command = ssh_command(rental.host, rental.port)
    if command is None or rental.host is None or terms is None or terms.access is not Access.RENT:
        return None
    return api.Ssh(host=rental.host, port=rental.port or 22, command=command, host_key=rental.host_key)


def _heartbeat_until(rental: Rental, listens_since: datetime | None) -> datetime | None:
    """Return the time by which the next heartbeat has to arrive. None if the rental needs none now."""
    if rental.state is not State.READY or when_lost(rental) is None:
        return None
    times = (rental.running_lease.ready_at, rental.heartbeat_at, listens_since)
    return max(time for time in times if time is not None) + LOST_AFTER


def _end(rental: Rental) -> datetime | None:
    if rental.lease is None:
        return None
    began = rental.ending.since if rental.ending is not None else None
    return min(filter(None, (rental.lease.ends_at, began, rental.over_at)))


# --- the reason for the state


def _reason(view: ProgramView, state: ProgramState, now: datetime) -> str:
    rental, detail = view.rental, one_line(view.detail, LONGEST_DETAIL)
    match state:
        case ProgramState.PENDING:
            return " ".join(filter(None, (_waiting(view, now), detail)))
        case ProgramState.SEARCHING:
            return _searching(rental, detail, now)
        case ProgramState.BUYING:
            return f"I'm renting {_machine(rental)}."
        case ProgramState.STARTING:
            since = f", {span(now - rental.procuring_since)}" if rental.procuring_since is not None else ""
            usual = f" of about {about_span(view.usual)}" if since and view.usual is not None else ""
            return f"Starting: {_machine(rental)}{since}{usual}."
        case ProgramState.READY:
            return _running(rental, now)
        case ProgramState.ENDING:
            return _ending(rental, now)
    return _over(rental, state, detail, now)


def _waiting(view: ProgramView, now: datetime) -> str:
    decision, names = view.rental.decision, [one_line(name, 80) for name in view.deciders]
    until = f" until {say_utc(decision.expires_at, now)}" if decision is not None else ""
    if not names:
        return f"Waiting for approval{until}."
    approval = f"{names[0]}'s approval" if len(names) == 1 else f"the approval of {listed(names, 'or')}"
    return f"Waiting for {approval}{until}."


def _searching(rental: Rental, detail: str, now: datetime) -> str:
    entry, starts_at = rental.waitlist_entry, rental.request.starts_at
    if detail:
        return detail
    if rental.blocked is not None and rental.blocked.why is not None:
        return f"Nothing can be rented at the moment: {why_text(rental.blocked.why, rental.vendor)}."
    if starts_at is not None and starts_at > now:
        return f"The machine is wanted at {say_utc(starts_at, now)}. I'll look for offers then."
    if entry is None or entry.once:
        return "I'm looking for an offer."
    return f"No offer has fitted yet. I'll keep looking until {say_utc(entry.until, now)}."


def _running(rental: Rental, now: datetime) -> str:
    lease = rental.running_lease
    ready, end = "Ready. ", f"It ends at {say_utc(lease.ends_at, now)}, and its disk is deleted then."
    if lease.until_done is not None and not lease.ends_when_done:
        latest = say_utc(lease.ends_at, now)
        ready, end = "", f"It ends when its job is done, at {latest} at the latest, and its disk is deleted then."
    elif lease.latest_end is not None and lease.latest_end > lease.ends_at:
        latest = say_utc(lease.latest_end, now)
        ready, end = "", f"{end} While its GPUs are working, it keeps running, until {latest} at the latest."
    lost = rental.lost_heartbeat
    if lost is not None:
        return f"No heartbeat has arrived since {say_utc(lost.since, now)}. {end}"
    if rental.extension is not None:
        return f"{end} A longer lease, until {say_utc(rental.extension.ends_at, now)}, is waiting for approval."
    return f"{ready}{end}"


def _ending(rental: Rental, now: datetime) -> str:
    lease = rental.lease
    if rental.state is State.READY and lease is not None:
        return f"The machine ends after its /root/on-ending.sh, at {say_utc(lease.ends_at, now)} at the latest."
    why = rental.ending.why if rental.ending is not None else None
    because = f", because {_ended_because(rental, why)}" if why is not None else ""
    return f"The machine is being deleted{because}."


def _over(rental: Rental, state: ProgramState, detail: str, now: datetime) -> str:
    if state is ProgramState.DENIED:
        return f'An approver denied the request: "{detail}".' if detail else "An approver denied the request."
    if detail:
        return detail
    why = rental.ending.why if rental.ending is not None else None
    match state:
        case ProgramState.EXPIRED:
            return "Nobody approved the request in time."
        case ProgramState.SOLD_OUT if why is Why.OUTAGE:
            # Compute Clear may have been down, or the bot itself.
            return "Nothing was rented, because Compute Clear couldn't be searched in time."
        case ProgramState.SOLD_OUT if rental.waitlist_entry is not None and rental.waitlist_entry.once:
            return "No offer fits this request at the moment. Nothing was rented."
        case ProgramState.SOLD_OUT:
            return "No offer fitted this request in time. Nothing was rented."
    at = f" at {say_utc(rental.over_at, now)}" if rental.over_at is not None else ""
    if rental.state is State.WITHDRAWN:
        return f"The request was withdrawn{at}. Nothing was rented."
    because = _ended_because(rental, why) if why is not None else "somebody ended it"
    return (
        f"Nothing was rented: {because}." if state is ProgramState.REFUSED else f"It ended{at}, because {because}."
    )


def _ended_because(rental: Rental, why: Why) -> str:
    if why is Why.ASKED and rental.ending is not None:
        return "it was released" if rental.ending.by == rental.owner else "somebody ended it"
    return why_text(why, rental.vendor)


# --- the next step


def _next_step(view: ProgramView, state: ProgramState, now: datetime, heartbeat_until: datetime | None) -> str:
    rental, key = view.rental, view.rental.idempotency_key
    if view.token is None:
        return "A person rented this machine, so programs can only look at it."
    if not view.own:
        return "This machine wasn't rented with this token, so you can only look at it."
    seconds = _ASK_AGAIN.get(state)
    if state in {ProgramState.READY, ProgramState.ENDING}:
        if state is ProgramState.ENDING:
            return f"There is nothing to do. If you need the final cost, ask again in {seconds} s."
        by = f"Send the next heartbeat by {say_utc(heartbeat_until, now)}. " if heartbeat_until is not None else ""
        login = "Log in with ssh.command. " if _ssh(view) is not None else ""
        return f"{by}{login}To end it sooner, send DELETE {PATH}/{rental.id}."
    if seconds is not None:
        same = f"with the same key, {key}" if key is not None else f"for {rental.id}"
        return f"Ask again in {seconds} s {same}; a new key would ask for a second machine."
    return NEVER_AGAIN


def login_state(found: ProgramLogin, now: datetime) -> LoginState:
    """Return the state of a login.

    It has also expired if its token has ended before the program fetched the secret. The secret would be useless.
    """
    login, token = found.login, found.token
    if now >= login.expires_at or (token is not None and token.state.over):
        return LoginState.EXPIRED
    if login.secret is not None and token is not None:
        return LoginState.DONE
    return LoginState.WAITING if login.person is None else LoginState.OPENED


def login_answer(found: ProgramLogin, now: datetime) -> api.Login:
    """Return the answer about a login to the program that began it."""
    login, state = found.login, login_state(found, now)
    token = found.token if state is LoginState.DONE else None
    sealed = login.secret if token is not None else None
    return api.Login(
        id=login.id,
        code=login.code,
        state=state,
        next_step=_login_step(found, state, now),
        ask_again_in=LOGIN_AGAIN_IN if state in {LoginState.WAITING, LoginState.OPENED} else None,
        expires_at=login.expires_at,
        secret=None if sealed is None else api.SealedSecret(**sealed.model_dump()),
        token=None if token is None else f"{token.name} ({found.owner_name})",
        until=None if token is None else token.newest_terms.until,
        needs_approval=token is not None and token.terms is None,
    )


def _login_step(found: ProgramLogin, state: LoginState, now: datetime) -> str:
    login, token, until = found.login, found.token, say_utc(found.login.expires_at, now)
    again = f"To begin a new login, send POST {LOGINS}."
    match state:
        case LoginState.WAITING:
            return (
                f"The person who started this program has to type /gpu token {login.code} in Slack before "
                f"{until}. Show them the code, and send it to nobody else."
            )
        case LoginState.OPENED:
            return f"A person has typed the code, and can submit the form before {until}."
        case LoginState.DONE:
            approval = " It doesn't work until an approver has agreed to its terms."
            return (
                f"Fetch and decrypt the secret before {until}, and keep it where nobody else can read it."
                f"{approval if token is not None and token.terms is None else ''}"
            )
    if token is None:
        return f"The login has expired, and no token was made. {again}"
    name = f"{token.name} ({found.owner_name})"
    if token.state.over:
        return f"The token {name} has ended. {again}"
    return f"The secret of {name} wasn't fetched in time, so nobody can use this token. {again}"

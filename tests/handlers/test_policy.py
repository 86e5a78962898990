"""`/gpu policy` shows the rules in words to everyone, and reloads the file."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from bot.lifecycle.loops.policy_versions import reload
from bot.model.event import Event, EventKind
from bot.policy.team.rules import Rules
from handlers.ids import Action
from handlers.listeners.context import Context
from handlers.listeners.interaction import Outcome, Reply, UserInteraction, command
from handlers.listeners.wrapper import make_listener
from handlers.messages import replies
from sandbox.slack.default import ANA, APPROVERS, BEN, CLEO, GUS, TRAINING
from tests.handlers.team import EVE, Team, team
from tests.handlers.test_rights import NO_RIGHTS

FIRST = f"approvers: {{people: [{BEN}]}}\nauto_approve: {{per_hour: 12.00}}\n"
SECOND = FIRST.replace("12.00", "34.00") + f"admins: [{BEN}]\nlease: {{max: 2d}}\n"
BAD = SECOND.replace("2d", "010") + "self_aproval: true\n"


def policy(tmp_path: Path, text: str = FIRST) -> Path:
    path = tmp_path / "policy.yml"
    path.write_text(text, encoding="utf-8")
    return path


async def newest(ours: Team) -> Event[Any]:
    async with ours.deps.store.read() as tx:
        year, now = timedelta(days=365), ours.clock.now()
        return (await tx.events.between(now - year, now + year, after=0, limit=100))[-1]


async def per_hour(ours: Team) -> str:
    """Return the limit that `/gpu help` mentions."""
    words = await ours.command(ANA, "help")
    return words.rpartition("Above ")[2].partition("/h")[0]


def labels(message: dict[str, Any]) -> list[str]:
    return [button["text"] for button in message["buttons"]]


async def test_users_can_read_the_rules_and_admins_also_get_the_reload_button(tmp_path: Path) -> None:
    async with team(tmp_path, policy=policy(tmp_path)) as ours:
        for user in (BEN, CLEO):
            await ours.command(user, "list")  # so that their names are known
        words = await ours.command(ANA, "policy")
        assert "People can rent on their own up to $12.00/h and $100.00 per rental." in words
        assert (
            "Anything above that needs approval. Approvers: Ben. Admins: Cleo. Requests go to the home channel."
            in words
        )
        assert "have been in force since" in words
        assert "Read the file again" not in str(await ours.run_command(ANA, "rules"))
        assert "Read the file again" in str(await ours.run_command(CLEO, "policy"))


async def test_guests_and_people_outside_the_teams_groups_cannot_read_the_rules(tmp_path: Path) -> None:
    in_group = f"{FIRST}use: {{groups: [{APPROVERS}]}}\n"
    async with team(tmp_path, policy=policy(tmp_path, in_group)) as ours:
        await ours.add_eve_and_gus()
        for user in (GUS, EVE):
            assert await ours.command(user, "policy") == NO_RIGHTS
        assert "have been in force since" in await ours.command(CLEO, "policy")


async def test_a_reloaded_file_applies_immediately_and_is_stored_with_admin_and_time(tmp_path: Path) -> None:
    path = policy(tmp_path)
    async with team(tmp_path, policy=path) as ours:
        assert await per_hour(ours) == "$12.00"
        path.write_text(SECOND, encoding="utf-8")
        ours.clock.jump(timedelta(hours=1))
        words = await ours.command(CLEO, "policy reload")
        assert words == (
            "I read the policy file again. Changed: admins, auto_approve.per_hour, lease.max. "
            "/gpu policy shows all rules."
        )
        assert await per_hour(ours) == "$34.00"
        async with ours.deps.store.read() as tx:
            version = await tx.policies.newest()
        assert version is not None
        assert (version.n, version.by, version.at) == (2, CLEO, ours.clock.now())
        assert version.file.text == SECOND
        event = await newest(ours)
        assert (event.kind, event.actor, event.facts.count) == (EventKind.POLICY_CHANGED, CLEO, 2)
        await ours.deliver_all()
        (told,) = [m["reads"] for m in await ours.world.see(BEN) if "changed the team's rules" in m["reads"]]
        assert told == (
            "Cleo changed the team's rules: admins, auto_approve.per_hour, lease.max in the policy file. "
            "/gpu policy shows all rules."
        )
        assert not [m for m in await ours.world.see(CLEO) if "changed the team's rules" in m["reads"]]
        assert "Nothing has changed" in await ours.command(BEN, "policy reload")
        assert await newest(ours) == event


async def test_a_file_with_mistakes_changes_nothing_and_admins_are_notified_once(tmp_path: Path) -> None:
    path = policy(tmp_path, FIRST + f"admins: [{BEN}]\n")
    async with team(tmp_path, policy=path) as ours:
        path.write_text(BAD, encoding="utf-8")
        words = await ours.command(CLEO, "policy reload")
        mistakes = (
            "line 4, lease.max: 010 can be read as two numbers: leave out the first 0, or quote it.\n"
            "line 5, self_aproval: there is no such key. The most similar one is self_approval."
        )
        assert words == f"The policy file has mistakes, so nothing was changed.\n{mistakes}"
        assert await per_hour(ours) == "$12.00"
        event = await newest(ours)
        assert (event.kind, event.actor, event.facts.count) == (EventKind.POLICY_REFUSED, CLEO, 2)
        await ours.command(CLEO, "policy reload")
        await ours.deliver_all()
        told = [m["reads"] for m in await ours.world.see(BEN) if "policy file has mistakes" in m["reads"]]
        assert len(told) == 1
        assert mistakes in told[0]
        assert mistakes in await ours.command(CLEO, "policy")
        assert "mistakes" not in await ours.command(ANA, "policy")
        path.write_text(SECOND, encoding="utf-8")
        message = await ours.look(CLEO, TRAINING, "so nothing was changed")
        await ours.click(CLEO, message, "Read the file again")
        assert await per_hour(ours) == "$34.00"
        assert "mistakes" not in await ours.command(CLEO, "policy")


async def test_an_unknown_gpu_in_the_file_is_accepted_and_reported(tmp_path: Path) -> None:
    path = policy(tmp_path)
    async with team(tmp_path, policy=path) as ours:
        path.write_text(FIRST + "approval: {always: {models: [H200, H20, 'B 300']}}\n", encoding="utf-8")
        assert await ours.command(CLEO, "policy reload") == (
            "I read the policy file again. Changed: approval.always.models. /gpu policy shows all rules. "
            "approval.always names GPUs that Compute Clear doesn't sell: H20, B 300."
        )
        assert "Requests for H200, H20 or B 300 always need approval" in await ours.command(ANA, "policy")


async def test_only_admins_can_reload_the_file(tmp_path: Path) -> None:
    path = policy(tmp_path)
    async with team(tmp_path, policy=path) as ours:
        path.write_text(SECOND, encoding="utf-8")
        refused = "Only admins can reload the policy file. Nothing was changed."
        assert await ours.command(BEN, "policy reload") == refused
        await ours.forge(ANA, Action.RELOAD_POLICY.id, None)
        assert refused in await ours.replies()
        assert await per_hour(ours) == "$12.00"


async def test_the_rules_stay_while_the_store_accepts_no_writes(tmp_path: Path) -> None:
    path = policy(tmp_path)
    async with team(tmp_path, policy=path) as ours:
        path.write_text(SECOND, encoding="utf-8")
        with ours.locked():
            assert "so nothing was changed" in await ours.command(CLEO, "policy reload")
        assert await per_hour(ours) == "$12.00"
        assert "Changed" in await ours.command(CLEO, "policy reload")


async def test_without_a_file_there_is_nothing_to_reload(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        assert "People can rent on their own" in await ours.command(ANA, "policy")
        assert "Read the file again" not in str(await ours.run_command(CLEO, "policy"))
        assert await ours.command(CLEO, "policy reload") == (
            "I was started without GPUBOT_POLICY, so there is no policy file to read, and the default rules "
            "apply. If you have set GPUBOT_POLICY since, restart me once. After that, a reload is enough."
        )


async def test_unknown_words_after_the_command_are_reported(tmp_path: Path) -> None:
    async with team(tmp_path, policy=policy(tmp_path)) as ours:
        assert await ours.command(CLEO, "policy reset") == (
            'I don\'t know "reset" here. Try: /gpu policy, or /gpu policy reload'
        )


async def test_a_click_uses_the_rules_that_applied_when_it_began(tmp_path: Path) -> None:
    path = policy(tmp_path)
    async with team(tmp_path, policy=path) as ours:
        seen: list[Rules] = []

        async def handler(context: Context, _: UserInteraction) -> Outcome:
            seen.append(context.deps.rules)
            path.write_text(SECOND, encoding="utf-8")
            await reload(context.deps)
            seen.append(context.deps.rules)
            return Reply(content=replies.reply("done"))

        async def ack(**_: Any) -> None:
            return

        listen = make_listener(ours.context, command, handler)
        body = {"user_id": ANA, "channel_id": TRAINING, "command": "/gpu", "text": "", "team_id": ""}
        await listen(ack, body)
        await listen(ack, body)
        limits = [rules.auto_approve.per_hour for rules in seen]
        assert limits == [Decimal(12), Decimal(12), Decimal(34), Decimal(34)]
        assert await per_hour(ours) == "$34.00"


async def test_members_of_a_newly_named_group_count_immediately(tmp_path: Path) -> None:
    path = policy(tmp_path)
    async with team(tmp_path, policy=path) as ours:
        assert "(but no guests) can rent" in await ours.command(ANA, "policy")
        person = await ours.context.people.get(BEN)
        assert person.groups == frozenset()
        path.write_text(f"{FIRST}use: {{groups: [{APPROVERS}]}}\n", encoding="utf-8")
        await ours.command(CLEO, "policy reload")
        person = await ours.context.people.get(BEN)
        assert person.groups == {APPROVERS}

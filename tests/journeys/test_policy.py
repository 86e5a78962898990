"""The operator changes the policy file while the bot is running, and starts it with a file that has mistakes."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.journeys.checks import check_consistency
from tests.journeys.world import WAIT, World

FIRST = "auto_approve: {per_hour: 2.00}\n"
SECOND = "auto_approve: {per_hour: 20.00}\n"
BAD = "auto_approve: {per_hour: 010}\nself_aproval: true\n"


def policy(world: World, text: str) -> Path:
    path = world.folder / "policy.yml"
    path.write_text(text, encoding="utf-8")
    return path


def secrets(world: World) -> dict[str, str]:
    """Write the sandbox's tokens into files. Return the settings that name these files."""
    tokens = {
        "SLACK_BOT_TOKEN": world.slack.bot_token,
        "SLACK_APP_TOKEN": world.slack.app_token,
        "COMPUTE_CLEAR_TOKEN": world.compute.token,
    }
    for name, token in tokens.items():
        (world.folder / name).write_text(f"{token}\n", encoding="utf-8")
    return dict.fromkeys(tokens, "") | {f"{name}_FILE": str(world.folder / name) for name in tokens}


async def test_sighup_reads_rules_and_tokens_but_never_a_bad_file(
    stopped_world: World,
) -> None:
    world = stopped_world
    path = policy(world, FIRST)
    world.settings |= secrets(world)
    await world.start(GPUBOT_POLICY=str(path))
    await world.sets_key()
    assert "up to $2.00/h and" in str((await world.play.types("Ana", "#training", "policy")).payload)
    assert "the price is over the limit of $2.00/h." in (await world.offers()).text

    policy(world, SECOND)
    await world.sandbox.slack.post("tokens", {"bot": "new", "app": "new"})
    secrets(world)
    world.bot.process.send_signal(signal.SIGHUP)
    await world.until_logged("policy.changed")
    assert '"changed": ["Slack"], "event": "settings.tokens_read"' in world.log.read_text(encoding="utf-8")
    await world.play.settle()
    sockets = await world.sandbox.sockets()
    await world.sandbox.slack.post("sockets/disconnect", {"kill": True, "socket": sockets.names[0]})
    assert "up to $20.00/h and" in str((await world.play.types("Ana", "#training", "policy")).payload)
    alert = await world.reads(
        "Cleo", "The team's rules changed: auto_approve.per_hour in the policy file. /gpu policy shows all rules."
    )
    assert alert.is_dm
    # The token of Compute Clear is read again when it is refused. Nobody notices.
    rental = await world.rents()
    await world.sandbox.compute.post("token", {"token": "compute-sandbox-second-token"})
    secrets(world)
    await world.until_card(rental, "Ready")
    await world.until_logged("market.token_read")

    assert (await world.sandbox.sockets(opened=sockets.opened + 1, least=2, wait=WAIT)).opened > sockets.opened
    health = await world.play.settle()
    assert (health["policy_version"], health["policy_mistakes"]) == (2, 0)
    policy(world, BAD)
    await world.stop()
    world.expected_errors.add("policy.refused")
    await world.restart()
    alert = await world.reads(
        "Cleo", "line 2, self_aproval: there is no such key. The most similar one is self_approval."
    )
    assert "line 1, auto_approve.per_hour: 010 can be read as two numbers" in alert.text
    assert "up to $20.00/h and" in str((await world.play.types("Ana", "#training", "policy")).payload)

    health = await world.play.settle()
    assert (health["policy_version"], health["policy_mistakes"]) == (2, 2)
    outcome = await world.play.types("Cleo", "#training", "policy reload")
    assert "so nothing was changed" in str(outcome.payload)
    policy(world, FIRST)
    outcome = await world.play.types("Cleo", "#training", "policy reload")
    assert "Changed: auto_approve.per_hour." in str(outcome.payload)
    assert "up to $2.00/h and" in str((await world.play.types("Ana", "#training", "policy")).payload)
    await world.destroys("Ana", rental)
    await world.until_card(rental, "Ended")
    assert not [seen for seen in await world.sandbox.see(world.people["Cleo"]) if "my token" in seen.text]
    written = world.log.read_text(encoding="utf-8")
    tokens = (world.slack.bot_token, world.slack.app_token, world.compute.token)
    assert not [token for token in tokens if token in written]
    await check_consistency(world, bought=["hyperstack"])

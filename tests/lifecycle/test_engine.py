"""The engine as others see it while it works."""

from __future__ import annotations

from datetime import timedelta

from tests.lifecycle.world import World


async def test_what_is_claimed_is_in_flight_before_its_step_has_begun(here: World) -> None:
    """Whoever asks whether things have settled must not find a rental that is neither due nor in flight."""
    rental = await here.ready()
    here.jump(timedelta(minutes=5))
    seen: list[int] = []
    here.works.store.on_commit(lambda: seen.append(here.engine.in_flight))
    await here.engine.turn()
    assert seen == [1], "the claim's commit, with its step not yet started"
    await here.settle()
    assert here.engine.in_flight == 0
    due_at = (await here.rental(rental.id)).due_at
    assert due_at is not None and due_at > here.now

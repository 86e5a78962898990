"""Measures the CPU time to render and publish a person's Home tab.

The person has many live rentals. The baseline is a person without rentals.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from bench.crowd import Counts, gather
from bench.figures import Figure, figure
from bench.people import invite
from bench.posting import posting
from bench.rentals import clock_of
from bench.sizes import Size
from bench.timing import compare
from bench.worlds import World, open_world
from bot.lifecycle.actions.home import home_for
from bot.lifecycle.deps import Deps
from bot.model.person import Person
from bot.policy.team.rules import Rules
from handlers.messages.home import home_tab
from handlers.phrases.format import Reader
from store.db import Database


async def measure(size: Size, folder: Path) -> AsyncIterator[Figure]:
    """Yield `home_publish_*` for each number of rentals: CPU milliseconds of this process for each publication."""
    async with open_world(folder, "home") as world, AsyncExitStack() as stack:
        (owner, *_), channel = await invite(world, 1)
        empty = folder / "empty.sqlite"
        publish = [await stack.enter_async_context(_publisher(world, empty, owner))]
        crowd = await gather(world, [owner], channel)
        for live in size.home_live:
            await crowd.write(Counts(provisioning=1, probed=1, ready=live - 2))
            file = world.file.rename(folder / f"home-{live}.sqlite")
            publish.append(await stack.enter_async_context(_publisher(world, file, owner)))
        none, *some = await compare(publish, size.homes)
        for live, took in zip(size.home_live, some, strict=True):
            yield figure(f"home_publish_{live}", took, "ms", none)


@asynccontextmanager
async def _publisher(world: World, file: Path, owner: str) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    clock = await clock_of(world)
    store = await Database.open(f"sqlite:///{file}", claimant="bench", clock=clock)
    deps = Deps(store, clock, Rules())
    person = Person(id=owner, name="Person 0")
    try:
        async with posting(world) as client:

            async def publish() -> None:
                shown = await home_for(deps, person, 0)
                reader = Reader(id=owner, rules=deps.rules, now=clock.now())
                view = {"type": "home", "blocks": list(home_tab(shown, reader).blocks)}
                await client.views_publish(user_id=owner, view=view)

            yield publish
    finally:
        await store.close()

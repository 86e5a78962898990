from collections.abc import AsyncIterator

import pytest

from tests.sandbox.compute_world import ComputeWorld


@pytest.fixture
async def world() -> AsyncIterator[ComputeWorld]:
    world = ComputeWorld()
    await world.start()
    yield world
    await world.stop()

"""The names of resources: made for each purchase, and read again from an account."""

from __future__ import annotations

import pytest

from bot.policy.buying.resource_names import ResourceName, looks_like_ours, make_name, read_name


def test_a_name_can_be_made_and_read_back() -> None:
    name = make_name("k7mq2", 12, "U012ABC")
    assert name == "gpubot-k7mq2-12-u012abc"
    assert read_name(name) == ResourceName(rental_id="k7mq2", n=12, owner="U012ABC")


@pytest.mark.parametrize("name", ["gpubot-k7mq2-1", "GPUBOT-K7MQ2-1"])
def test_a_name_of_an_earlier_release_has_no_owner(name: str) -> None:
    assert read_name(name) == ResourceName(rental_id="k7mq2", n=1, owner=None)


@pytest.mark.parametrize(
    "name",
    [
        None,
        "",
        "train-3",
        "gpubot-",
        "gpubot-k7mq2",
        "gpubot-k7mq2-0",
        "gpubot-k7mq2-1-",
        "gpubot-k7mq2-1-<!here>",
    ],
)
def test_any_other_name_contains_nothing(name: str | None) -> None:
    assert read_name(name) is None


def test_a_name_with_the_bots_prefix_looks_like_one_of_ours() -> None:
    assert looks_like_ours("gpubot-bench")
    assert not looks_like_ours("train-gpubot-1")
    assert not looks_like_ours(None)

"""The dialogs for choosing keys from GitHub."""

from __future__ import annotations

from collections.abc import Collection

from inline_snapshot import snapshot

from bot.model.base import changed
from bot.model.person import Key
from bot.policy.access.github_keys import MOST_SHOWN, GithubKeys
from handlers.actions.github_keys import choice, choose, name_form
from tests.slack_limits import problems_of_message, problems_of_view
from tests.views.screens import dialog, labels, message, page
from tests.views.stories import clock

NOW = clock(14, 40)
FIRST = Key(
    line="ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ7wzGEyr0SKZTlZ2YkXcz0L8lDhUJZgYNVNjxfGp5xr",
    comment="github.com/ana-dev",
    fingerprint="SHA256:OOKXh2ZJ8VkfSuEMB3YQZaqjl+0++ZgebLSzZTGZbr8",
)
SECOND = changed(FIRST, fingerprint="SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU")
MANY = tuple(changed(FIRST, fingerprint=f"SHA256:{n:043}") for n in range(MOST_SHOWN))


def found(*keys: Key, known: Collection[str] = (), room: int = 10, not_accepted: int = 0) -> GithubKeys:
    return GithubKeys(
        name="ana-dev",
        shown=keys,
        known=frozenset(known),
        room=room,
        not_accepted=not_accepted,
        not_shown=0,
    )


def test_the_choice_names_each_key_and_the_consequences() -> None:
    choices = (
        found(FIRST, SECOND),
        found(FIRST, SECOND, known=[FIRST.fingerprint], not_accepted=1),
        found(FIRST, SECOND, room=1),
        found(FIRST, room=0),
        found(FIRST, known=[FIRST.fingerprint], room=0),
    )
    assert page(*(message(choice(each), NOW) for each in choices)) == snapshot("""\

github.com/ana-dev has 2 keys:
SHA256:OOKXh2ZJ8VkfSuEMB3YQZaqjl+0++ZgebLSzZTGZbr8 (ed25519)
SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU (ed25519)
[Use both] [Choose] [Cancel]

github.com/ana-dev has 2 keys:
SHA256:OOKXh2ZJ8VkfSuEMB3YQZaqjl+0++ZgebLSzZTGZbr8 (ed25519), already saved
SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU (ed25519)
  1 line at GitHub isn't a key that I accept.
[Use the new one] [Cancel]

github.com/ana-dev has 2 keys:
SHA256:OOKXh2ZJ8VkfSuEMB3YQZaqjl+0++ZgebLSzZTGZbr8 (ed25519)
SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU (ed25519)
  Your team's rules allow you 1 more key.
[Choose] [Cancel]

github.com/ana-dev has 1 key:
SHA256:OOKXh2ZJ8VkfSuEMB3YQZaqjl+0++ZgebLSzZTGZbr8 (ed25519)
  You have as many keys as your team's rules allow. Remove a key first: /gpu key
[Cancel]

github.com/ana-dev has 1 key:
SHA256:OOKXh2ZJ8VkfSuEMB3YQZaqjl+0++ZgebLSzZTGZbr8 (ed25519)
  You've already saved this key.
[Cancel]
""")


def test_the_button_shows_the_number_of_keys_it_adds() -> None:
    known = [key.fingerprint for key in MANY[:3]]
    choices = (found(FIRST), found(*MANY[:3]), found(*MANY[:4], known=known), found(*MANY[:6], known=known))
    assert [labels(choice(each).blocks)[0] for each in choices] == [
        *("Use this key", "Use all 3", "Use the new one", "Use the 3 new ones")
    ]


def test_the_dialogs_ask_for_the_name_and_for_the_keys() -> None:
    dialogs = (name_form(), choose(found(FIRST, SECOND, room=1)))
    assert page(*(dialog(modal, NOW) for modal in dialogs)) == snapshot("""\

== Keys from GitHub ==
I'll show you the keys first, and save only those that you choose.
Your GitHub username: ()
[Show the keys] [Go back]

== Choose keys ==
These are the keys of github.com/ana-dev. Your team's rules allow you 1 more key.
Keys: [ ] SHA256:OOKXh2ZJ8VkfSuEMB3YQZaqjl+0++ZgebLSzZTGZbr8 (ed25519) | [ ]
      SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU (ed25519)
[Save] [Go back]
""")


def test_the_longest_list_of_keys_stays_within_slacks_limits() -> None:
    longest = changed(found(*MANY, room=MOST_SHOWN), name="a" * 39)
    shown = choice(longest)
    assert problems_of_message(shown.text, shown.blocks) == []
    modal = choose(longest)
    assert problems_of_view(modal.view) == []
    assert len(modal.value.encode()) < 1000
    groups = [block["element"] for block in modal.view["blocks"] if block["type"] == "input"]
    assert [len(group["options"]) for group in groups] == [10, 10]
    assert all(group["initial_options"] == group["options"] for group in groups)


def test_no_key_is_preselected_if_there_are_too_many() -> None:
    modal = choose(found(FIRST, SECOND, room=1))
    assert [block["element"].get("initial_options") for block in modal.view["blocks"][1:]] == [None]

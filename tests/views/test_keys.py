"""A person's SSH keys: the prompt for a key, the list, and the replies to changes."""

from __future__ import annotations

import base64

from inline_snapshot import snapshot

from bot.model.base import changed
from bot.model.person import Key
from handlers.messages import keys, replies
from tests.views.screens import message, page
from tests.views.stories import clock

NOW = clock(14, 40)
RSA_4096 = b"\0\0\0\7ssh-rsa" + b"\0\0\0\3\1\0\1" + b"\0\0\2\1\0" + b"\xff" * 512
"""A key that consists of its type, exponent and modulus, each preceded by its length (RFC 4253, section 6.6)."""
LAPTOP = Key(
    line="ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ7wzGEyr0SKZTlZ2YkXcz0L8lDhUJZgYNVNjxfGp5xr",
    comment="you@laptop",
    fingerprint="SHA256:OOKXh2ZJ8VkfSuEMB3YQZaqjl+0++ZgebLSzZTGZbr8",
)
NAMELESS = changed(
    LAPTOP,
    line=f"ssh-rsa {base64.b64encode(RSA_4096).decode()}",
    comment="",
    fingerprint="SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU",
)


def test_the_list_marks_the_default_key_and_confirms_changes() -> None:
    assert page(
        *(
            message(shown, NOW)
            for shown in (
                keys.listing([], github=True),
                keys.listing([LAPTOP], github=False),
                keys.listing([NAMELESS, LAPTOP], keys.made_first_text(NAMELESS), github=True),
                keys.listing([], keys.removed_text(LAPTOP), github=False),
            )
        )
    ) == snapshot("""\

To log in to machines, you'll need an SSH key.
[Add SSH key] [Use my GitHub keys]

You have 1 SSH key.
"you@laptop", SHA256:OOKXh2ZJ8VkfSuEMB3YQZaqjl+0++ZgebLSzZTGZbr8 (ed25519): the default key, which
      always works
[Remove]
  Machines that are running keep their keys. To add a key to one of them: /gpu ssh
[Add SSH key]
  Or type: /gpu key ssh-ed25519 AAAA... you@laptop

SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU (rsa 4096) is your default key now. You have 2
      SSH keys.
SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU (rsa 4096): the default key, which always works
[Remove]
"you@laptop", SHA256:OOKXh2ZJ8VkfSuEMB3YQZaqjl+0++ZgebLSzZTGZbr8 (ed25519)
[Make default] [Remove]
  On a new machine, your other keys work if the vendor runs the machine's startup script. Machines
      that are running keep their keys. To add a key to one of them: /gpu ssh
[Add SSH key] [Use my GitHub keys]
  Or type: /gpu key ssh-ed25519 AAAA... you@laptop  or  /gpu key github ana-dev

Your key "you@laptop", SHA256:OOKXh2ZJ8VkfSuEMB3YQZaqjl+0++ZgebLSzZTGZbr8 (ed25519) is removed. It
      still works on machines that are running. You have no SSH key now. I'll ask for one when you
      rent.
[Add SSH key]
  Or type: /gpu key ssh-ed25519 AAAA... you@laptop
""")


def test_a_long_list_of_keys_counts_those_not_shown() -> None:
    shown = keys.listing([LAPTOP] * 25, github=True)
    assert "25 SSH keys." in shown.text
    assert "5 more keys not shown." in shown.text


def test_the_reply_lists_new_and_already_saved_keys() -> None:
    replied = [
        keys.saved_text([LAPTOP], []),
        keys.saved_text([], [LAPTOP]),
        keys.saved_text([LAPTOP, NAMELESS], []),
        keys.saved_text([LAPTOP], [NAMELESS]),
    ]
    assert page(*(message(replies.reply(words), NOW) for words in replied)) == snapshot("""\

Your key is saved: "you@laptop", SHA256:OOKXh2ZJ8VkfSuEMB3YQZaqjl+0++ZgebLSzZTGZbr8 (ed25519).

This key was already saved: "you@laptop", SHA256:OOKXh2ZJ8VkfSuEMB3YQZaqjl+0++ZgebLSzZTGZbr8
      (ed25519).

2 keys are saved: "you@laptop", SHA256:OOKXh2ZJ8VkfSuEMB3YQZaqjl+0++ZgebLSzZTGZbr8 (ed25519),
      SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU (rsa 4096).

Your key is saved: "you@laptop", SHA256:OOKXh2ZJ8VkfSuEMB3YQZaqjl+0++ZgebLSzZTGZbr8 (ed25519). This
      key was already saved: SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU (rsa 4096).
""")

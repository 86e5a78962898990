"""Shell lines that put public keys on a machine and take them off. People paste them there.

The bot can change nothing on a machine, so a person runs these. They work in bash, zsh, dash and BusyBox.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_KEY_LINE = re.compile(r"(?:sk-)?(?:ssh|ecdsa-sha2)-[a-z0-9-]+(?:@openssh\.com)? [A-Za-z0-9+/]+={0,2}")
"""`<type> <base64>`, as `read_key` re-encodes it. No character in it has a meaning between single quotes, in a
fixed string of grep, or in a regular expression of sed whose delimiter is a comma."""


def add_line(lines: Sequence[str]) -> str:
    """Return one shell line that appends the keys that `~/.ssh/authorized_keys` does not have yet.

    `lines` are those of `Key.line`. Raise ValueError if there is none, or if one has another form: people run the
    result, so it must never hold a part of a comment or a name.
    """
    keys = " ".join(f"'{line}'" for line in _checked(lines))
    # The empty line before each key separates it from a last line that has no line break.
    append = """printf '\\n%s\\n' "$k" >>authorized_keys"""
    add = f"""for k in {keys}; do grep -qsxF "$k" authorized_keys || {append}; done"""
    # sshd refuses files that others can write.
    return f"(umask 077; mkdir -p ~/.ssh; cd ~/.ssh && {add})"


def remove_line(lines: Sequence[str]) -> str:
    """Return one shell line that deletes each line of `~/.ssh/authorized_keys` that has one of the keys, with its
    options and its comment.

    Raise ValueError as `add_line` does. The caller leaves out keys that other people on the machine have too.
    """
    # sed writes a new file and renames it, so a full disk loses no key.
    deletes = " ".join(rf"-e '\,{line.split()[1]},d'" for line in _checked(lines))
    return f"sed -i {deletes} ~/.ssh/authorized_keys"


def _checked(lines: Sequence[str]) -> Sequence[str]:
    if not lines or not all(_KEY_LINE.fullmatch(line) for line in lines):
        raise ValueError("not the lines of public keys")
    return lines

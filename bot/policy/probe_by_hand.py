"""Shell lines that install the probe, for people to paste on a machine that ran no boot script. Pure."""

from __future__ import annotations

from bot.policy.probe_script import PROBE_SCRIPT, SCRIPT_PATH

_LINES = """\
(umask 022; mkdir -p /usr/local/sbin; cat >{path} <<'END_OF_PROBE'; chmod 755 {path}
{script}
END_OF_PROBE
umask 077; mkdir -p ~/.ssh; cd ~/.ssh && {{ grep -qsxF '{line}' authorized_keys ||
printf '\\n%s\\n' '{line}' >>authorized_keys; }})"""


def install_lines(probe_line: str) -> str:
    """Return the shell lines that write the probe's script and put `probe_line` into root's authorized_keys, once.

    They work in bash, dash and BusyBox, also if they are pasted into an interactive shell. They have at most 2,900
    characters, so that they fit into one text of Slack (3,000) with the marks of a code block.
    """
    return _LINES.format(path=SCRIPT_PATH, script=PROBE_SCRIPT.removesuffix("\n"), line=probe_line)

"""The probe's script, and the line that lets the bot run it on a machine. Pure.

docs/probe.md describes the script's output. It is here and not in bot/probe because the boot script and /gpu probe
hold it too.
"""

from __future__ import annotations

SCRIPT_PATH = "/usr/local/sbin/gpubot-probe"
"""Where the script is on a machine."""
LARGEST_PROBE = 1500
"""Bytes. With the shell lines that install it, the script fits into one text of Slack, which holds 3,000
characters (docs.slack.dev/reference/block-kit/composition-objects/text-object)."""

# The shell reads row by row. mawk, the awk of Debian, would wait until it has 4 KiB or nvidia-smi ends.
# --query-gpu: docs.nvidia.com/deploy/nvidia-smi. A name may contain commas, so it is the last column.
PROBE_SCRIPT = r"""#!/bin/sh
# gpubot's probe. It prints how busy the GPUs are and which SSH connections are open.
# gpubot's key can run this script alone: see its line in /root/.ssh/authorized_keys.
echo "gpubot-probe 1"

# If the machine has it, it starts /root/on-ending.sh before the end.
/usr/local/sbin/gpubot-ending 2>/dev/null

# The set-up: running, done, or failed with its exit status and line.
read -r line 2>/dev/null </var/lib/gpubot/setup.state && printf 'setup %s\n' "$line"

# This connection, then all open ones to its port: the peer's address and port in hex.
echo "ssh $SSH_CONNECTION"
awk -v port="${SSH_CONNECTION##* }" '
  BEGIN { port = sprintf(":%04X$", port) }
  $2 ~ port && $4 == "01" && n++ < 256 { print "peer", $3 }
  END { print "peers", n + 0 }' /proc/net/tcp*

# The GPUs, five times in 4 s. A driver can hang, so all of it ends after 10 s.
if command -v nvidia-smi >/dev/null; then
  # shellcheck disable=SC2016
  timeout -s KILL 10 sh -c '
    columns=index,utilization.gpu,memory.used,power.draw,mig.mode.current,memory.total,name
    nvidia-smi --query-gpu=$columns --format=csv,noheader,nounits -l 1 2>/dev/null </dev/null |
      while IFS= read -r row; do
        printf "gpu %s\n" "$row"
        rows=$((rows + 1)) index=${row%%,*}
        if [ $rows = 1 ]; then first=$index; elif [ "$index" = "$first" ]; then gpus=${gpus:-$((rows - 1))}; fi
        [ $rows != $((gpus * 5)) ] || exit 0
      done'
  echo "nvidia-smi $?"
else
  echo "nvidia-smi none"
fi
echo end
"""


def probe_line(public_key: str) -> str:
    """Return the line of authorized_keys that lets a key run the probe's script and no other command.

    `public_key` is `ssh-ed25519 AAAA...`, without a comment. `restrict` also switches off what later versions of
    OpenSSH add (man.openbsd.org/sshd.8, AUTHORIZED_KEYS FILE FORMAT).
    """
    return f'restrict,command="{SCRIPT_PATH}" {public_key} gpubot-probe'


# --- shell lines that install the probe, for people to paste on a machine that ran no boot script. Pure


_LINES = """\
(umask 022; mkdir -p /usr/local/sbin; cat >{path} <<'END_OF_PROBE'; chmod 755 {path}
{script}
END_OF_PROBE
umask 077; mkdir -p ~/.ssh; cd ~/.ssh && {{ grep -qsxF '{line}' authorized_keys ||
printf '\\n%s\\n' '{line}' >>authorized_keys; }})"""


def install_lines(probe_line: str) -> str:
    """Return the shell lines that write the probe's script and put `probe_line` into root's authorized_keys, once.

    They work in bash, dash and BusyBox, also if they are pasted into an interactive shell. They have at most 2,900
    characters, so that they fit into one text of Slack (3,000) with the marks of a code block. What starts
    on-ending.sh would not fit, so only the boot script brings it.
    """
    return _LINES.format(path=SCRIPT_PATH, script=PROBE_SCRIPT.removesuffix("\n"), line=probe_line)

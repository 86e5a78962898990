"""The text of the two scripts that the bot runs on a machine, and the SSH access that it needs for them.

The startup script installs both. The probe's script prints how busy the machine is. It also runs the second
script, which starts the owner's `/root/on-ending.sh` shortly before the machine is destroyed. docs/probe.md
describes the output and the files of both scripts.

The scripts are in this package, and not in bot/probe, because the startup script and the answer to `/gpu probe`
contain their text.
"""

from __future__ import annotations

SCRIPT_PATH = "/usr/local/sbin/gpubot-probe"
"""The path of the probe's script on a machine."""

# A loop of the shell reads the output of nvidia-smi line by line. mawk, the awk of Debian, can't be used: it
# buffers its input, and processes no line until it has read 4 KiB or nvidia-smi has ended.
#
# The GPU's name is the last column because it may contain commas (docs.nvidia.com/deploy/nvidia-smi, --query-gpu).
PROBE_SCRIPT = r"""#!/bin/sh
# gpubot's probe. It prints how busy the GPUs are and which SSH connections are open.
# gpubot's key can run this script alone: see its line in /root/.ssh/authorized_keys.
echo "gpubot-probe 1"

# If the machine has it, it starts /root/on-ending.sh before the end.
/usr/local/sbin/gpubot-ending 2>/dev/null

# The setup: running, done, or failed with its exit status and line.
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

INSTALLED_PROBE_SCRIPT = PROBE_SCRIPT + (
    "for more in jobs health; do more=/usr/local/sbin/gpubot-$more; [ ! -x $more ] || $more; done "
    "2>/dev/null </dev/null\n"
)
"""The probe's script as the startup script installs it. Its last line runs two more scripts, if they are there.

They print the jobs, and then the health of the GPUs: a driver that hangs doesn't keep the jobs away. They run
after the report's `end`, so that a bot of an earlier version, which reads only up to there, still understands the
report. The script that people paste has no such line, because the two scripts come only with the startup script.
"""


def probe_line(public_key: str) -> str:
    """Return the line of authorized_keys that lets a key run the probe's script and no other command.

    `restrict` also disables features that later versions of OpenSSH might add (man.openbsd.org/sshd.8,
    AUTHORIZED_KEYS FILE FORMAT).

    Args:
        public_key: `ssh-ed25519 AAAA...`, without a comment.
    """
    return f'restrict,command="{SCRIPT_PATH}" {public_key} gpubot-probe'


# --- the script that starts on-ending.sh


ENDING_PATH = "/usr/local/sbin/gpubot-ending"
"""The path of the second script on a machine. The probe's script contains this path as well."""
ENDING_LOG = "/var/lib/gpubot/on-ending.log"
"""The file on the machine with the output of `/root/on-ending.sh`. The bot never reads it."""

# The machine's SSH server passes the command that the bot sends in the variable SSH_ORIGINAL_COMMAND. Somebody who
# stole the bot's SSH key can put any text into this variable. The script therefore only compares the text, and
# never runs it or lets the shell expand it.
#
# A user who can write to the folder /root could replace on-ending.sh after the script has checked this file. The
# script therefore checks the permissions of /root as well. It changes to /root only once, so that it stays in the
# folder that it checked, even if another folder gets this name later.
#
# on-ending.sh keeps running when the SSH session ends, for two reasons: logind doesn't kill processes of root
# (KillExcludeUsers, logind.conf(5)), and the SSH server sends no signals to processes without a terminal.
ENDING_SCRIPT = r"""#!/bin/sh
# gpubot's probe runs this. It starts /root/on-ending.sh 15 min before the end that gpubot asks the probe to note:
# once for each end, never two at once. It prints how that went, and nothing that on-ending.sh prints.
run=/run/gpubot lock=/run/gpubot/on-ending log=/var/lib/gpubot/on-ending.log
umask 022
mkdir -p $run /var/lib/gpubot && cd /root || exit

# Print "there" if only root can replace on-ending.sh and write to it, else why it is not started.
look() {
  for file in on-ending.sh . on-ending.sh; do
    read -r mode _ user _ <<END
$(ls -ldn $file 2>/dev/null)
END
    case $file:$mode:$user in
      on-ending.sh::) echo none ;;
      on-ending.sh:[!-]*) echo refused no_file ;;
      *:?????w*:0 | *:????????w*:0) echo refused writable ;;
      *:0) continue ;;
      *) echo refused owner ;;
    esac
    return
  done
  if [ -x on-ending.sh ]; then echo there; else echo refused not_executable; fi
}

# Succeed if the process that made the lock runs: $pid, for the end $ran.
locked() { read -r pid ran <$lock && grep -qs gpubot-ending "/proc/$pid/cmdline"; } 2>/dev/null

if [ "$1" = start ]; then
  ran=
  # Only one process removes the lock of one that was killed.
  locked || [ -z "$ran" ] || ! mkdir "$lock.$ran.$pid" || rm -f $lock
  (set -C && echo $$ "$2" >$lock) || exit
  if [ ! -e "$run/ran-$2" ] && [ "$(look)" = there ] && echo 137 >"$run/ran-$2"; then
    exec >/dev/null
    trap '' HUP
    rm -f $log && (umask 077 && : >$log) || log=/dev/null
    ./on-ending.sh >$log 2>&1
    echo $? >"$run/ran-$2"
  fi
  rm -f $lock
  exit
fi

# Only "/usr/local/sbin/gpubot-probe END LEFT" counts: Unix seconds, of at most 10 digits, and the seconds until
# then, of at most 7. END only names the end, since this machine's clock may be wrong.
asked=${SSH_ORIGINAL_COMMAND#/usr/local/sbin/gpubot-probe }
case $asked in
  "$SSH_ORIGINAL_COMMAND" | *[!0123456789' ']* | *' '*' '* | ' '* | *' ' | 0* | *' 0'?*) ;;
  ???????????*' '* | *' '????????*) ;;
  *' '*)
    end=${asked% *}
    echo "$end" >$run/ends-at.$$ && mv $run/ends-at.$$ $run/ends-at
    # This waits until on-ending.sh is started or refused: then the background process closes its standard output.
    locked || [ "${asked#* }" -gt 900 ] || : "$(sh "$0" start "$end" </dev/null 2>/dev/null &)"
    ;;
esac

end=
read -r end 2>/dev/null <$run/ends-at
if locked; then
  echo "on-ending running $ran"
elif read -r status 2>/dev/null <"$run/ran-$end"; then
  echo "on-ending ended $status $end"
else
  echo "on-ending $(look)"
fi
"""


# --- shell commands that install the probe. People paste them into a shell on a machine that ran no startup script


_LINES = """\
(umask 022; mkdir -p /usr/local/sbin; cat >{path} <<'END_OF_PROBE'; chmod 755 {path}
{script}
END_OF_PROBE
umask 077; mkdir -p ~/.ssh; cd ~/.ssh && {{ grep -qsxF '{line}' authorized_keys ||
printf '\\n%s\\n' '{line}' >>authorized_keys; }})"""


def install_lines(probe_line: str) -> str:
    """Return shell lines with which a person can install the probe by hand.

    The lines write the probe's script. They also append `probe_line` to root's authorized_keys if it isn't there
    yet.

    The lines work in bash, dash and BusyBox, even if they are pasted into an interactive shell. They have at most
    2,900 characters, so that one Slack message can show them as a code block. For this reason, they don't install
    the script that starts the owner's `/root/on-ending.sh`. Only the startup script installs it.
    """
    return _LINES.format(path=SCRIPT_PATH, script=PROBE_SCRIPT.removesuffix("\n"), line=probe_line)

"""The script on a machine that starts its owner's `/root/on-ending.sh` before the machine ends. Pure.

The boot script brings it and the probe runs it. docs/probe.md describes what it prints, and its files.
"""

from __future__ import annotations

ENDING_PATH = "/usr/local/sbin/gpubot-ending"
"""Where the script is on a machine. The probe's script has this path too."""
ENDING_LOG = "/var/lib/gpubot/on-ending.log"
"""Where the output of `/root/on-ending.sh` is, on the machine. The bot never reads it."""

# A stolen probe key can send any command, so it is compared as a text and never expanded by the shell.
# A user who can write to /root could replace the file after it was looked at, so /root is looked at too.
# The script stays in that folder even if another one gets its name.
# logind ends no processes of root when a session closes (KillExcludeUsers, logind.conf(5)), and sshd sends no
# signal to them without a terminal.
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

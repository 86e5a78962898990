"""The text of the command `gpubot-run`, which records a job on a machine while it runs.

People start their work with `gpubot-run python train.py`. The command writes one small file for each job to
`JOBS_DIRECTORY`. `bot.policy.access.jobs_script` reads these files. docs/jobs.md describes both scripts.
"""

from __future__ import annotations

RUN_PATH = "/usr/local/bin/gpubot-run"
"""The path of the command on a machine."""
JOBS_DIRECTORY = "/run/gpubot/jobs"
"""The folder on the machine with the files of the jobs. It is root's, and everyone can write to it (mode 1777)."""

# People run this script as root, in a folder in which every user can create files and links. The script therefore
# never opens a file that already exists. It creates a file with a random name, which fails if the name is taken
# (`set -C`, O_EXCL), and then renames the file. If the new name belongs to a link, a plain `mv` would follow the
# link into another folder. `mv -T` of coreutils replaces the link instead, and `mv -T` of BusyBox fails. `touch
# -h` doesn't follow links either.
#
# The person's command must run as it would run without gpubot-run:
# - The command gets an unchanged environment. A person may have exported a variable of any name, so the script
#   sets no variable outside a subshell, except $_gpubot.
# - The command gets the terminal, and is in the same process group as gpubot-run. A command may survive a signal
#   to this group, such as Ctrl-C, or SIGUSR1 from Slurm. gpubot-run must survive the signal, too. It uses `trap :`
#   for this, because the command would inherit a signal that is ignored with `trap ''`.
# - SIGTERM and SIGHUP end gpubot-run at once. A shell runs a trap only after its foreground child has ended, so a
#   separate process, the watcher, passes these signals on to the command. The watcher isn't a child of the
#   command, because the command may wait for all of its children.
#
# The subshell that runs the command reads its own process ID from /proc/self, because $$ is the process ID of
# gpubot-run.
GPUBOT_RUN_SCRIPT = r"""#!/bin/sh
# gpubot-run COMMAND [ARGUMENT ...] runs a command, and lets gpubot see whether it runs and how it ended.
# gpubot-run say TEXT shows a line of progress in Slack.
# Of the command line, it writes down the program's name, and the next argument if that is a file. Nothing else.

# Create the file $1 in the folder of the jobs, with the text $2, or replace it.
put() (
  cd /run/gpubot/jobs && umask 022 && new=new.$(mktemp -u XXXXXXXXXX) || exit
  [ ! -L "$1" ] || rm -f "$1"
  (set -C && printf '%s\n' "$2" >"$new") && mv -fT "$new" "$1" && exit
  rm -f "$new"
  exit 1
) 2>/dev/null

# Set $pid and $born, the process ID and the start time, from a line of /proc/PID/stat. Fail for a zombie.
parse() {
  pid=${1%% *}
  # shellcheck disable=SC2086
  set -- ${1##*) }
  born=${20}
  case $1 in [ZX]) false ;; esac
}

# Succeed if the process $1, which started at $2, still runs.
runs() { read -r stat <"/proc/$1/stat" && parse "$stat" && [ "$born" = "$2" ]; } 2>/dev/null

# Print what is known about a job before it starts: user and ID, start, gpubot-run's own start time, names.
begin() {
  name=${1##*/} file=
  [ ! -f "$2" ] || file=" ${2##*/}"
  # What isn't a program can be a whole command line, or an assignment such as TOKEN=secret.
  command -v "$1" >/dev/null || name="(not found)" file=
  names=$(printf %s "$name$file" | LC_ALL=C tr -c '\040-\176' '?')
  now=$(date +%s)
  cd /run/gpubot/jobs && for old in running.* ended.* new.*; do
    case $old in *[!a-zA-Z0-9.]*) ;; *) echo "$old" ;; esac
  done | (
    # shellcheck disable=SC2046
    rm -f $(stat -c '%Y %n' $(cat) | awk "\$1 < $now - 86400 { print \$2 }")
  )
  read -r stat <"/proc/$$/stat"
  parse "$stat"
  echo "$(id -u).$(mktemp -u XXXXXXXXXX) ${now:--} ${born:--} $names"
}

# Write the file of a job that runs: begin's line $1, and the line $2 of /proc/PID/stat. Then watch it.
start() (
  parse "$2"
  names=${1#* * * } command="$pid $born" told=
  # shellcheck disable=SC2086
  set -- $1
  # Without these numbers, gpubot-run would seem to be gone, and the command would be ended.
  case $2$3 in '' | *[!0-9]*) exit ;; esac
  id=$1 mine=$3
  text="gpubot-job 1 $command $(readlink /proc/self/ns/pid) $2 - - $names"
  put "running.$id" "$text"
  cd /
  exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
  (
    trap '' HUP INT QUIT TERM USR1 USR2 ALRM TSTP TTIN TTOU
    seconds=0
    # shellcheck disable=SC2086
    while sleep 1 && runs $command; do
      runs $$ "$mine" || [ "$told" ] || { told=1 && kill "${command% *}"; }
      seconds=$(((seconds + 1) % 30)) file=/run/gpubot/jobs/running.$id
      [ $seconds != 0 ] || { [ -e "$file" ] && touch -ch "$file"; } || put "running.$id" "$text"
    done
  ) &
) </dev/null >/dev/null 2>&1

case $1 in
  '' | -*)
    echo "usage: gpubot-run COMMAND [ARGUMENT ...], or: gpubot-run say TEXT" >&2
    exit 2
    ;;
  say)
    shift
    put "progress.$(id -u)" "$(printf %.400s "$*" | tr '\001-\037\177' ' ')" ||
      echo "gpubot-run: can't write to /run/gpubot/jobs, so this isn't shown" >&2
    exit 0
    ;;
esac

_gpubot=$(begin "$@" 2>/dev/null)
trap : INT QUIT USR1 USR2 ALRM
# Whoever writes nohup behind gpubot-run wants both to survive.
[ "${1##*/}" != nohup ] || trap '' HUP
(
  read -r _gpubot_stat </proc/self/stat
  start "$_gpubot" "$_gpubot_stat"
  exec "$@"
)
status=$?
trap '' HUP QUIT TERM
names=${_gpubot#* * * }
# shellcheck disable=SC2086
set -- $_gpubot
put "ended.$1" "gpubot-job 1 - - - $2 $status $(date +%s) $names" && rm -f "/run/gpubot/jobs/running.$1"
# A shell that runs this in a loop ends the loop only if the signal of Ctrl-C ended this too.
[ $status != 130 ] || { trap - INT && kill -INT $$; }
exit $status
"""

"""The text of the shell script that prints the jobs on a machine.

After the probe has printed its report, it runs this script. The script reads the files that describe the jobs. The
command in `bot.policy.access.run_script` writes these files, but anybody on the machine can write such files too.
docs/probe.md describes the output.
"""

from __future__ import annotations

JOBS_PATH = "/usr/local/sbin/gpubot-jobs"
"""The path of the script on a machine. The line that runs it is in `bot.policy.access.startup_script`."""

# While this script runs, every user of the machine can create files in the folder of the jobs, under any name and
# of any kind. The script therefore takes these precautions:
# - As root, the script only creates the folder and lets everyone write to it. It also corrects the permissions of
#   a folder that exists: after a restart, Docker may have created it for root alone.
# - The script reads the files as a user ID that nothing else uses, with `chroot --userspec` of coreutils. If
#   somebody replaces a file with a link after the check, the script can read only what is public. The script
#   doesn't run as the user `nobody`, because other programs of `nobody` could write into its pipes and so report
#   false jobs of root. Only if `chroot` lacks this option does the script run as `nobody`, with `su`, which writes
#   a line to the machine's log each time.
# - The script accepts only file names of letters, digits and dots. A name with a line break would otherwise look
#   like two files, and the second could pretend to be root's.
# - A job belongs to the owner of its file. The user ID in the file's name isn't used, because it is different in a
#   container. The file must be a regular file without other links, and only its owner may be able to write to it.
# - The script reads at most 400 bytes of at most 49 files. It begins with root's running jobs, so that other users
#   can't displace them with many files.
# - The file's name shows whether the job is running. A job may end at any moment. In that case, ended.* is created
#   before running.* is removed, so the script also looks for ended.*, and looks again if running.* has
#   disappeared. If the script finds both files of a job, the job has ended.
# - Somebody may replace a file with a FIFO after the check, and reading a FIFO can block forever. The script is
#   then killed after a few seconds, and its last line, `jobs-end`, is missing.
GPUBOT_JOBS_SCRIPT = r"""#!/bin/sh
# gpubot's probe runs this after its report. It prints at most 8 jobs of gpubot-run, and the newest progress.
export LC_ALL=C
if [ "$1" != read ]; then
  umask 022
  [ -k /run/gpubot/jobs ] || { mkdir -p /run/gpubot/jobs && chmod 1777 /run/gpubot/jobs; } || exit
  case $(chroot --help 2>&1) in
    *--userspec*) exec timeout -s KILL 3 chroot --userspec=65533:65533 --groups= / "$0" read ;;
    *) exec timeout -s KILL 3 su -s /bin/sh -c "$0 read" nobody ;;
  esac
fi

cd /run/gpubot/jobs || exit
files=$(for file in running.* ended.* progress.*; do
  case $file in *[!a-zA-Z0-9.]*) ;; running.*) echo "$file ended.${file#*.}" ;; *) echo "$file" ;; esac
done)
# A command can't have more than about 2 MB of arguments.
[ ${#files} -lt 1000000 ] || exit
now=$(date +%s)
echo "gpubot-jobs 1"
# First, choose the files: 0 for running jobs of root, 1 for those of others, 2 for all that ended, 3 for progress.
# A running job's file is touched every 30 s.
# shellcheck disable=SC2086
stat -c '%A %h %u %Y %n' $files </dev/null 2>/dev/null | awk -v now="$now" '
  { split($5, name, "."); age = now - $4; if (age < 0) age = 0 }
  name[1] == "progress" { if (/^-/) print 3, age, $3, $5; next }
  /^-....[^w]..[^w]. 1 / {
    print (name[1] == "running" && age < 180 ? $3 > 0 : 2), age, $3, $5
  }' | sort -n -k 1,1 -k 2,2 | awk 'n[$1]++ < ($1 == 3 ? 1 : 16)' |
  while read -r class age user file; do
    [ -e "$file" ] || {
      class=2 file=ended.${file#*.}
      [ "$(stat -c '%A %h %u' "$file" 2>/dev/null)" = "-rw-r--r-- 1 $user" ] || continue
    }
    echo "$class $age $user $file $(head -c 400 "$file" 2>/dev/null | tr -c '\040-\176\200-\377' ' ')"
  done | awk -v now="$now" -v space="$(readlink /proc/self/ns/pid)" '
  function number(text, most) { return text ~ /^[0-9]+$/ && length(text) < 11 && text + 0 <= most }
  function since(time) { return time < now ? now - time : 0 }

  # Succeed if the process runs, or if that cannot be known here.
  function runs(pid, born, at,   file, line, all, field) {
    file = "/proc/" pid "/stat"
    if (at != space || (getline line <"/proc/1/stat") < 1) return 1
    close("/proc/1/stat")
    if (!number(pid, 9999999) || (getline line <file) < 1) return 0
    do all = all line; while ((getline line <file) > 0)
    close(file)
    sub(/^.*\) /, "", all)
    split(all, field, " ")
    return field[20] == born && field[1] !~ /[ZX]/
  }
  { split($4, name, "."); text = $0; sub(/^[^ ]+ [^ ]+ [^ ]+ [^ ]+ /, "", text) }
  $1 == 3 {
    # At most 100 characters: only the first byte of a character counts.
    for (i = 1; i <= length(text); i++)
      if (!index(rest, substr(text, i, 1)) && ++seen > 100) break
    text = substr(text, 1, i - 1)
    sub(/ +$/, "", text)
    if (text != "") print 3, 0, "progress", $2, text
    next
  }
  $5 != "gpubot-job" || $6 != 1 || name[3] == "" || length(name[3]) > 32 || !number($10, 9999999999) { next }
  {
    ended = $2
    if (name[1] == "ended") {
      if (!number($11, 255) || !number($12, 9999999999)) next
      state = "exit-" ($11 + 0); ended = since($12)
    } else if ($1 == 2 || !runs($7, $8, $9)) state = "unknown"
    else { state = "running"; ended = "-" }
    sub(/^[^ ]+ [^ ]+ [^ ]+ [^ ]+ [^ ]+ [^ ]+ [^ ]+ [^ ]+ /, "", text)
    gsub(/[^ -~]/, "?", text)
    text = substr(text, 1, 100)
    sub(/ +$/, "", text)
    # A job that was seen twice has ended.
    id = $3 "." name[3]
    if (!(id in lines) || name[1] == "ended") {
      keys[id] = (ended == "-" ? $1 : 2) " " (ended == "-" ? since($10) : ended)
      lines[id] = "job " name[3] " " $3 " " state " " since($10) " " ended " " text
    }
  }
  BEGIN { for (i = 128; i < 192; i++) rest = rest sprintf("%c", i) }
  END { for (id in lines) print keys[id], lines[id] }' |
  sort -n -k 1,1 -k 2,2 | awk '$1 == 3 || n++ < 8 { sub(/^[0-9]+ [0-9]+ /, ""); print }'
echo jobs-end
"""

"""The text of the shell script that reads the health of a machine's GPUs.

The startup script installs this shell script on the machine. In each probe run, the probe's script first prints
its own report and then runs this script. docs/probe.md describes the script's input, output and sources.
bot/probe/health.py parses the output.
"""

from __future__ import annotations

HEALTH_PATH = "/usr/local/sbin/gpubot-health"
"""The path of the script on a machine."""

# The script calls nvidia-smi several times, because a single field that the driver doesn't know makes a whole call
# fail. The calls run at the same time, because each of them can take a second. Their output goes to a file and not
# through a pipe: a call that hangs inside the kernel can't be killed, so the pipe would stay open.
#
# The kernel's log identifies a GPU by its PCI bus ID, such as 0000:cb:00. nvidia-smi writes the same ID as
# 00000000:CB:00.0. The function `bus` shortens both forms to :cb:00. A GPU that is lost disappears from
# nvidia-smi's list, so the script keeps the indexes of the first complete list.
#
# In a container, the kernel's log is that of the host. The script therefore ignores errors of GPUs that the
# machine doesn't have, and all lines that are already in the log at the first reading.
#
# nvidia-smi reports the reasons for a slowdown as bits of a hexadecimal number. 0x20 and 0x40 mean heat. 0x80
# means that the power supply slows the GPU down (docs.nvidia.com/deploy/nvml-api, NvmlClocksEventReasons).
#
# The array `s` is the state that the script keeps between two readings. Each key consists of a kind and a bus ID,
# or of a kind and ":" if the value isn't about one GPU. The kinds are:
# - "gpu": the index of the GPU
# - the number of an Xid, that is, of an error of NVIDIA's driver: the number of its lines in the log
# - "base" and "ecc": the number of memory (ECC) errors at the first reading, and since then
# - "gone": 1 if the GPU was missing in the last reading, 2 if it is lost
# - "hot" and "power": the time since which the GPU has been slow
# - "log": the time of the last line that was read
HEALTH_SCRIPT = r"""#!/bin/sh
# gpubot's probe runs this. It prints which faults the machine's NVIDIA GPUs had since the first run, and what else
# there is to know about their health. It checks the GPUs about every 10 min, and otherwise prints the last result.
export LC_ALL=C
exec 2>/dev/null
state=/run/gpubot/health new=/run/gpubot/health.$$

if [ "$1" = read ]; then
  # The driver's errors in the kernel's log, then the time of its last line.
  { timeout 1 dmesg | grep '^\[ *[0-9]' || timeout 1 journalctl -kqo short-monotonic --no-pager; } |
    awk '/NVRM: Xid/ { print } { last = $0 } END { sub(/].*/, "]", last); print last }'
  ask() { nvidia-smi "$@" --format=csv,noheader 2>&1; }
  (ask --query-gpu=index,pci.bus_id; echo "listed $?") &
  ask --query-gpu=pci.bus_id,ecc.errors.corrected.volatile.total,ecc.errors.uncorrected.volatile.total &
  (ask --query-gpu=pci.bus_id,clocks_throttle_reasons.active ||
    ask --query-gpu=pci.bus_id,clocks_event_reasons.active) &
  ask --query-remapped-rows=gpu_bus_id,remapped_rows.failure &
  wait
  exit
fi

echo "gpubot-health 1"
trap 'echo health-end' EXIT
umask 022
command -v nvidia-smi >/dev/null && mkdir -p /run/gpubot && read -r now _ </proc/uptime || exit 0
now=${now%.*}
read -r due at <$state || due=0 at=0
# The machine was restarted, but /run was kept.
[ "$at" -le "$now" ] || { rm -f $state && due=0; }
if [ "$now" -ge "$due" ]; then
  # A driver can hang.
  timeout -s KILL 4 sh "$0" read >$new
  { cat $state; echo new; cat $new; } | awk -v now="$now" -v at="$at" '
  function bus(id) { sub(/^0+/, "", id); sub(/[.,)].*/, "", id); return id }
  function fault(kind, is) { if (is) faults = faults "fault " gpu " " kind "\n" }
  function note(kind, number) { if (number) notes = notes "note " gpu " " kind " " number "\n" }
  function slowed(kind, id) {
    key = kind " " id
    if (!(key in slow)) s[key] = ""
    # After a long time without a reading, nobody knows whether the GPU was slow all the time.
    else if (!s[key] || now - at > 900) s[key] = now
    else if (now - s[key] >= 600) note(kind, now - s[key])
  }
  function report(id) {
    fault("lost", s["gone " id] == 2)
    for (i = 1; i <= 5; i++) fault("xid-" told[i], s[told[i] " " id])
    fault("remap-failed", s["remap " id])
    note("xid-63", s["63 " id])
    note("xid-94", s["94 " id])
    note("ecc", s["ecc " id])
    slowed("hot", id)
    slowed("power", id)
  }
  BEGIN { split("48 64 74 79 95", told, " "); soon = 570 }

  # The state after the last reading.
  $0 == "new" { fresh = 1; next }
  !fresh {
    if (/:/) s[$1 " " $2] = $3
    if ($1 == "gpu") { ids[$3] = $2; known = 1 }
    next
  }

  # The log, such as "[ 12.345678] NVRM: Xid (PCI:0000:cb:00): 79, pid=1, GPU has fallen off the bus."
  { $0 = tolower($0) }
  /^\[/ {
    time = substr($0, 2) + 0
    if (time > newest) newest = time
    if (("log :" in s) && time > s["log :"] && sub(/.*nvrm: xid \((pci:)?/, "") && match($0, /\): /))
      s[substr($0, RSTART + 3) + 0 " " (known ? bus($1) : ":")]++
    next
  }

  # The answers of nvidia-smi.
  /gpu is lost|handle.*unknown error/ && match($0, /[0-9a-f]+:[0-9a-f]+:[0-9a-f.]+/) {
    named = lost[bus(substr($0, RSTART, RLENGTH))] = 1
    next
  }
  /^no devices were found/ { none = 1 }
  /^[0-9]+, / { listed[bus($2)] = $1; rows = 1 }
  $1 == "listed" { complete = (rows && $2 == 0) || none }
  /^[0-9a-f]+:/ {
    id = bus($1)
    if ($2 ~ /^0x/) {
      digit = substr($2, length($2) - 1, 1)
      if (digit ~ /[2-7a-f]/) slow["hot " id] = soon = 60
      if (digit ~ /[89a-f]/) slow["power " id] = soon = 60
    } else if (/, [0-9]+, [0-9]/) {
      count = $2 + $3
      if (!(("base " id) in s)) s["base " id] = count
      if (count < s["base " id]) s["base " id] = 0
      s["ecc " id] = count - s["base " id]
    } else if ($2 == 1 || $2 == "yes") s["remap " id] = 1
  }

  END {
    if (!known && complete) for (id in listed) ids[listed[id] + 0] = id
    gpu = "-"
    report(":")
    for (gpu = 0; gpu < 64; gpu++) if (gpu in ids) {
      id = ids[gpu]
      s["gpu " id] = gpu
      # A GPU that is only missing, without an error, counts as lost if the next run misses it too.
      if (id in lost) s["gone " id] = 2
      else if (complete && !named) s["gone " id] = (id in listed) ? 0 : s["gone " id] ? 2 : 1
      if (s["gone " id] == 1) soon = 60
      report(id)
    }
    print now + soon, now
    if (newest > s["log :"] + 0) s["log :"] = sprintf("%.6f", newest)
    for (key in s) if (s[key] != "") print key, s[key]
    printf "%s%s", faults, notes
  }' >$new.state && mv $new.state $state
  rm -f $new $new.state
fi
grep '^[fn]' $state | head -n 32
"""

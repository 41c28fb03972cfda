#!/bin/bash
# Run one program as root in a User-Mode-Linux guest whose kernel has IPVS.
set -euo pipefail

usage() {
  cat <<'USAGE'
usage: run.sh PROGRAM [ARG...]
Runs PROGRAM (a binary, a command, or a shell script) in a fresh guest and exits with its status;
stdout and stderr are passed through, in full, when the guest ends. stdin is empty.
The guest sees the host's files read-only, in the same places, and starts in the current folder.
Writable in the guest, and lost afterwards: $TMPDIR, /run, /dev/shm, /var/log.
Exit 124: time limit reached. Exit 125: the guest did not start or did not finish.
Environment:
  EK_UML_MEM      guest memory (default 512M)
  EK_UML_TIMEOUT  seconds for the guest (default 300); waiting for other guests is not counted
  EK_UML_GUESTS   how many guests may run at a time (default 2); others wait, up to an hour
  EK_UML_MODULES  modules loaded first (default "ipv6 ip_vs dummy iptable_mangle"); others load on demand
  EK_UML_WRITE    host folders, separated by ':', which the guest may write for real
  EK_UML_SHM      folder backing the guest's memory, on tmpfs (default /dev/shm)
  EK_CACHE        see fetch.sh
USAGE
}
die() { echo "run.sh: $*" >&2; exit 125; }

case ${1:-} in -h|--help) usage; exit 0 ;; '') usage >&2; exit 2 ;; esac
[[ -f $1 && ! -x $1 ]] && set -- bash "$@"

here=$(dirname "$(readlink -f "$0")")
uml=$("$here/fetch.sh") || die "fetch.sh failed"
limit=${EK_UML_TIMEOUT:-300}
work=$(mktemp -d "${TMPDIR:-/tmp}/ek-uml.XXXXXX")
pid=
cleanup() { if [[ -n $pid ]]; then kill "$pid" 2>/dev/null || :; wait "$pid" || :; fi; rm -rf "$work"; }
trap cleanup EXIT
trap 'exit 143' TERM
trap 'exit 130' INT
for path in "$here" "$uml" "$work"; do
  [[ $path != *[[:space:],]* ]] || die "kernel arguments cannot carry this path: $path"
done

# The guest's command: the caller's environment and folder, then the program.
{
  export -p | grep -vE '^declare -x (TMPDIR|PATH|HOME|OLDPWD|SHLVL)(=|$)' || :
  printf 'export PATH=%q:/usr/local/sbin:/usr/sbin:/sbin HOME=%q\n' "$PATH" "${HOME:-/root}"
  printf 'cd %q || exit 125\n' "$PWD"
  printf 'exec'; printf ' %q' "$@"; echo
} > "$work/command"
printf '%s\n' "${EK_UML_MODULES-ipv6 ip_vs dummy iptable_mangle}" > "$work/modules"
tr : '\n' <<< "${EK_UML_WRITE:-}" > "$work/write"

# A place among the guests that run; the lock goes with this process.
place() {
  local wait guest
  for ((wait = 0; wait < 18000; wait++)); do
    for ((guest = 1; guest <= ${EK_UML_GUESTS:-2}; guest++)); do
      exec 8>"${uml%/uml}/guest.$guest"
      if flock -n 8; then return; fi
    done
    sleep 0.2
  done
  die "other guests kept running for an hour"
}
place

LD_PRELOAD="$uml/xstate.so" TMPDIR=${EK_UML_SHM:-/dev/shm} timeout -k 5 "$limit" "$uml/usr/bin/linux.uml" \
  mem="${EK_UML_MEM:-512M}" root=/dev/root rootfstype=hostfs ro init="$here/init.sh" quiet panic=-1 \
  con=null con0=null,fd:1 con1=null ssl=null uml_dir="$work/umid" umid=guest \
  EK_WORK="$work" EK_UML="$uml" > "$work/console" 2>&1 < /dev/null 8>&- &
pid=$!
rc=0; wait "$pid" || rc=$?
pid=

[[ -f $work/stdout ]] && cat "$work/stdout"
[[ -f $work/stderr ]] && cat "$work/stderr" >&2
if [[ -s $work/rc ]]; then exit "$(<"$work/rc")"; fi
if [[ $rc = 124 || $rc = 137 ]]; then echo "run.sh: guest stopped after $limit s" >&2; exit 124; fi
tail -n 20 "$work/console" >&2
die "the guest did not finish (status $rc); its console is above"

#!/bin/bash
# Download and unpack Debian's User-Mode-Linux kernel, its modules and kmod. Nothing is installed.
set -euo pipefail

usage() {
  cat <<'USAGE'
usage: fetch.sh [-f] [-h]
Unpacks user-mode-linux, kmod and libkmod2 (41 MB to download) into a cache folder and prints that folder.
Returns at once when they are already there.
  -f   fetch again
Environment: EK_CACHE  cache folder (default ${XDG_CACHE_HOME:-$HOME/.cache}/evenkeel)
USAGE
}
die() { echo "fetch.sh: $*" >&2; exit 1; }

force=0
while getopts fh opt; do
  case $opt in f) force=1 ;; h) usage; exit 0 ;; *) usage >&2; exit 2 ;; esac
done

here=$(dirname "$(readlink -f "$0")")
cache=${EK_CACHE:-${XDG_CACHE_HOME:-${HOME:?HOME is not set}/.cache}/evenkeel}
root=$cache/uml
fresh() { [[ $force = 0 && -f $root/.complete && ! $here/xstate.c -nt $root/.complete ]]; }
if fresh; then echo "$root"; exit 0; fi
[[ $(uname -m) = x86_64 ]] || die "Debian's user-mode-linux exists for x86_64 only, this is $(uname -m)"
for tool in apt-get dpkg flock; do
  command -v "$tool" >/dev/null || die "$tool not found: the guest's kernel is a package of Debian 12"
done
command -v cc >/dev/null || die "cc not found: apt-get install gcc libc6-dev"

mkdir -p "$cache"
exec 9>"$cache/lock"                      # test binaries may start several guests at once
flock -w 300 9 || die "another fetch holds $cache/lock"
if fresh; then echo "$root"; exit 0; fi

new=$(mktemp -d "$cache/new.XXXXXX")
trap 'rm -rf "$new"' EXIT
download() {
  (cd "$new" && timeout 240 apt-get -q -o APT::Sandbox::User=root download user-mode-linux kmod libkmod2)
}
download >&2 || { timeout 240 apt-get -q update >&2 && download >&2; } ||
  die "apt-get cannot download user-mode-linux, kmod and libkmod2: is Debian's archive configured and reachable?"
for deb in "$new"/*.deb; do dpkg -x "$deb" "$new"; rm "$deb"; done
cc -O2 -Wall -Wextra -shared -fPIC -o "$new/xstate.so" "$here/xstate.c" || die "xstate.c cannot be compiled"

# modprobe looks for ROOT/lib/modules; kmod acts according to the name it is called by.
mkdir -p "$new/lib" "$new/sbin"
ln -sfn ../usr/lib/uml/modules "$new/lib/modules"
for name in modprobe depmod; do ln -sfn ../bin/kmod "$new/sbin/$name"; done
cat > "$new/modprobe" <<'WRAPPER'
#!/bin/sh
# Called by the guest kernel to load a module on demand.
dir=$(dirname "$(readlink -f "$0")")
export LD_LIBRARY_PATH="$dir/lib/x86_64-linux-gnu:$dir/usr/lib/x86_64-linux-gnu"
exec "$dir/sbin/modprobe" -d "$dir" "$@"
WRAPPER
chmod 755 "$new" "$new/modprobe"
"$new/modprobe" -S "$(ls "$new/lib/modules")" -n ip_vs || die "the package has no ip_vs module"

touch "$new/.complete"
rm -rf "$root"
mv "$new" "$root"
echo "$root"

#!/bin/bash
# First process of the guest started by run.sh; never run it on a host.
# EK_WORK (the host's result folder) and EK_UML (the unpacked kernel) arrive as kernel arguments.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
[[ ${1:-} = -h ]] && { echo "usage: started by run.sh as the first process of its guest"; exit 0; }
[[ $$ = 1 && -n ${EK_WORK:-} ]] || { echo "init.sh: only for the guest of run.sh" >&2; exit 1; }

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mountpoint -q /dev || mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
ln -sfn /proc/self/fd /dev/fd
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var/log
mkdir -p /run/netns /run/lock /run/tmp /run/result
mount -t hostfs none /run/result -o "$EK_WORK"
while read -r dir; do
  [[ -z $dir ]] || mount -t hostfs none "$dir" -o "$dir" || echo "init.sh: cannot open $dir for writing" >> /run/result/stderr
done < /run/result/write
# Hand output to the host soon, so that it is not lost when the time limit strikes.
echo 50 > /proc/sys/vm/dirty_writeback_centisecs
echo 50 > /proc/sys/vm/dirty_expire_centisecs

echo "$EK_UML/modprobe" > /proc/sys/kernel/modprobe
for module in $(< /run/result/modules); do
  "$EK_UML/modprobe" "$module" || echo "init.sh: module $module not loaded" >> /run/result/stderr
done
ip link set lo up

env -i TMPDIR=/run/tmp setsid bash /run/result/command >> /run/result/stdout 2>> /run/result/stderr < /dev/null
echo $? > /run/result/rc
sync
echo o > /proc/sysrq-trigger
sleep 10

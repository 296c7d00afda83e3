# Makes a machine and runs systemd on it until it exits: sh -c SCRIPT sh SCRATCH DIRECTORY...
# SCRATCH is an empty directory with the unit test.service. The directories are as they are
# outside; of everything else the machine has a copy, which goes with it. It is to be run in
# a mount namespace of its own, and is ended by SIGTERM.
set -eu
scratch=$1
shift

# A control group of its own: systemd believes that it is all there are. No controllers.
mkdir "$scratch/groups" "$scratch/disk"
mount -t cgroup2 cgroup2 "$scratch/groups"
group=$scratch/groups/edgeftp-test-$$
mkdir "$group"
echo $$ >"$group/cgroup.procs"

inside='
set -eu
scratch=$1
shift
mount -t tmpfs -o mode=0755 tmpfs "$scratch/disk"
root=$scratch/disk/root
mkdir "$root" "$scratch/disk/upper" "$scratch/disk/work"
mount -t overlay -o "lowerdir=/,upperdir=$scratch/disk/upper,workdir=$scratch/disk/work" overlay "$root"
mount -t proc proc "$root/proc"
mount --bind "$root/proc/sys" "$root/proc/sys" # what is not of a namespace is not to be set
mount -o remount,bind,ro "$root/proc/sys"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
for dir in dev run; do
	mount -t tmpfs -o mode=0755 tmpfs "$root/$dir"
done
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
for device in null zero full random urandom tty; do
	: >"$root/dev/$device"
	mount --bind "/dev/$device" "$root/dev/$device"
done
for dir; do
	mkdir -p "$root$dir"
	mount --bind "$dir" "$root$dir"
done

# Nothing of what this system starts, mounts or has of the program.
rm -rf "$root"/etc/systemd/system "$root"/usr/lib/systemd/system/*.wants "$root/var/log/journal"
rm -rf "$root/etc/edgeftp" "$root/srv/ftp" "$root/var/lib/edgeftp" "$root/usr/bin/edgeftp"
mkdir -p "$root/etc/systemd/system" "$root/usr/lib/systemd/system/sysinit.target.wants"
ln -s ../systemd-journald.service "$root/usr/lib/systemd/system/sysinit.target.wants/"
cp "$scratch/test.service" "$root/etc/systemd/system/"
: >"$root/etc/fstab"
echo 0123456789abcdef0123456789abcdef >"$root/etc/machine-id"

hostname machine
cd "$root"
mkdir outside
pivot_root . outside
umount -l /outside
mount --make-rshared / # as systemd has it where it is in no container: its credentials need it
exec env -i container=edgeftp setpriv --bounding-set=-sys_module,-sys_time,-sys_rawio,-syslog \
	/usr/lib/systemd/systemd --unit=test.service --show-status=no --log-target=journal </dev/null
'
leave() { echo $$ >"$scratch/groups/cgroup.procs"; }
trap '' PIPE # whoever reads may have gone before
trap 'trap "" TERM; leave; echo 1 >"$group/cgroup.kill"' TERM # which comes for each thread of the parent that ends
unshare --mount --pid --net --ipc --uts --cgroup --fork --kill-child sh -c "$inside" sh "$scratch" "$@" &
status=0
wait $! || status=$?
leave
while grep -q 'populated 1' "$group/cgroup.events"; do
	sleep 0.05
done
find "$group" -depth -type d -exec rmdir {} +
exit "$status"

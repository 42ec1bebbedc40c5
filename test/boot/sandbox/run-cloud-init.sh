#!/bin/bash
# run-cloud-init.sh COMMAND_LINE OUTDIR: boots the installed cloud-init with that kernel command line, which names a
# NoCloud seed on 127.0.0.1, in private namespaces over a throw-away overlay of /. Root needed. It keeps accidents from
# the host, not attackers.
# STAGES is what to run; "reboot" among them empties /run. OUTDIR gets rootfs/ (what changed, owners and modes kept),
# cloud-init.log, console.log and stages (exit status and command, one a line).
set -euo pipefail
COMMAND_LINE=$1
OUTDIR=$2
FULL_BOOT='identify local init config final'
here=$(cd "$(dirname "$0")" && pwd)

# ---- outside: makes the namespaces, and relays connections to the seed into them ----
if [ "${INSIDE:-}" != 1 ]; then
  port=$(sed -nE 's#.*http://127\.0\.0\.1:([0-9]+)/.*#\1#p' <<<"$COMMAND_LINE")
  [ -n "$port" ] || { echo 'The command line names no seed on http://127.0.0.1:PORT/.' >&2; exit 64; }
  work=$(mktemp -d)
  mkfifo "$work/go"
  relay= sandbox= inner=
  clean_up() {
    trap - EXIT
    # The first process of the namespace takes all others with it; unshare then reaps it and returns.
    [ -z "$inner" ] || kill -KILL "$inner" 2>/dev/null || true
    [ -z "$sandbox" ] || kill -KILL "$sandbox" 2>/dev/null || true
    [ -z "$relay" ] || kill "$relay" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$work"
  }
  trap clean_up EXIT
  trap 'exit 130' INT TERM
  env -i PATH="$PATH" INSIDE=1 WORK="$work" STAGES="${STAGES:-$FULL_BOOT}" \
    unshare --mount --net --pid --uts --ipc --fork --kill-child=KILL --propagation private \
    "$0" "$COMMAND_LINE" "$OUTDIR" &
  sandbox=$!
  for _ in $(seq 100); do
    inner=$(cat "/proc/$sandbox/task/$sandbox/children" 2>/dev/null || true)
    inner=${inner%% *}
    if [ -n "$inner" ] && [ "$(readlink "/proc/$inner/ns/net")" != "$(readlink /proc/self/ns/net)" ]; then break; fi
    sleep 0.05
  done
  coproc RELAY { exec /usr/bin/python3 "$here/netrelay.py" "/proc/$inner/ns/net" "$port"; }
  relay=$RELAY_PID
  read -r -t 10 _ <&"${RELAY[0]}"
  echo go >"$work/go"
  status=0
  wait "$sandbox" || status=$?
  sandbox= inner=
  exit "$status"
fi

# ---- inside: the first process of the namespaces ----
read -r _ <"$WORK/go"
echo sandbox >/proc/sys/kernel/hostname
mkdir "$WORK/disk"
mount -t tmpfs -o mode=755 tmpfs "$WORK/disk"
mkdir "$WORK"/disk/{upper,work,root}
ROOT=$WORK/disk/root
mount -t overlay overlay -o "lowerdir=/,upperdir=$WORK/disk/upper,workdir=$WORK/disk/work" "$ROOT"
mount -t proc -o nosuid,nodev,noexec proc "$ROOT/proc"
mount -t sysfs -o ro,nosuid,nodev,noexec sysfs "$ROOT/sys"

# A /dev without block devices: no module reaches a disk of the host.
mount -t tmpfs -o mode=755 tmpfs "$ROOT/dev"
for device in null:3 zero:5 full:7 random:8 urandom:9; do
  mknod -m 666 "$ROOT/dev/${device%:*}" c 1 "${device#*:}"
done
mknod -m 666 "$ROOT/dev/tty" c 5 0
mkdir "$ROOT"/dev/{pts,shm}
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$ROOT/dev/pts"
ln -s pts/ptmx "$ROOT/dev/ptmx"
ln -s /proc/self/fd "$ROOT/dev/fd"
for stream in 0:stdin 1:stdout 2:stderr; do ln -s "/proc/self/fd/${stream%:*}" "$ROOT/dev/${stream#*:}"; done

EMPTY='run tmp root home var/lib/cloud var/log'
for directory in $EMPTY; do
  mkdir -p "$ROOT/$directory"
  mount -t tmpfs -o mode=755 tmpfs "$ROOT/$directory"
done
chmod 1777 "$ROOT/tmp"
chmod 700 "$ROOT/root"
mkdir "$ROOT/run/lock"

echo "BOOT_IMAGE=/vmlinuz root=/dev/vda1 ro quiet $COMMAND_LINE" >"$WORK/disk/cmdline"
mount --bind "$WORK/disk/cmdline" "$ROOT/proc/cmdline"
echo '127.0.0.1 localhost sandbox' >"$ROOT/etc/hosts"
# In a container cloud-init reads /proc/1/cmdline instead of the kernel's.
rm -rf "$ROOT"/etc/ssh/ssh_host_* "$ROOT/.dockerenv" "$ROOT/.containerenv"
cat >"$ROOT/etc/cloud/cloud.cfg.d/99-sandbox.cfg" <<CFG
network: {config: disabled}
growpart: {mode: "off"}
resize_rootfs: false
apt: {preserve_sources_list: true}
ssh_genkeytypes: [ed25519]
locale: C.UTF-8
CFG

KEPT_FROM_GUEST=-sys_module,-sys_rawio,-sys_time,-mknod,-sys_boot,-syslog,-sys_admin,-net_admin
: >"$OUTDIR/stages"
stage() {
  local status=0
  setpriv --bounding-set="$KEPT_FROM_GUEST" \
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 HOME=/root \
    DEBUG_PROC_CMDLINE="$(cat "$WORK/disk/cmdline")" chroot "$ROOT" "$@" \
    </dev/null >>"$OUTDIR/console.log" 2>&1 || status=$?
  echo "$status $*" >>"$OUTDIR/stages"
}
for name in $STAGES; do
  case $name in
    identify) stage /usr/lib/cloud-init/ds-identify --force ;;
    local) stage cloud-init init --local ;;
    init) stage cloud-init init ;;
    config) stage cloud-init modules --mode=config ;;
    final) stage cloud-init modules --mode=final ;;
    reboot)
      umount "$ROOT/run"
      mount -t tmpfs -o mode=755 tmpfs "$ROOT/run"
      mkdir "$ROOT/run/lock"
      ;;
  esac
done

cp -a "$WORK/disk/upper" "$OUTDIR/rootfs"
for directory in $EMPTY; do
  mkdir -p "$OUTDIR/rootfs/$directory"
  cp -a "$ROOT/$directory/." "$OUTDIR/rootfs/$directory/"
done
cp "$ROOT/var/log/cloud-init.log" "$OUTDIR/"

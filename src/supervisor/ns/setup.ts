/**
 * The shell script by which a pod's pause process makes the pod: two network namespaces joined by a cable, and what its
 * programs see of this machine. It runs in user, mount, PID, UTS and IPC namespaces of its own, whose root it is.
 *
 * In: variables (SetupVariables). Out, on standard output: `pid N` (as the host counts), `step NAME` before each step,
 * `ready`. Then it waits for its standard input to close, which is the end of the pod: with the first process of a PID
 * namespace the kernel ends all others, and with the last one the namespaces.
 */

/** Lists have a path a line; READ_ONLY has `writable|folder|mount FLAGS PATH`: see files.ts. */
export interface SetupVariables {
  ADDRESS4: string
  ADDRESS6: string
  /** The proxy's end of the cable: gateway and DNS server. */
  GATEWAY4: string
  HOST_NAME: string
  RESOLV_CONF: string
  HOSTS: string
  /** An empty folder in the mesh's home. */
  STAGE: string
  /** Folders that become private and empty, and what stays visible below them. */
  COVERED: string
  KEPT: string
  /** Folders that nobody in the pod may look into: homes of meshes. */
  HIDDEN: string
  READ_ONLY: string
  /** UNIX sockets of the host. */
  MASKED: string
}

/** Descriptor under which the pause process holds the proxy's network namespace. */
export const PROXY_NETWORK_FD = 9

/** The program's network namespace is the second one made, so that the pause process is in it. */
export const SETUP_SCRIPT = `
set -eu
read -r pid rest < /proc/self/stat
echo "pid $pid"
exec ${PROXY_NETWORK_FD}< /proc/self/ns/net
exec unshare --net /bin/sh -c "$PROGRAM_SIDE"
`

/**
 * In table main, where the route back to the program is more specific: in table local it would be shadowed, and the
 * answers with it.
 */
const PROXY_SIDE = `
set -eu
ip link set lo up
ip address add $GATEWAY4/32 dev proxy0
ip link set proxy0 up
ip route add $ADDRESS4/32 dev proxy0
ip route add local default dev lo table main
if [ -d /proc/sys/net/ipv6 ]; then
  ip address add fe80::1/64 dev proxy0 nodad
  ip -6 route add $ADDRESS6/128 dev proxy0
  ip -6 route add local default dev lo table main
fi
echo 0 > /proc/sys/net/ipv4/ip_unprivileged_port_start
`

const PROGRAM_SIDE = `
set -eu
step() { echo "step $1"; }
list() { printf '%s\\n' "$1" | grep . || true; }

step 'network: the cable between program and proxy'
ip link add eth0 mtu 65535 type veth peer name proxy0 mtu 65535 netns /proc/self/fd/${PROXY_NETWORK_FD}
ip link set lo up
ip address add $ADDRESS4/32 dev eth0
ip link set eth0 up
ip route add $GATEWAY4 dev eth0 scope link
ip route add default via $GATEWAY4 dev eth0
if [ -d /proc/sys/net/ipv6 ]; then
  ip address add $ADDRESS6/128 dev eth0 nodad
  ip -6 route add default via fe80::1 dev eth0
fi
echo 0 > /proc/sys/net/ipv4/ip_unprivileged_port_start
step 'network: every address leads to the proxy'
nsenter --net=/proc/self/fd/${PROXY_NETWORK_FD} /bin/sh -c "$PROXY_SIDE"

# its own host name, as in Kubernetes, where there is a tool that sets it; nothing depends on it
hostname "$HOST_NAME" 2> /dev/null || true

step 'sockets of this machine'
list "$MASKED" | while read -r path; do
  # what cannot be covered because nobody of this user gets there needs no cover
  mount --bind /dev/null "$path" 2>/dev/null || [ ! -w "$path" ]
done

step 'folders of its own'
mount -t tmpfs -o mode=0700 pocketmesh "$STAGE"
exec 8< "$STAGE"
stage=/proc/self/fd/8
cp "$RESOLV_CONF" $stage/resolv.conf
cp "$HOSTS" $stage/hosts
# a link, as a rule, to a folder that will be covered
resolv_conf=$(readlink -f /etc/resolv.conf)
list "$KEPT" | while read -r path; do
  n=$((\${n:-0} + 1))
  mkdir "$stage/$n"
  mount --rbind "$path" "$stage/$n"
done
list "$COVERED" | while read -r path; do
  mount -t tmpfs -o mode=1777,nosuid,nodev pocketmesh "$path"
done
list "$KEPT" | while read -r path; do
  n=$((\${n:-0} + 1))
  mkdir -p "$path"
  mount --rbind "$stage/$n" "$path"
done

step 'names: resolv.conf and hosts'
if [ ! -e "$resolv_conf" ]; then
  mkdir -p "$(dirname "$resolv_conf")"
  touch "$resolv_conf"
fi
mount --bind $stage/resolv.conf "$resolv_conf"
mount --bind $stage/hosts /etc/hosts
mount -o remount,bind,ro "$resolv_conf"
mount -o remount,bind,ro /etc/hosts

step 'devices'
mkdir $stage/dev
mount -t tmpfs -o mode=0755,nosuid pocketmesh $stage/dev
for name in null zero full random urandom tty; do
  touch $stage/dev/$name
  mount --bind /dev/$name $stage/dev/$name
done
mkdir $stage/dev/pts $stage/dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,nosuid,noexec devpts $stage/dev/pts
mount -t tmpfs -o mode=1777,nosuid,nodev pocketmesh $stage/dev/shm
ln -s pts/ptmx $stage/dev/ptmx
ln -s /proc/self/fd $stage/dev/fd
ln -s /proc/self/fd/0 $stage/dev/stdin
ln -s /proc/self/fd/1 $stage/dev/stdout
ln -s /proc/self/fd/2 $stage/dev/stderr
mount --rbind $stage/dev /dev

step 'read-only files'
list "$READ_ONLY" | while read -r kind flags path; do
  [ "$kind" = mount ] || mount --rbind "$path" "$path"
  [ "$kind" = writable ] || mount -o "remount,bind,ro,$flags" "$path"
done

step 'folders of meshes'
list "$HIDDEN" | while read -r path; do
  [ -d "$path" ] || continue
  mount -t tmpfs -o ro,mode=0555,size=4k pocketmesh "$path"
done
exec 8<&-

step 'processes of its own (/proc)'
mount -t proc -o nosuid,nodev,noexec proc /proc
mount --bind /proc/sys /proc/sys
# a program's own user namespace says there that it makes no others
mount --bind /proc/sys/user /proc/sys/user
mount -o remount,bind,ro,nosuid,nodev,noexec /proc/sys
for path in bus fs irq sysrq-trigger; do
  [ -e /proc/$path ] || continue
  mount --bind /proc/$path /proc/$path
  mount -o remount,bind,ro,nosuid,nodev,noexec /proc/$path
done

echo ready
exec > /dev/null
# what its children leave behind is reaped by the kernel
trap '' CHLD
exec cat
`

/** Parts of the script that travel as variables, so that no quoting stands between them. */
export const SETUP_PARTS = { PROGRAM_SIDE, PROXY_SIDE }

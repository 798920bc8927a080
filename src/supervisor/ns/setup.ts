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
echo 0 > /proc/sys/net/ipv4/ip_unprivileged_port_start
exec unshare --net /bin/sh -c "$PROGRAM_SIDE"
`

/**
 * Each tool that is started costs a millisecond, which fifty pods feel: hence `ip -batch`, and lists that the shell
 * reads itself. The local default routes are in table main, where the route back to the program is more specific: in
 * table local it would be shadowed, and the answers with it.
 */
const PROGRAM_SIDE = `
set -eu
step() { echo "step $1"; }

has6=
[ ! -d /proc/sys/net/ipv6 ] || has6=yes
step 'network: the cable between program and proxy'
ip -batch - << END
link add eth0 mtu 65535 type veth peer name proxy0 mtu 65535 netns /proc/self/fd/${PROXY_NETWORK_FD}
link set lo up
address add $ADDRESS4/32 dev eth0
link set eth0 up
route add $GATEWAY4 dev eth0 scope link
route add default via $GATEWAY4 dev eth0
\${has6:+address add $ADDRESS6/128 dev eth0 nodad
route add ::/0 via fe80::1 dev eth0}
END
echo 0 > /proc/sys/net/ipv4/ip_unprivileged_port_start
step 'network: every address leads to the proxy'
nsenter --net=/proc/self/fd/${PROXY_NETWORK_FD} ip -batch - << END
link set lo up
address add $GATEWAY4/32 dev proxy0
link set proxy0 up
route add $ADDRESS4/32 dev proxy0
route add local 0.0.0.0/0 dev lo table main
\${has6:+address add fe80::1/64 dev proxy0 nodad
route add $ADDRESS6/128 dev proxy0
route add local ::/0 dev lo table main}
END

# its own host name, as in Kubernetes, where there is a tool that sets it; nothing depends on it
hostname "$HOST_NAME" 2> /dev/null || true

step 'sockets of this machine'
while read -r path; do
  # what cannot be covered because nobody of this user gets there needs no cover
  [ -z "$path" ] || mount --bind /dev/null "$path" 2>/dev/null || [ ! -w "$path" ]
done << END
$MASKED
END

step 'folders of its own'
mount -t tmpfs -o mode=0700 pocketmesh "$STAGE"
exec 8< "$STAGE"
stage=/proc/self/fd/8
cp "$RESOLV_CONF" "$HOSTS" $stage
# a link, as a rule, to a folder that will be covered
resolv_conf=$(readlink -f /etc/resolv.conf)
n=0
while read -r path; do
  [ -n "$path" ] || continue
  n=$((n + 1))
  mkdir "$stage/$n"
  mount --rbind "$path" "$stage/$n"
done << END
$KEPT
END
while read -r path; do
  [ -z "$path" ] || mount -t tmpfs -o mode=1777,nosuid,nodev pocketmesh "$path"
done << END
$COVERED
END
n=0
while read -r path; do
  [ -n "$path" ] || continue
  n=$((n + 1))
  mkdir -p "$path"
  mount --rbind "$stage/$n" "$path"
done << END
$KEPT
END

step 'names: resolv.conf and hosts'
if [ ! -e "$resolv_conf" ]; then
  mkdir -p "$(dirname "$resolv_conf")"
  : > "$resolv_conf"
fi
mount -o bind,ro $stage/resolv.conf "$resolv_conf"
mount -o bind,ro $stage/hosts /etc/hosts

step 'devices'
mkdir $stage/dev
mount -t tmpfs -o mode=0755,nosuid pocketmesh $stage/dev
for name in null zero full random urandom tty; do
  : > $stage/dev/$name
  mount --bind /dev/$name $stage/dev/$name
done
mkdir $stage/dev/pts $stage/dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,nosuid,noexec devpts $stage/dev/pts
mount -t tmpfs -o mode=1777,nosuid,nodev pocketmesh $stage/dev/shm
ln -s pts/ptmx /proc/self/fd $stage/dev
ln -s /proc/self/fd/0 $stage/dev/stdin
ln -s /proc/self/fd/1 $stage/dev/stdout
ln -s /proc/self/fd/2 $stage/dev/stderr
mount --rbind $stage/dev /dev

step 'read-only files'
while read -r kind flags path; do
  case $kind in
    writable) mount --rbind "$path" "$path" ;;
    folder) mount -o "rbind,ro,$flags" "$path" "$path" ;;
    mount) mount -o "remount,bind,ro,$flags" "$path" ;;
  esac
done << END
$READ_ONLY
END

step 'folders of meshes'
while read -r path; do
  [ ! -d "$path" ] || mount -t tmpfs -o ro,mode=0555,size=4k pocketmesh "$path"
done << END
$HIDDEN
END
exec 8<&-

step 'processes of its own (/proc)'
mount -t proc -o nosuid,nodev,noexec proc /proc
mount --bind /proc/sys /proc/sys
# a program's own user namespace says there that it makes no others
mount --bind /proc/sys/user /proc/sys/user
mount -o remount,bind,ro,nosuid,nodev,noexec /proc/sys
for path in bus fs irq sysrq-trigger; do
  [ ! -e /proc/$path ] || mount -o bind,ro,nosuid,nodev,noexec /proc/$path /proc/$path
done

echo ready
exec > /dev/null
# what its children leave behind is reaped by the kernel
trap '' CHLD
exec cat
`

/** The part of the script that travels as a variable, so that no quoting stands between them. */
export const SETUP_PARTS = { PROGRAM_SIDE }

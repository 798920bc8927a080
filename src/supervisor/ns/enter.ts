/**
 * Command lines that take a process into a pod. In: the pod's pause process, as the host counts. Out: words to put
 * before a command. Neither way leaves a capability, nor a way to gain one.
 */
import { PROXY_NETWORK_FD } from './setup.ts'

const NO_CAPABILITIES = ['--inh-caps=-all', '--ambient-caps=-all', '--bounding-set=-all', '--no-new-privs']

/** Into the proxy's network, ended by the kernel when its parent ends. The process is the one that was started. */
export function proxyPrefix(pausePid: number): string[] {
  return [...proxyNetwork(pausePid), 'setpriv', '--pdeathsig=KILL', ...NO_CAPABILITIES, '--']
}

/** The same for a command of the user's own, beside the proxy. */
export function besideProxyPrefix(pausePid: number): string[] {
  return [...proxyNetwork(pausePid), 'setpriv', ...NO_CAPABILITIES, '--']
}

function proxyNetwork(pausePid: number): string[] {
  const network = `--net=/proc/${pausePid}/fd/${PROXY_NETWORK_FD}`
  return ['nsenter', `--target=${pausePid}`, '--user', network, '--preserve-credentials', '--']
}

/**
 * Runs as root of the program's own user namespace: no further ones below it, then the folder (a mount namespace is
 * entered at its root), then the command.
 */
const LAST_STEPS = `echo 0 > /proc/sys/user/max_user_namespaces; cd "$1" || exit 1; shift
exec setpriv ${NO_CAPABILITIES.join(' ')} -- "$@"`

/**
 * Into the pod, as its programs are: their user, in a user namespace of their own, so that nothing of the pod belongs to
 * it. `nsenter` stays as the parent, for a process cannot change its own PID namespace.
 */
export function programPrefix(pausePid: number, cwd: string): string[] {
  const namespaces = `nsenter --target=${pausePid} --user --mount --net --pid --uts --ipc --preserve-credentials --`
  return [...namespaces.split(' '), ...programUser(), '/bin/sh', '-c', LAST_STEPS, 'sh', cwd]
}

/** A user namespace in which a program has the user and group that it would have outside. */
export function programUser(): string[] {
  const [uid = 0, gid = 0] = [process.getuid?.(), process.getgid?.()]
  return `unshare --user --map-user=${uid} --map-group=${gid} --keep-caps --`.split(' ')
}

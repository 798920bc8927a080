/**
 * What this machine allows of mode `ns`. Everything that a pod's start does is tried once, with the same tools, in
 * namespaces that end with the trial. In: nothing. Out: a finding per step; for the first that fails the one setting that
 * would allow it (the steps after it are not tried).
 */
import { execFile } from 'node:child_process'
import { accessSync, constants, existsSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { programUser } from './enter.ts'
import { systemPath, UNSHARE } from './pause.ts'

export interface NamespaceSupport {
  ok: boolean
  findings: Finding[]
}

interface Finding {
  what: string
  level: 'ok' | 'bad'
  hint?: string
}

const TOOLS: Readonly<Record<string, string>> = {
  unshare: 'util-linux',
  nsenter: 'util-linux',
  setpriv: 'util-linux',
  setsid: 'util-linux',
  mount: 'mount',
  ip: 'iproute2',
}

const TRIAL_MS = 10_000
const MOUNTS = '/proc/self/mountinfo'
const LIMIT_HINT = 'as root: sysctl -w user.max_user_namespaces=15000'

interface Step {
  what: string
  script: string
  /** In: what the failed step said. */
  hint: (said: string) => string
}

const STEPS: readonly Step[] = [
  { what: 'network namespaces', script: 'ip link set lo up', hint: userNamespaceHint },
  {
    what: 'a cable between two of them (veth)',
    script: 'ip link add a0 type veth peer name a1',
    hint: () => 'load the kernel module as root: modprobe veth',
  },
  {
    what: 'routes that make every address local',
    script: 'ip route add local default dev lo table main',
    hint: () => 'the kernel needs CONFIG_IP_MULTIPLE_TABLES',
  },
  {
    what: existsSync('/proc/sys/net/ipv6') ? 'the same for IPv6' : 'no IPv6 here: pods have IPv4 alone',
    script: '[ ! -d /proc/sys/net/ipv6 ] || ip -6 route add local default dev lo table main',
    hint: () => 'start the kernel without ipv6.disable_ipv6=1; with ipv6.disable=1 pods have IPv4 alone',
  },
  {
    what: 'entering namespaces',
    script: 'nsenter --net=/proc/self/ns/net true',
    hint: () => (inContainer() ? containerHint() : 'a sandbox around this process forbids setns'),
  },
  {
    what: 'low ports for everybody',
    script: 'echo 0 > /proc/sys/net/ipv4/ip_unprivileged_port_start',
    hint: () => (inContainer() ? containerHint() : 'the kernel must be 4.11 or newer'),
  },
  {
    what: 'private folders and devices',
    script: 'mount -t tmpfs trial /sys\nmkdir /sys/pts /sys/own\nmount -t devpts -o newinstance trial /sys/pts',
    hint: userNamespaceHint,
  },
  {
    what: 'read-only folders',
    script: 'mount --bind /sys/own /sys/own\nmount -o remount,bind,ro /sys/own',
    hint: userNamespaceHint,
  },
  {
    what: 'a /proc of its own',
    script: 'mount -t proc proc /proc',
    hint: () =>
      inContainer()
        ? containerHint()
        : 'something is mounted over parts of /proc, which hides it from namespaces: unmount it',
  },
  {
    what: 'programs without capabilities, and without a way to one',
    script: `${programUser().join(' ')} /bin/sh -c 'echo 0 > /proc/sys/user/max_user_namespaces; exec setpriv --inh-caps=-all --ambient-caps=-all --bounding-set=-all --no-new-privs true'`,
    hint: () => 'util-linux must be 2.36 or newer',
  },
]

const DOCKER_HINT =
  'start the container with --security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined'
const KUBERNETES_HINT =
  'start the pod with seccompProfile and appArmorProfile Unconfined, and its container with procMount: Unmasked'

export async function namespaceSupport(): Promise<NamespaceSupport> {
  if (process.platform !== 'linux') return failed([], 'network namespaces', 'they are Linux only')
  const missing = Object.keys(TOOLS).filter((tool) => !isOnPath(tool))
  if (missing.length > 0) {
    const packages = [...new Set(missing.map((tool) => TOOLS[tool]))].join(' ')
    return failed([], `${missing.join(', ')} on PATH`, `install ${packages}`)
  }
  const findings: Finding[] = [{ what: `${Object.keys(TOOLS).join(', ')} are there`, level: 'ok' }]
  const { passed, said } = await tryAll()
  if (passed < 0) return failed(findings, `user namespaces${inBrackets(said)}`, userNamespaceHint(said))
  findings.push({ what: 'user namespaces', level: 'ok' })
  for (const { what } of STEPS.slice(0, passed)) findings.push({ what, level: 'ok' })
  const stopped = STEPS[passed]
  if (stopped !== undefined) return failed(findings, `${stopped.what}${inBrackets(said)}`, stopped.hint(said))
  return { ok: true, findings }
}

function failed(findings: readonly Finding[], what: string, hint: string): NamespaceSupport {
  return { ok: false, findings: [...findings, { what: `not to be had: ${what}`, level: 'bad', hint }] }
}

/** How many steps passed, -1 where not even the namespaces were made; and what the first that did not pass said. */
function tryAll(): Promise<{ passed: number; said: string }> {
  const script = ['set -e', 'echo', ...STEPS.map(({ script: line }) => `${line}\necho`)].join('\n')
  const env = { PATH: systemPath() }
  return new Promise((done) => {
    const args = [...UNSHARE, '/bin/sh', '-c', script]
    execFile('unshare', args, { env, timeout: TRIAL_MS, killSignal: 'SIGKILL' }, (_error, stdout, stderr) => {
      done({ passed: stdout.split('\n').length - 2, said: stderr.trim().split('\n', 1).join('') })
    })
  })
}

function inBrackets(said: string): string {
  return said === '' ? '' : ` (${said})`
}

/** Which of the usual locks is closed. */
function userNamespaceHint(said: string): string {
  // ENOSPC: a limit of namespaces is reached
  if (said.includes('No space left on device')) return LIMIT_HINT
  if (inContainer()) return containerHint()
  if (sysctl('kernel/unprivileged_userns_clone') === '0') return 'as root: sysctl -w kernel.unprivileged_userns_clone=1'
  if (sysctl('user/max_user_namespaces') === '0') return LIMIT_HINT
  if (sysctl('kernel/apparmor_restrict_unprivileged_userns') === '1')
    return 'as root: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile that allows userns'
  return 'the kernel, or a sandbox around this process, forbids them'
}

/** By what its makers leave, or by the parts of /proc that they cover. */
function inContainer(): boolean {
  const marks = ['/.dockerenv', '/run/.containerenv'].some((file) => existsSync(file))
  const names = ['container', 'KUBERNETES_SERVICE_HOST'].some((name) => process.env[name] !== undefined)
  return marks || names || /^(?:\S+ ){4}\/proc\/(?:kcore|keys|timer_list) /m.test(readFileSync(MOUNTS, 'utf8'))
}

function containerHint(): string {
  return process.env['KUBERNETES_SERVICE_HOST'] === undefined ? DOCKER_HINT : KUBERNETES_HINT
}

function sysctl(name: string): string | undefined {
  try {
    return readFileSync(join('/proc/sys', name), 'utf8').trim()
  } catch {
    return undefined
  }
}

function isOnPath(tool: string): boolean {
  return systemPath()
    .split(delimiter)
    .some((dir) => {
      try {
        accessSync(join(dir, tool), constants.X_OK)
        return true
      } catch {
        return false
      }
    })
}

/** Attacks on other processes, and on the walls between pods: /proc, ptrace, signals, namespaces, rights. */
import { closeSync, openSync, readFileSync, readdirSync, readlinkSync } from 'node:fs'
import { anyOf, refused, succeeded, type Attack, type Outcome } from './attack.ts'
import type { Facts } from './facts.ts'
import { byCommand, byPython } from './tools.ts'

/** user-db's processes, if they can be seen, and the process that holds this pod's own namespaces, where one does. */
function victims({ mode, userDb }: Facts): number[] {
  const seen = userDb.pids.filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('user-db')
    } catch {
      return false
    }
  })
  // this machine's own first process is nobody's victim
  return mode === 'ns' ? [...seen, 1] : seen
}

function onVictims(facts: Facts, way: (pid: number) => Outcome): Promise<Outcome> {
  const pids = victims(facts)
  if (pids.length === 0) return Promise.resolve(refused('no process of others is seen'))
  return anyOf(pids.map((pid) => () => way(pid)))
}

function attempt(work: () => string): Outcome {
  try {
    return succeeded(work())
  } catch (error) {
    return refused((error as NodeJS.ErrnoException).code ?? String(error))
  }
}

/** Processes that are not of this pod: all but those with its name in their environment. */
function seeOthers({ own, userDb }: Facts): Outcome {
  const others = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'latin1')
      } catch {
        return ''
      }
    })
    .filter((line) => line.includes('istio-proxy') || line.includes(userDb.pod) || /user-db\.(py|mjs)/.test(line))
    .filter((line) => !line.includes(own.pod))
  return others.length > 0 ? succeeded(`${others.length} of user-db are listed`) : refused('none is listed')
}

function environ(facts: Facts): Promise<Outcome> {
  return onVictims(facts, (pid) =>
    attempt(() => `environment of process ${pid}, ${readFileSync(`/proc/${pid}/environ`).length} bytes`),
  )
}

function root(facts: Facts): Promise<Outcome> {
  return onVictims(facts, (pid) => attempt(() => `${readdirSync(`/proc/${pid}/root/`).length} entries of its root`))
}

/** The numbers alone are listed to the same user; where they lead is what counts. */
function fds(facts: Facts): Promise<Outcome> {
  return onVictims(facts, (pid) =>
    attempt(() => {
      const links = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`))
      return `${links.length} descriptors of process ${pid}`
    }),
  )
}

function memory(facts: Facts): Promise<Outcome> {
  return onVictims(facts, (pid) =>
    attempt(() => {
      closeSync(openSync(`/proc/${pid}/mem`, 'r+'))
      return `memory of process ${pid}`
    }),
  )
}

/** SEIZE does not stop it, and ends with this attacker. */
function ptrace(facts: Facts): Promise<Outcome> {
  return onVictims(facts, (pid) =>
    byPython([
      'import ctypes, os, sys',
      'libc = ctypes.CDLL(None, use_errno=True)',
      `r = libc.ptrace(0x4206, ${pid}, None, None)`,
      'sys.exit(0 if r == 0 else os.strerror(ctypes.get_errno()))',
    ]),
  )
}

function signals(facts: Facts): Promise<Outcome> {
  const pids = victims(facts).filter((pid) => pid !== 1)
  if (pids.length === 0) return Promise.resolve(refused('no process of others is seen'))
  return anyOf(
    pids.map(
      (pid) => () =>
        attempt(() => {
          process.kill(pid, 0)
          return `process ${pid} would get it`
        }),
    ),
  )
}

/** Its own keeper ended from inside would end the pod, and leave the program outside of it? */
function endTheKeeper({ mode }: Facts): Outcome {
  if (mode === 'env') return refused('there is none')
  return attempt(() => {
    const before = readlinkSync('/proc/self/ns/net')
    process.kill(1, 'SIGKILL')
    process.kill(1, 'SIGTERM')
    if (readFileSync('/proc/1/stat', 'latin1') !== '' && readlinkSync('/proc/self/ns/net') === before)
      throw Object.assign(new Error('alive'), { code: 'it lives on' })
    return 'it ended'
  })
}

function enter(facts: Facts): Promise<Outcome> {
  const kinds = ['--net', '--mount', '--pid', '--user', '--ipc']
  return onVictimsAsync(facts, (pid) => [
    ...kinds.map((kind) => () => byCommand('nsenter', ['-t', String(pid), kind, 'true'])),
    () => byCommand('nsenter', [`--net=/proc/${pid}/fd/9`, 'true']),
  ])
}

function onVictimsAsync(facts: Facts, ways: (pid: number) => (() => Outcome)[]): Promise<Outcome> {
  const pids = victims(facts)
  if (pids.length === 0) return Promise.resolve(refused('no process of others is seen'))
  return anyOf(pids.flatMap(ways))
}

function nestedUser(): Promise<Outcome> {
  return anyOf([
    () => byCommand('unshare', ['--user', '--map-root-user', 'true']),
    () => byCommand('unshare', ['--user', '--net', '--mount', 'true']),
    () =>
      byPython([
        'import ctypes, os, sys',
        'l = ctypes.CDLL(None, use_errno=True)',
        'sys.exit(os.strerror(ctypes.get_errno()) if l.unshare(0x10000000) else 0)',
      ]),
  ])
}

function otherNamespaces(): Promise<Outcome> {
  const kinds = ['--net', '--mount', '--pid', '--ipc', '--uts']
  return anyOf(kinds.map((kind) => () => byCommand('unshare', [kind, 'true'])))
}

/** Rights that it has, or could get by a program that gives them. */
function rights(): Outcome {
  const status = readFileSync('/proc/self/status', 'utf8')
  const value = (name: string): string => new RegExp(`${name}:\\s*(\\w+)`).exec(status)?.[1] ?? ''
  const caps = ['CapEff', 'CapPrm', 'CapBnd', 'CapAmb'].filter((name) => /[1-9a-f]/.test(value(name)))
  if (caps.length > 0) return succeeded(`${caps.join(', ')} are not empty`)
  return value('NoNewPrivs') === '1' ? refused('no capabilities, no_new_privs') : succeeded('set-user-ID programs work')
}

export const PROCESSES: readonly Attack[] = [
  { name: 'see-processes', tries: 'the list of processes', env: false, run: seeOthers },
  { name: 'proc-environ', tries: '/proc/PID/environ of others', env: false, run: environ },
  { name: 'proc-root', tries: '/proc/PID/root of others', env: false, run: root },
  { name: 'proc-fd', tries: '/proc/PID/fd of others', env: false, run: fds },
  { name: 'proc-mem', tries: '/proc/PID/mem of others', env: false, run: memory },
  { name: 'ptrace', tries: 'attach as a debugger does', env: false, run: ptrace },
  { name: 'signals', tries: "signals to user-db's processes", env: false, run: signals },
  { name: 'end-the-keeper', tries: "kill what holds the own pod's namespaces", env: true, run: endTheKeeper },
  { name: 'nsenter', tries: "into the sidecar's, another's namespaces", env: false, run: enter },
  { name: 'nested-user-namespace', tries: 'unshare --user: root of its own', env: false, run: nestedUser },
  { name: 'other-namespaces', tries: 'unshare --net, --mount, --pid', env: false, run: otherNamespaces },
  { name: 'rights', tries: 'capabilities, set-user-ID programs', env: false, run: rights },
]

/**
 * The pause process of a pod: holds its namespaces, as in Kubernetes. In: what the setup script needs. Out: its PID, and
 * a promise of its end. It ends when its standard input closes, so with the supervisor at the latest, and everything in
 * the pod with it.
 */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { PlainError } from '../../client/errors.ts'
import type { Keepers } from '../child.ts'
import { SETUP_PARTS, SETUP_SCRIPT, type SetupVariables } from './setup.ts'

export const UNSHARE = [
  '--user',
  '--map-root-user',
  '--net',
  '--mount',
  '--pid',
  '--uts',
  '--ipc',
  '--fork',
  '--kill-child',
]
/** A machine that starts many pods at once is slow; more than this is no slowness. */
const READY_WITHIN_MS = 30_000
const MAX_ERROR_BYTES = 2000

export interface Pause {
  /** As the host counts. */
  pid: number
  /** Resolves when the pod's namespaces are gone. */
  ended: Promise<void>
  /** Ends every process in the pod. */
  end(): Promise<void>
}

/** Rejects with the step that failed and what it said; nothing is left behind then. */
export async function startPause(what: string, variables: SetupVariables, keepers: Keepers): Promise<Pause> {
  const child = spawn('unshare', [...UNSHARE, '/bin/sh', '-c', SETUP_SCRIPT], {
    env: { PATH: systemPath(), ...SETUP_PARTS, ...variables },
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  })
  child.stdin.on('error', () => undefined)
  const ended = new Promise<void>((done) => child.once('close', () => done()))
  let pid: number | undefined
  let step = 'namespaces: user, mount, process and network'
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(0, MAX_ERROR_BYTES)))
  try {
    await new Promise<void>((done, fail) => {
      const timer = setTimeout(() => fail(new Error('it takes too long')), READY_WITHIN_MS)
      const end = (error?: Error): void => {
        clearTimeout(timer)
        if (error === undefined) done()
        else fail(error)
      }
      child.once('error', end)
      child.once('close', () => end(new Error(said.trim() === '' ? 'it ended without a word' : said.trim())))
      createInterface({ input: child.stdout }).on('line', (line) => {
        if (line.startsWith('pid ')) pid = Number(line.slice(4))
        else if (line.startsWith('step ')) step = line.slice(5)
        else if (line === 'ready') end()
      })
    })
  } catch (error) {
    child.kill('SIGKILL')
    throw new PlainError(
      `the pod's namespaces could not be made, at "${step}": ${(error as Error).message} ("pocketmesh check --pre" says what this machine allows)`,
      { cause: error },
    )
  }
  if (child.pid === undefined || pid === undefined) throw new PlainError('the pause process has no PID')
  const leader = child.pid
  keepers.state.add(leader, `${what} pause`)
  void ended.then(() => keepers.state.remove(leader))
  return {
    pid,
    ended,
    end: () => {
      child.stdin.end()
      // it may be stopped, or its shell may be
      child.kill('SIGKILL')
      return ended
    },
  }
}

/** `ip` and its like are often not on a user's own PATH. */
export function systemPath(): string {
  return [process.env['PATH'] ?? '', '/usr/sbin', '/usr/bin', '/sbin', '/bin'].filter((part) => part !== '').join(':')
}

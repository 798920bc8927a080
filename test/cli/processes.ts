/** Runs the CLI and the control plane as a user would: real processes, from source, in a home of their own. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ControlClient } from '../../src/client/control.ts'
import { entryCommand } from '../../src/lib/entry.ts'
import { homeLayout } from '../../src/lib/home.ts'

export interface Ran {
  code: number | null
  out: string
  err: string
}

export interface RunOptions {
  home: string
  input?: string
  cwd?: string
  env?: Record<string, string>
}

const START_MS = 30_000

export function tempHome(): string {
  return mkdtempSync(join(tmpdir(), 'pm-cli-'))
}

export function removeHome(home: string): void {
  rmSync(home, { recursive: true, force: true })
}

/** Runs one command line to its end. */
export async function cli(args: string[], { home, input, cwd, env }: RunOptions): Promise<Ran> {
  const { command, args: entry } = entryCommand('cli')
  const child = spawn(command, [...entry, ...args], {
    cwd: cwd ?? home,
    env: { ...process.env, POCKETMESH_HOME: home, NO_COLOR: '1', ...env },
  })
  child.stdin.on('error', () => undefined).end(input ?? '')
  const ran = { code: null as number | null, out: '', err: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (ran.out += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (ran.err += text))
  const [code] = (await once(child, 'close')) as [number | null]
  ran.code = code
  return ran
}

/** Starts a control plane; resolves when its API answers. */
export async function startControl(home: string, flags: string[] = []): Promise<ChildProcess> {
  const { command, args } = entryCommand('control')
  const child = spawn(command, [...args, '--home', home, ...flags], { stdio: ['pipe', 'ignore', 'ignore'] })
  const client = new ControlClient(homeLayout(home))
  await client.ready(START_MS)
  await client.close()
  return child
}

/** Code and signal of a process's end, now or later. */
export async function exitOf(child: ChildProcess): Promise<[number | null, NodeJS.Signals | null]> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  return [child.exitCode, child.signalCode]
}

/**
 * Processes of a row: proxies from configuration files, and the applications behind them. In: what to run. Out: its pid,
 * its port, its end. Whatever is started here is ended here.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import net from 'node:net'
import { fileURLToPath } from 'node:url'
import { entryCommand } from '../../src/lib/entry.ts'
import { listen } from '../helpers/data-plane.ts'
import { ask } from './vitals.ts'

const START_LIMIT_MS = 20_000

/** A port that was free a moment ago: for those that must be the same after a restart. */
export async function freePort(): Promise<number> {
  const server = net.createServer()
  const port = await listen(server)
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** One proxy that stands alone. */
export class Proxy {
  readonly adminPort: number
  readonly #file: string
  #child: ChildProcess | undefined
  /** The last that it said, for reports of failures. */
  tail = ''

  constructor(file: string, config: object, adminPort: number) {
    writeFileSync(file, JSON.stringify(config, null, 2))
    this.#file = file
    this.adminPort = adminPort
  }

  get pid(): number {
    return this.#child?.pid ?? 0
  }

  get running(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** Resolves when its listeners are open. */
  async start(): Promise<void> {
    const { command, args } = entryCommand('sidecar')
    const child = spawn(command, [...args, '-c', this.#file], { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child = child
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (this.tail = (this.tail + chunk.toString()).slice(-2000)))
    const deadlineMs = performance.now() + START_LIMIT_MS
    while ((await ask(this.adminPort, '/ready').catch(() => 0)) !== 200) {
      if (!this.running || performance.now() > deadlineMs) throw new Error(`the proxy did not start: ${this.tail}`)
      await new Promise((resolve) => setTimeout(resolve, 30))
    }
  }

  /** Sends a signal and waits for the end. */
  async end(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#child
    if (child === undefined || !this.running) return
    const ended = once(child, 'exit')
    child.kill(signal)
    await ended
  }
}

/** A Node process that does nothing but answer: how late this machine lets anybody be. */
export class Idle {
  port = 0
  pid = 0
  #child: ChildProcess | undefined

  async start(): Promise<void> {
    const program = `const s = require('http').createServer((q, r) => r.end()).listen(0, '127.0.0.1', () => console.log(s.address().port))
process.stdin.on('end', () => process.exit()).resume()`
    const child = spawn(process.execPath, ['-e', program], { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#child = child
    const [line] = (await once(child.stdout, 'data')) as [Buffer]
    this.port = Number(line.toString())
    this.pid = child.pid!
  }

  close(): void {
    this.#child?.kill('SIGKILL')
  }
}

/** Runs worker.ts to its end; its result. */
export async function runWorker<T>(...args: (string | number)[]): Promise<T> {
  const program = fileURLToPath(new URL('worker.ts', import.meta.url))
  const child = spawn(process.execPath, ['--import=tsx', program, ...args.map(String)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const kill = (): void => void child.kill('SIGKILL')
  process.once('exit', kill)
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()))
  await once(child, 'close')
  process.off('exit', kill)
  return JSON.parse(text) as T
}

/** One application, see ledger-process.ts. */
export class App {
  port = 0
  readonly ledger: string
  readonly #delayMs: number
  #child: ChildProcess | undefined

  constructor(ledger: string, delayMs = 0) {
    writeFileSync(ledger, '')
    this.ledger = ledger
    this.#delayMs = delayMs
  }

  /** Again on the same port, if it has had one. */
  async start(): Promise<void> {
    const program = fileURLToPath(new URL('ledger-process.ts', import.meta.url))
    const args = ['--import=tsx', program, this.ledger, String(this.port), String(this.#delayMs)]
    const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#child = child
    const [line] = (await once(child.stdout, 'data')) as [Buffer]
    this.port = Number(line.toString())
  }

  async kill(): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (child === undefined || child.exitCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }
}

/**
 * Keeps one process running: starts it, waits for its end, starts it again after a backoff that doubles and that a
 * stable run resets. In: how to start it. Out: its state, and calls at each start and end.
 */
import type { PodState } from '../client/contract.ts'
import type { Child } from './child.ts'

const MIN_BACKOFF_MS = 500
const MAX_BACKOFF_MS = 30_000
const STABLE_MS = 10_000

export interface RestarterOptions {
  launch(): Promise<Child>
  /** The process runs; a promise that rejects does not stop it. */
  onStart(child: Child): void
  /** It has ended (`code 1`), or could not be started (`reason`). */
  onEnd(exit: string | null, reason: string | null): void
  /** Start again at once after a single crash. */
  eager: boolean
}

export class Restarter {
  readonly #options: RestarterOptions
  #child: Child | undefined
  #stopped = false
  #wake: (() => void) | undefined
  #holdMs: number | undefined
  #backoffMs: number
  #loop: Promise<void> = Promise.resolve()
  state: PodState = 'starting'
  restarts = 0

  constructor(options: RestarterOptions) {
    this.#options = options
    this.#backoffMs = options.eager ? 0 : MIN_BACKOFF_MS
  }

  get pid(): number | null {
    return this.#child?.pid ?? null
  }

  start(): void {
    this.#loop = this.#run()
  }

  /** No more starts; ends what runs. */
  async stop(graceMs: number): Promise<void> {
    this.#stopped = true
    this.state = 'stopping'
    this.#wake?.()
    await this.#child?.stop(graceMs)
    await this.#loop
    this.state = 'stopped'
  }

  /** SIGKILL; started again after `forMs`, or as after a crash. `false`: nothing runs. */
  kill(forMs: number | undefined): boolean {
    if (this.#child === undefined) return false
    this.#holdMs = forMs
    this.#child.signal('SIGKILL')
    return true
  }

  killNow(): void {
    this.#stopped = true
    this.#wake?.()
    this.#child?.signal('SIGKILL')
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      this.state = 'starting'
      const startedMs = performance.now()
      await this.#once()
      this.#child = undefined
      if (this.#stopped) return
      this.restarts++
      if (performance.now() - startedMs > STABLE_MS) this.#backoffMs = this.#options.eager ? 0 : MIN_BACKOFF_MS
      this.state = 'backoff'
      await this.#pause(this.#holdMs ?? this.#backoffMs)
      this.#holdMs = undefined
      this.#backoffMs = Math.min(Math.max(this.#backoffMs * 2, MIN_BACKOFF_MS), MAX_BACKOFF_MS)
    }
  }

  async #once(): Promise<void> {
    let child: Child
    try {
      child = await this.#options.launch()
    } catch (error) {
      this.#options.onEnd(null, (error as Error).message)
      return
    }
    this.#child = child
    if (this.#stopped) child.signal('SIGKILL')
    this.state = 'running'
    this.#options.onStart(child)
    this.#options.onEnd(await child.exited, null)
  }

  #pause(delayMs: number): Promise<void> {
    if (this.#stopped || delayMs === 0) return Promise.resolve()
    return new Promise((done) => {
      const timer = setTimeout(done, delayMs)
      this.#wake = () => {
        clearTimeout(timer)
        done()
      }
    })
  }
}

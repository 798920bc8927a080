/**
 * Wakes the generator when a request is due. Node's own timers know whole milliseconds only, so a thread sleeps on a
 * futex until shortly before the time; the caller waits the rest out.
 */
import { Worker } from 'node:worker_threads'

/** The thread: one that is asleep costs nothing, and a wake-up that has not been heard yet is not repeated. */
const THREAD = `
const { workerData, parentPort } = require('node:worker_threads')
const { flags, startNs, intervalNs } = workerData
const HEARD = 1
const nowNs = () => process.hrtime.bigint()
for (let dueNs = startNs; Atomics.load(flags, 0) === 0; dueNs += intervalNs) {
  const late = nowNs() - dueNs
  if (late > intervalNs) dueNs += late - (late % intervalNs)
  const waitMs = Number(dueNs - nowNs()) / 1e6
  if (waitMs > 0) Atomics.wait(flags, 0, 0, waitMs)
  if (Atomics.exchange(flags, HEARD, 1) === 0) parentPort.postMessage(0)
}
`
/** So much earlier than due: what a wake-up and a message between threads take. */
const EARLY_NS = 120_000n
const MIN_INTERVAL_NS = 200_000

const STOP = 0
const HEARD = 1

export class Ticker {
  readonly #flags = new Int32Array(new SharedArrayBuffer(8))
  readonly #thread: Worker

  /** `startMs` by `performance.now()`. */
  constructor(startMs: number, ratePerSecond: number, onTick: () => void) {
    const startNs = process.hrtime.bigint() + BigInt(Math.round((startMs - performance.now()) * 1e6)) - EARLY_NS
    const intervalNs = BigInt(Math.max(MIN_INTERVAL_NS, Math.round(1e9 / ratePerSecond)))
    this.#thread = new Worker(THREAD, { eval: true, workerData: { flags: this.#flags, startNs, intervalNs } })
    this.#thread.on('message', () => {
      Atomics.store(this.#flags, HEARD, 0)
      onTick()
    })
  }

  async stop(): Promise<void> {
    Atomics.store(this.#flags, STOP, 1)
    Atomics.notify(this.#flags, STOP)
    await this.#thread.terminate()
  }
}

/**
 * Tells the control plane what pods are like, and goes on trying while it is away. In: a pod's latest state; an older
 * one that has not been told yet is dropped. Out: the revision in which it stands.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Pod, WriteResponse } from '../client/contract.ts'
import type { Log } from '../lib/log.ts'

const RETRY_MS = 100

export interface PodApi {
  putPod(pod: Pod): Promise<WriteResponse>
  deletePod(namespace: string, name: string, uid?: string): Promise<WriteResponse>
}

interface Line {
  /** Number of the last report asked for. */
  latest: number
  done: Promise<number>
}

export class PodReporter {
  readonly #api: PodApi
  readonly #log: Log
  readonly #lines = new Map<string, Line>()
  #closed = false

  constructor(api: PodApi, log: Log) {
    this.#api = api
    this.#log = log
  }

  report(pod: Pod): Promise<number> {
    return this.#enqueue(pod, () => this.#api.putPod(pod))
  }

  remove(pod: Pod): Promise<number> {
    return this.#enqueue(pod, () => this.#api.deletePod(pod.namespace, pod.name, pod.uid))
  }

  /** Reports that wait are given up. */
  close(): void {
    this.#closed = true
  }

  #enqueue(pod: Pod, send: () => Promise<WriteResponse>): Promise<number> {
    const key = `${pod.namespace}/${pod.name}`
    const line = this.#lines.get(key) ?? { latest: 0, done: Promise.resolve(0) }
    this.#lines.set(key, line)
    const number = ++line.latest
    line.done = line.done.then((last) => this.#attempt(line, number, last, send))
    return line.done
  }

  async #attempt(line: Line, number: number, last: number, send: () => Promise<WriteResponse>): Promise<number> {
    while (!this.#closed && number === line.latest) {
      try {
        return (await send()).revision
      } catch (error) {
        const status = (error as { status?: number }).status
        if (status !== undefined && status < 500 && status !== 409) {
          if (status !== 404) this.#log.error({ error: (error as Error).message }, 'the control plane refused a pod')
          return last
        }
      }
      await sleep(RETRY_MS)
    }
    return last
  }
}

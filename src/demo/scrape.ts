/**
 * Reads the counters of all sidecars over their admin sockets. Owns a connection per sidecar. A sidecar that does
 * not answer is left out: the demo shows what it can see.
 */
import type { PodStatus } from '../client/contract.ts'
import { ApiConnection } from '../client/http.ts'
import type { Reading } from './edges.ts'
import { readingOf } from './edges.ts'
import type { Sample } from './prometheus.ts'
import { parsePrometheus } from './prometheus.ts'

/** The metrics that the demo reads; all of them would be three times the text. */
const METRICS = ['istio_requests_total', 'istio_request_duration_milliseconds']
const TIMEOUT_MS = 2000

export class Scraper {
  readonly #connections = new Map<string, ApiConnection>()

  async read(pods: readonly PodStatus[]): Promise<Reading> {
    const sockets = pods.map((pod) => pod.sidecar?.adminSocket).filter((socket) => socket !== undefined)
    const samples = await Promise.all(sockets.map((socket) => this.#readOne(socket)))
    return readingOf(samples.flat(), performance.now())
  }

  async close(): Promise<void> {
    await Promise.all([...this.#connections.values()].map((connection) => connection.close()))
  }

  async #readOne(socketPath: string): Promise<Sample[]> {
    let connection = this.#connections.get(socketPath)
    if (connection === undefined) {
      connection = new ApiConnection({ socketPath, unreachable: 'the sidecar does not answer' })
      this.#connections.set(socketPath, connection)
    }
    try {
      const chunks = await connection.stream('/stats/prometheus', {
        query: { name: METRICS.join(',') },
        timeoutMs: TIMEOUT_MS,
      })
      let text = ''
      for await (const chunk of chunks) text += chunk
      return METRICS.flatMap((name) => parsePrometheus(text, name))
    } catch {
      return []
    }
  }
}

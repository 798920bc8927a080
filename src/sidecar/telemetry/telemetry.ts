/**
 * The sink for ended exchanges: counts them and writes their access line. Keeps nothing of an exchange.
 * Owns the counters; the access log belongs to whoever made it.
 */
import type { Exchange } from '../exchange.ts'
import type { TelemetrySink } from '../ports.ts'
import type { Workload } from '../workload.ts'
import type { AccessLog } from './access-log.ts'
import type { Exposition } from './exposition.ts'
import { Counters } from './counters.ts'

export interface TelemetryOptions {
  /** `null`: no access lines. */
  accessLog: AccessLog | null
  /** This sidecar's workload. */
  self: Workload
  /** This sidecar's SPIFFE ID; absent where it has none. */
  principal?: string
}

export class Telemetry implements TelemetrySink {
  readonly #accessLog: AccessLog | null
  readonly #self: Workload
  readonly #counters: Counters
  /** Of listeners that have their own. */
  readonly #otherLogs = new Set<AccessLog>()
  #exposition: Promise<Exposition> | undefined

  constructor({ accessLog, self, principal = '' }: TelemetryOptions) {
    this.#accessLog = accessLog
    this.#self = self
    this.#counters = new Counters(principal)
  }

  /** hot: once per request. */
  onEnd(x: Exchange): void {
    this.#nameSelf(x)
    if (x.protocol === 'tcp') this.#counters.addTcpClosed(x)
    else this.#counters.addRequest(x)
    this.#accessLog?.write(x)
  }

  onTcpOpen(x: Exchange): void {
    this.#nameSelf(x)
    this.#counters.addTcpOpened(x)
  }

  /** The same, with a line for each of `logs`. */
  loggedTo(logs: readonly AccessLog[]): TelemetrySink {
    for (const log of logs) this.#otherLogs.add(log)
    return {
      onEnd: (x) => {
        this.onEnd(x)
        for (const log of logs) log.write(x)
      },
      onTcpOpen: (x) => this.onTcpOpen(x),
    }
  }

  /** Prometheus text. */
  async prometheus(): Promise<string> {
    this.#exposition ??= this.#loadExposition()
    return (await this.#exposition).text()
  }

  /** One end of every exchange is this workload. */
  #nameSelf(x: Exchange): void {
    if (x.inbound) x.destination = this.#self
    else x.source = this.#self
  }

  async #loadExposition(): Promise<Exposition> {
    const { Exposition } = await import('./exposition.ts')
    const droppedLines = (): number =>
      [...this.#otherLogs].reduce((sum, log) => sum + log.dropped, this.#accessLog?.dropped ?? 0)
    return new Exposition({ counters: this.#counters, droppedLines })
  }
}

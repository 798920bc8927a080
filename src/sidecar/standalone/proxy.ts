/**
 * One running proxy without a mesh: the data path, fed from a file. In: a checked bootstrap. Out: listeners that serve.
 * Owns: the data path, access logs, the admin interface, the watch on certificate files.
 */
import { closeSync, mkdirSync, openSync, statSync, unwatchFile, watchFile } from 'node:fs'
import { dirname } from 'node:path'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import { pack, RESOURCE_CODEC, TYPE_URL, type XdsType } from '../../xds/type-urls.ts'
import { AdminServer } from '../admin/server.ts'
import { DataPlane } from '../data-plane.ts'
import { addressLabel } from '../pool/address.ts'
import type { CredentialSource, LogSpec, TelemetrySink } from '../ports.ts'
import { AccessLog } from '../telemetry/access-log.ts'
import { Telemetry } from '../telemetry/telemetry.ts'
import type { Held } from '../xds-client/snapshot.ts'
import type { Standalone } from './check.ts'

export interface StandaloneOptions {
  bootstrap: Standalone
  clock: Clock
  log: Log
  /** POST /drain_listeners takes this long at most. */
  drainMs: number
  /** Of one listener, 0: any number. */
  maxConnectionsPerSource: number
  /** POST /quitquitquit. */
  onQuit: () => void
}

/** There is no mesh whose identity could be shown. */
const NO_IDENTITY: CredentialSource = { current: () => undefined, onChange: () => () => {} }
const WATCH_INTERVAL_MS = 2000

export class StandaloneProxy {
  readonly #bootstrap: Standalone
  readonly #log: Log
  readonly #dataPlane: DataPlane
  readonly #telemetry: Telemetry
  readonly #logs: AccessLog[] = []
  /** Of the usual format: listeners that name the same file share it. */
  readonly #shared = new Map<string, AccessLog>()
  readonly #admin: AdminServer | null
  #watched: string[] = []
  #reloadTimer: NodeJS.Timeout | undefined
  #draining: Promise<void> | undefined

  constructor({ bootstrap, clock, log, drainMs, maxConnectionsPerSource, onQuit }: StandaloneOptions) {
    this.#bootstrap = bootstrap
    this.#log = log
    const { nodeId, self, admin } = bootstrap
    this.#telemetry = new Telemetry({ accessLog: null, self })
    this.#dataPlane = new DataPlane({
      credentials: NO_IDENTITY,
      telemetry: this.#telemetry,
      accessLogs: (logs) => this.#sinkFor(logs),
      self,
      nodeId,
      maxConnectionsPerSource,
      clock,
      log,
    })
    const source = {
      nodeId,
      startedAtEpochMs: clock.nowEpochMs(),
      missing: () => this.#dataPlane.unbound(),
      draining: () => this.#draining !== undefined,
      held: (type: XdsType) => this.#held(type),
      clusterStats: () => this.#dataPlane.clusterStats(),
      listenerStats: () => this.#dataPlane.listenerStats(),
      bufferedBytes: () => this.#dataPlane.bufferedBytes(),
      certificates: () => ({ files: this.#dataPlane.certificateFiles() }),
      prometheus: () => this.#telemetry.prometheus(),
      ads: () => undefined,
      appProbes: {},
      drain: () => void this.drain(drainMs),
      quit: onQuit,
    }
    this.#admin = admin === null ? null : new AdminServer('path' in admin ? admin.path : admin, source)
  }

  /** Resolves when all listeners are bound, or rejects with what is in the way. */
  async start(): Promise<void> {
    const { clusters, listeners } = this.#bootstrap
    const refused = [...this.#dataPlane.setClusters(clusters), ...(await this.#dataPlane.setListeners(listeners))]
    if (refused.length > 0) throw new Error(refused.map(({ name, detail }) => `${name}: ${detail}`).join('\n'))
    await this.#admin?.start()
    // before any handshake wants them: what is good now must be there when a file is not good later
    this.#dataPlane.loadCertificates(this.#bootstrap.tls)
    this.#watched = this.#dataPlane.certificateFiles()
    for (const file of this.#watched)
      watchFile(file, { interval: WATCH_INTERVAL_MS, persistent: false }, () => this.#reloadSoon())
  }

  /** What it listens on, with the ports really bound. */
  addresses(): { name: string; address: string }[] {
    const { admin } = this.#bootstrap
    const rows = this.#dataPlane
      .listenerStats()
      .flatMap(({ name, addresses }) => addresses.map((address) => ({ name: `listener ${name}`, address })))
    if (admin === null || this.#admin === null) return rows
    const bound = 'path' in admin ? admin : { ...admin, port: this.#admin.port }
    return [...rows, { name: 'admin', address: addressLabel(bound) }]
  }

  /** Certificate files again, for the next handshakes. */
  reload(): void {
    const faults = this.#dataPlane.reloadCertificates()
    if (faults.length === 0) this.#log.info('certificate files read again')
    else this.#log.error({ faults }, 'certificate files cannot be used; what was read before stays')
  }

  /** Takes no new connections; resolves when requests in flight are done, or after `deadlineMs`. */
  drain(deadlineMs: number): Promise<void> {
    return (this.#draining ??= this.#dataPlane.drain(deadlineMs))
  }

  async close(): Promise<void> {
    clearTimeout(this.#reloadTimer)
    for (const file of this.#watched) unwatchFile(file)
    await this.#admin?.close()
    await Promise.all(this.#logs.map((log) => log.close()))
  }

  /** Certificate and key are written one after the other. */
  #reloadSoon(): void {
    this.#reloadTimer ??= setTimeout(() => {
      this.#reloadTimer = undefined
      this.reload()
    }, 100).unref()
  }

  #sinkFor(specs: readonly LogSpec[]): TelemetrySink {
    const logs = specs.map(({ file, putLine }) => {
      let log = putLine === undefined ? this.#shared.get(file) : undefined
      if (log === undefined) {
        checkWritable(file)
        log = new AccessLog(file, putLine)
        this.#logs.push(log)
        if (putLine === undefined) this.#shared.set(file, log)
      }
      return log
    })
    return this.#telemetry.loggedTo(logs)
  }

  #held(type: XdsType): Held[] {
    const { clusters, listeners } = this.#bootstrap
    if (type === 'CDS')
      return clusters.map((c) => ({
        name: c.name ?? '',
        version: '',
        any: pack([TYPE_URL.CDS, RESOURCE_CODEC.CDS], c),
      }))
    if (type === 'LDS')
      return listeners.map((l) => ({
        name: l.name ?? '',
        version: '',
        any: pack([TYPE_URL.LDS, RESOURCE_CODEC.LDS], l),
      }))
    return []
  }
}

/** Throws where a log would lose every line; `-` is standard output. */
function checkWritable(file: string): void {
  // a pipe waits for its reader, and so would this process
  if (file === '-' || statSync(file, { throwIfNoEntry: false })?.isFIFO() === true) return
  mkdirSync(dirname(file), { recursive: true })
  closeSync(openSync(file, 'a', 0o600))
}

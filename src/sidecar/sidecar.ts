/**
 * One running sidecar: its parts, in the order in which they come up and go down.
 *
 *   credential (disk or CA) -> data path -> last good configuration -> admin -> ADS (loaded last: it is the heaviest)
 * In: a bootstrap. Out: listeners that serve. Owns every part.
 */
import { join } from 'node:path'
import type { NamesFile, SidecarBootstrap } from '../xds/bootstrap.ts'
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { istio } from '../xds/generated/xds.js'
import { PASSTHROUGH_CLUSTER } from '../xds/names.ts'
import { controlPlaneId } from '../identity/spiffe-id.ts'
import { AdminServer, type AdminSource } from './admin/server.ts'
import { workloadOf, xdsNode } from './bootstrap.ts'
import type { DnsRelay } from './capture/dns-relay.ts'
import type { DnsServer } from './capture/dns.ts'
import { DataPlane } from './data-plane.ts'
import { AccessLog } from './telemetry/access-log.ts'
import { Telemetry } from './telemetry/telemetry.ts'
import { CredentialManager } from './tls/credential.ts'
import type { AdsClient } from './xds-client/ads.ts'
import { ConfigCache } from './xds-client/cache.ts'
import { expandNames } from './xds-client/names.ts'
import { replaceFile } from './xds-client/replace-file.ts'
import { ConfigState } from './xds-client/snapshot.ts'

export interface SidecarOptions {
  bootstrap: SidecarBootstrap
  clock: Clock
  log: Log
  /** Asked for over the admin interface: the process is to end. */
  onQuit: () => void
  /** The CA refuses this pod and no valid certificate is left: only a start with a new token helps. */
  onRefused: (error: Error) => void
}

const DNS_PORT = 53
const CACHE_FILE = 'last-good.xds'

export class Sidecar {
  readonly #bootstrap: SidecarBootstrap
  readonly #clock: Clock
  readonly #log: Log
  readonly #startedAtEpochMs: number
  readonly #accessLog: AccessLog | null
  readonly #credentials: CredentialManager
  readonly #dataPlane: DataPlane
  readonly #telemetry: Telemetry
  readonly #state: ConfigState
  readonly #cache: ConfigCache
  readonly #admin: AdminServer
  #ads: AdsClient | undefined
  #dns: DnsServer | undefined
  #dnsRelay: DnsRelay | undefined
  /** Tables of names that are not on disk yet. */
  #namesPending = 0
  #writingNames: Promise<void> = Promise.resolve()
  #draining: Promise<void> | undefined

  constructor({ bootstrap, clock, log, onQuit, onRefused }: SidecarOptions) {
    this.#bootstrap = bootstrap
    this.#clock = clock
    this.#log = log
    this.#startedAtEpochMs = clock.nowEpochMs()
    const { accessLogFile, podDir } = bootstrap
    const self = workloadOf(bootstrap)
    const nodeId = bootstrap.node.id
    this.#accessLog = accessLogFile === '' ? null : new AccessLog(accessLogFile)
    this.#telemetry = new Telemetry({ accessLog: this.#accessLog, self, principal: bootstrap.spiffeId })
    this.#credentials = new CredentialManager({ ...bootstrap, clock, log, onRefused })
    this.#dataPlane = new DataPlane({
      credentials: this.#credentials,
      telemetry: this.#telemetry,
      self,
      nodeId,
      clock,
      log,
    })
    this.#state = new ConfigState({ target: this.#dataPlane, onNames: (table) => this.#onNames(table) })
    const held = (type: Parameters<ConfigState['held']>[0]) => this.#state.held(type).values()
    const isWhole = (): boolean => this.#state.isWhole
    this.#cache = new ConfigCache({ file: join(podDir, CACHE_FILE), nodeId, clock, log, held, isWhole })
    const source: AdminSource = {
      nodeId,
      startedAtEpochMs: this.#startedAtEpochMs,
      missing: () => this.missing(),
      draining: () => this.#draining !== undefined,
      held,
      clusterStats: () => this.#dataPlane.clusterStats(),
      listenerStats: () => this.#dataPlane.listenerStats(),
      bufferedBytes: () => this.#dataPlane.bufferedBytes(),
      certificates: () => this.#credentials.describe(),
      prometheus: () => this.#telemetry.prometheus(),
      ads: () => this.#ads?.status(),
      appProbes: bootstrap.appProbes ?? {},
      drain: () => void this.drain(bootstrap.drainMs),
      quit: onQuit,
    }
    this.#admin = new AdminServer(bootstrap.adminSocket, source)
  }

  /** Resolves when it serves what the last run knew, and ADS is being asked for what has changed. */
  async start(): Promise<void> {
    // the admin socket first: it says what a start that hangs is waiting for
    await this.#admin.start()
    await this.#startNames()
    await this.#credentials.start()
    const saved = this.#cache.read()
    if (saved !== undefined) {
      const rejections = await this.#state.load(saved)
      if (rejections.length > 0) this.#log.warn({ rejections }, 'part of the last configuration is not used')
      this.#log.info({ ms: Math.round(performance.now()) }, 'serving the last good configuration')
    }
    const { AdsClient } = await import('./xds-client/ads.ts')
    if (this.#draining !== undefined) return
    this.#ads = new AdsClient({
      socket: this.#bootstrap.xdsSocket,
      serverId: controlPlaneId(this.#bootstrap.trustDomain),
      node: xdsNode(this.#bootstrap),
      credentials: this.#credentials,
      state: this.#state,
      clock: this.#clock,
      log: this.#log,
      onApplied: () => this.#cache.changed(),
    })
    this.#ads.start()
  }

  /** Loaded only where it is asked for: most of it is the codec. */
  async #startNames(): Promise<void> {
    const { dnsAddress, dnsUpstream: upstream, dnsRelay } = this.#bootstrap
    const [clock, log] = [this.#clock, this.#log]
    if (dnsRelay !== undefined) {
      const { DnsRelay } = await import('./capture/dns-relay.ts')
      const { MachineResolver } = await import('./capture/dns-machine.ts')
      this.#dnsRelay = new DnsRelay(dnsRelay, new MachineResolver({ clock }))
      await this.#dnsRelay.start()
    }
    if (dnsAddress === undefined) return
    const { DnsServer } = await import('./capture/dns.ts')
    // a pod is given no such cluster where nothing may leave the mesh
    const mayLeave = (): boolean => this.#state.held('CDS').has(PASSTHROUGH_CLUSTER)
    this.#dns = new DnsServer({ address: dnsAddress, port: DNS_PORT, upstream, mayLeave, clock, log })
    await this.#dns.start()
  }

  /** What is still missing before it serves. */
  missing(): string[] {
    const missing: string[] = []
    if (this.#credentials.current() === undefined) missing.push('a certificate')
    if (!this.#state.applied.has('LDS')) missing.push('listeners (LDS)')
    if (!this.#state.applied.has('NDS') || this.#namesPending > 0) missing.push('names (NDS)')
    for (const listener of this.#dataPlane.unbound()) missing.push(`the address of ${listener}`)
    const dnsFault = this.#dns?.fault ?? ''
    if (dnsFault !== '') missing.push(`a DNS server (${dnsFault})`)
    return missing
  }

  #onNames(table: istio.networking.nds.v1.NameTable): void {
    const names = expandNames(table, this.#bootstrap.node.metadata.NAMESPACE)
    this.#dataPlane.setNames(names)
    this.#dns?.setNames(names)
    const { namesFile } = this.#bootstrap
    const file: NamesFile = { names: Object.fromEntries(names) }
    const json = JSON.stringify(file)
    this.#namesPending++
    // one after the other, so that the newest table is the one that stays
    this.#writingNames = this.#writingNames
      .then(() => (namesFile === '' ? undefined : replaceFile(namesFile, json)))
      .catch((error: unknown) => this.#log.error({ err: error, file: namesFile }, 'table of names not written'))
      .finally(() => this.#namesPending--)
  }

  /** Takes no new connections; resolves when requests in flight are done, or after `deadlineMs`. */
  drain(deadlineMs: number): Promise<void> {
    return (this.#draining ??= this.#dataPlane.drain(deadlineMs))
  }

  /** After `drain`: everything else ends. */
  async close(): Promise<void> {
    this.#ads?.close()
    this.#dns?.close()
    this.#dnsRelay?.close()
    await Promise.allSettled([this.#cache.flush(), this.#writingNames])
    this.#credentials.close()
    await this.#admin.close()
    await this.#accessLog?.close()
  }
}

/**
 * One proxy on one ADS stream. In: its requests, snapshots. Out: pushes in the order that breaks no traffic, and a
 * record of what it has acknowledged when. Owns five subscriptions; the stream itself is behind `send`.
 *
 *   CDS --ACK--> EDS --ACK--> LDS --ACK--> RDS --ACK--> NDS --ACK--> CDS, EDS without what is gone --ACK--> settled
 * Each step goes out only when the ones before it have nothing to say and owe no answer, so a route never names a
 * cluster that the proxy lacks. Source: xDS protocol, "Eventual consistency considerations".
 */
import type { ProxyStatus, SyncState } from '../../client/contract.ts'
import type { Clock } from '../../lib/clock.ts'
import { XDS_TYPES, type XdsType } from '../../xds/type-urls.ts'
import type { ProxyResources } from '../translate/snapshot.ts'
import { Subscription, type DeltaRequest, type Push, type RequestKind, type SotwRequest } from './subscription.ts'

/** A proxy that answers nothing for this long gets the newest state all the same. */
const ACK_TIMEOUT_MS = 5000
/** Settlements remembered, for questions about a revision asked after it was acknowledged. */
const MAX_SETTLEMENTS = 64

export interface SessionOptions {
  /** `pod.namespace` */
  name: string
  clock: Clock
  send: (type: XdsType, push: Push, nonce: string) => void
  /** The session has nothing outstanding, or was refused something. */
  onChange: () => void
}

/** From this moment the proxy has all of `revision`. */
export interface Settlement {
  revision: number
  /** Something had to be sent for it. */
  told: boolean
  atMs: number
}

export interface SessionNack {
  type: XdsType
  detail: string
  atEpochMs: number
}

export class Session {
  readonly name: string
  readonly connectedAtEpochMs: number
  readonly #clock: Clock
  readonly #send: SessionOptions['send']
  readonly #onChange: () => void
  readonly #subscriptions: Record<XdsType, Subscription>
  #wanted: ProxyResources | undefined
  #targetRevision = 0
  #told = false
  #settlements: Settlement[] = []
  #lastAckEpochMs: number | undefined
  #convergedMs: number | undefined
  #committedAtMs = 0
  #nack: SessionNack | undefined
  /** Types whose answer is overdue: they hold nothing back any more. */
  readonly #overdue = new Set<XdsType>()
  #cancelTimer: (() => void) | undefined

  constructor(options: SessionOptions) {
    this.name = options.name
    this.#clock = options.clock
    this.#send = options.send
    this.#onChange = options.onChange
    this.connectedAtEpochMs = options.clock.nowEpochMs()
    this.#subscriptions = {
      CDS: new Subscription('CDS'),
      EDS: new Subscription('EDS'),
      LDS: new Subscription('LDS'),
      RDS: new Subscription('RDS'),
      NDS: new Subscription('NDS'),
    }
  }

  /** The proxy owes an answer that is not overdue. */
  get busy(): boolean {
    return XDS_TYPES.some((t) => this.#subscriptions[t].unacked && !this.#overdue.has(t))
  }

  /** The pod behind it is known, so it takes part in deliveries. */
  get known(): boolean {
    return this.#wanted !== undefined
  }

  /** Newest refusal that still stands. */
  get nack(): SessionNack | undefined {
    return this.#nack
  }

  /** Newest revision that the proxy has answered in full. */
  get settledRevision(): number {
    return this.#settlements.at(-1)?.revision ?? 0
  }

  /** The moment from which it had all of `revision`; `undefined`: not yet. */
  settlementOf(revision: number): Settlement | undefined {
    return this.#settlements.find((s) => s.revision >= revision)
  }

  onSotwRequest(type: XdsType, request: SotwRequest): void {
    this.#onRequest(type, this.#subscriptions[type].onSotwRequest(request))
  }

  onDeltaRequest(type: XdsType, request: DeltaRequest): void {
    this.#onRequest(type, this.#subscriptions[type].onDeltaRequest(request))
  }

  #onRequest(type: XdsType, kind: RequestKind): void {
    if (kind === 'ack' || kind === 'nack') {
      this.#lastAckEpochMs = this.#clock.nowEpochMs()
      this.#overdue.delete(type)
      const detail = this.#subscriptions[type].nack?.detail
      if (detail !== undefined) this.#nack = { type, detail, atEpochMs: this.#lastAckEpochMs }
      else if (this.#nack?.type === type) this.#nack = undefined
    }
    this.#pump()
  }

  /** The proxy is to have `wanted`, which is all of `revision`, committed at `committedAtMs` (monotonic). */
  update(wanted: ProxyResources, revision: number, committedAtMs: number): void {
    this.#wanted = wanted
    this.#targetRevision = revision
    this.#committedAtMs = committedAtMs
    this.#pump()
  }

  /** `revision` changes nothing for this proxy. */
  advance(revision: number): void {
    if (this.#wanted === undefined) return
    const before = this.#targetRevision
    this.#targetRevision = revision
    const last = this.#settlements.at(-1)
    if (last === undefined || last.revision !== before) return // it settles with what is under way
    if (last.told) this.#settlements.push({ revision, told: false, atMs: this.#clock.nowMs() })
    else last.revision = revision
  }

  #pump(): void {
    const wanted = this.#wanted
    if (wanted === undefined) return
    for (const type of XDS_TYPES) {
      if (this.#step(type, wanted, type !== 'CDS' && type !== 'EDS')) return
    }
    if (this.#step('CDS', wanted, true) || this.#step('EDS', wanted, true)) return
    this.#settle()
  }

  /** True where the walk has to wait for an answer. */
  #step(type: XdsType, wanted: ProxyResources, removals: boolean): boolean {
    const subscription = this.#subscriptions[type]
    if (subscription.unacked && !this.#overdue.has(type)) return true
    const push = subscription.plan(wanted[type], removals)
    if (push === undefined) return false
    this.#told = true
    this.#overdue.delete(type)
    this.#send(type, push, subscription.sent(push))
    this.#cancelTimer?.()
    this.#cancelTimer = this.#clock.after(ACK_TIMEOUT_MS, () => this.#onAckTimeout(type))
    return true
  }

  #onAckTimeout(type: XdsType): void {
    this.#cancelTimer = undefined
    if (!this.#subscriptions[type].unacked) return
    this.#overdue.add(type)
    this.#pump()
  }

  #settle(): void {
    if (XDS_TYPES.some((t) => this.#subscriptions[t].unacked)) return
    if (!this.#told && this.settledRevision === this.#targetRevision) return
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    const atMs = this.#clock.nowMs()
    if (this.#told) this.#convergedMs = atMs - this.#committedAtMs
    this.#settlements.push({ revision: this.#targetRevision, told: this.#told, atMs })
    if (this.#settlements.length > MAX_SETTLEMENTS) this.#settlements.shift()
    this.#told = false
    this.#onChange()
  }

  status(): ProxyStatus {
    const types: ProxyStatus['types'] = {}
    for (const type of XDS_TYPES) {
      const s = this.#subscriptions[type]
      types[type] = { state: this.#stateOf(type), resources: s.size, version: s.ackedVersion }
    }
    return {
      name: this.name,
      connectedAt: iso(this.connectedAtEpochMs),
      types,
      ackedRevision: this.settledRevision,
      ...(this.#lastAckEpochMs === undefined ? {} : { lastAckAt: iso(this.#lastAckEpochMs) }),
      ...(this.#convergedMs === undefined ? {} : { convergedMs: this.#convergedMs }),
      ...(this.#nack === undefined
        ? {}
        : { nack: { type: this.#nack.type, detail: this.#nack.detail, at: iso(this.#nack.atEpochMs) } }),
    }
  }

  #stateOf(type: XdsType): SyncState {
    const s = this.#subscriptions[type]
    if (!s.active) return 'IGNORED'
    if (s.unacked || s.nack !== undefined) return 'STALE'
    if (!s.answered) return 'NOT SENT'
    return this.#wanted === undefined || s.isCurrent(this.#wanted[type]) ? 'SYNCED' : 'STALE'
  }

  close(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
  }
}

function iso(epochMs: number): string {
  return new Date(epochMs).toISOString()
}

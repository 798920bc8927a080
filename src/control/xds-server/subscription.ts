/**
 * What one proxy has of one resource type, on one ADS stream. In: its requests, and the resources it should have.
 * Out: what to send next. No socket, no timer. Source: Envoy, "xDS REST and gRPC protocol", both protocol variants.
 *
 *   request --> subscribed --plan()--> push --sent()--> UNACKED --ACK--> settled
 *                                                          +-----NACK--> settled, with `nack` set
 * Invariants: at most one nonce is awaited, the newest; what was sent is never sent again, ACKed or not, until its
 * content changes (or the client asks again, in the delta variant).
 */
import { createHash } from 'node:crypto'
import type { XdsType } from '../../xds/type-urls.ts'
import type { Resource } from '../translate/snapshot.ts'

export interface SotwRequest {
  names: readonly string[]
  version: string
  nonce: string
  error: string | undefined
}

export interface DeltaRequest {
  subscribe: readonly string[]
  unsubscribe: readonly string[]
  initialVersions: Readonly<Record<string, string>>
  nonce: string
  error: string | undefined
}

/** `stale`: about a response that a newer one has overtaken, nothing was changed. */
export type RequestKind = 'subscribe' | 'ack' | 'nack' | 'stale'

export interface Push {
  resources: Resource[]
  /** Delta: names that are gone or were never there. */
  removed: string[]
  /** Hash of all that the client then has of this type. */
  version: string
}

export interface Nack {
  detail: string
  version: string
}

/** Types for which a request without names asks for everything, and whose responses carry the whole state. */
const WHOLE_STATE: ReadonlySet<XdsType> = new Set(['CDS', 'LDS', 'NDS'])

/** In `#known`: the client was told that there is no such resource. */
const ABSENT: Resource = { name: '', version: '', any: {} }

export class Subscription {
  readonly type: XdsType
  #delta = false
  #active = false
  #wildcard = false
  #everNamed = false
  /** The first answer has gone out (or was not needed). */
  #answered = false
  readonly #names = new Set<string>()
  /** What the client has, or has been sent. */
  readonly #known = new Map<string, Resource>()
  /** SotW: what the client said it has, from an earlier stream. */
  #claimedVersion = ''
  #lastNonce = ''
  #nonceCount = 0
  #unacked = false
  #sentVersion = ''
  #ackedVersion = ''
  #nack: Nack | undefined

  constructor(type: XdsType) {
    this.type = type
  }

  /** A request for this type has come. */
  get active(): boolean {
    return this.#active
  }

  get unacked(): boolean {
    return this.#unacked
  }

  /** Set while the newest response is refused. */
  get nack(): Nack | undefined {
    return this.#nack
  }

  get answered(): boolean {
    return this.#answered
  }

  get ackedVersion(): string {
    return this.#ackedVersion
  }

  /** How many resources the client has of this type. */
  get size(): number {
    let n = 0
    for (const r of this.#known.values()) if (r !== ABSENT) n++
    return n
  }

  onSotwRequest(request: SotwRequest): RequestKind {
    if (request.nonce !== this.#lastNonce) return 'stale'
    const first = !this.#active
    this.#active = true
    if (first) this.#claimedVersion = request.version
    this.#subscribeExactly(request.names)
    return first || request.nonce === '' ? 'subscribe' : this.#conclude(request.error)
  }

  onDeltaRequest(request: DeltaRequest): RequestKind {
    const first = !this.#active
    this.#active = true
    this.#delta = true
    this.#subscribeMore(request, first)
    if (first) {
      for (const [name, version] of Object.entries(request.initialVersions)) {
        if (this.#wants(name)) this.#known.set(name, { name, version, any: {} })
      }
    }
    if (request.nonce === '') return 'subscribe'
    return request.nonce === this.#lastNonce ? this.#conclude(request.error) : 'stale'
  }

  #subscribeExactly(names: readonly string[]): void {
    if (names.length > 0) this.#everNamed = true
    this.#wildcard = WHOLE_STATE.has(this.type) && (names.includes('*') || (names.length === 0 && !this.#everNamed))
    this.#names.clear()
    for (const name of names) if (name !== '*') this.#names.add(name)
    for (const name of this.#known.keys()) if (!this.#wants(name)) this.#known.delete(name)
  }

  #subscribeMore(request: DeltaRequest, first: boolean): void {
    if (first && request.subscribe.length === 0) this.#wildcard = WHOLE_STATE.has(this.type)
    for (const name of request.subscribe) {
      if (name === '*') {
        this.#wildcard = WHOLE_STATE.has(this.type)
      } else {
        this.#names.add(name)
        this.#known.delete(name) // a client that asks is answered, even if it was told before
      }
    }
    for (const name of request.unsubscribe) {
      if (name === '*') this.#wildcard = false
      else this.#names.delete(name)
      // under a wildcard the client cannot know whether it still gets this one: tell it again
      this.#known.delete(name)
    }
    for (const name of this.#known.keys()) if (!this.#wants(name)) this.#known.delete(name)
  }

  #wants(name: string): boolean {
    return this.#wildcard || this.#names.has(name)
  }

  #conclude(error: string | undefined): RequestKind {
    if (!this.#unacked) return 'subscribe'
    this.#unacked = false
    if (error !== undefined) {
      this.#nack = { detail: error, version: this.#sentVersion }
      return 'nack'
    }
    this.#nack = undefined
    this.#ackedVersion = this.#sentVersion
    return 'ack'
  }

  /**
   * What to send so that the client has `wanted`; `undefined`: nothing. Without `removals`, what is gone from `wanted`
   * stays with the client for now (make before break).
   */
  plan(wanted: ReadonlyMap<string, Resource>, removals: boolean): Push | undefined {
    if (!this.#active) return undefined
    if (!this.#answered && this.#claimIsCurrent(wanted)) return undefined
    const changed: Resource[] = []
    for (const resource of this.#subscribed(wanted)) {
      if (this.#known.get(resource.name)?.version !== resource.version) changed.push(resource)
    }
    const gone: string[] = []
    if (removals) {
      for (const [name, known] of this.#known) if (known !== ABSENT && !wanted.has(name)) gone.push(name)
    }
    return this.#delta ? this.#planDelta(wanted, changed, gone) : this.#planSotw(wanted, changed, gone)
  }

  #planDelta(wanted: ReadonlyMap<string, Resource>, changed: Resource[], gone: string[]): Push | undefined {
    for (const name of this.#names) if (!this.#known.has(name) && !wanted.has(name)) gone.push(name)
    const greeting = !this.#answered && this.#wildcard && this.#known.size === 0
    if (changed.length === 0 && gone.length === 0 && !greeting) return this.#nothing(wanted)
    return { resources: changed, removed: gone, version: versionOf(this.#after(wanted, gone)) }
  }

  #planSotw(wanted: ReadonlyMap<string, Resource>, changed: Resource[], gone: string[]): Push | undefined {
    if (!WHOLE_STATE.has(this.type)) {
      // absence says nothing here: what is gone is forgotten without a message
      for (const name of gone) this.#known.delete(name)
      if (changed.length === 0) return this.#nothing(wanted)
      return { resources: changed, removed: [], version: versionOf(this.#after(wanted, gone)) }
    }
    // a name that is not there is answered too: its absence from the whole state is the answer
    const unanswered = [...this.#names].filter((n) => !this.#known.has(n) && !wanted.has(n))
    if (changed.length === 0 && gone.length === 0 && unanswered.length === 0 && this.#answered) {
      return this.#nothing(wanted)
    }
    const after = this.#after(wanted, gone)
    return { resources: [...after.values()], removed: [], version: versionOf(after) }
  }

  #nothing(wanted: ReadonlyMap<string, Resource>): undefined {
    if (!this.#answered) {
      this.#answered = true
      this.#ackedVersion = versionOf(this.#after(wanted, []))
    }
    return undefined
  }

  /** SotW, first answer on a stream: the version named in the request is that of what it would be sent. */
  #claimIsCurrent(wanted: ReadonlyMap<string, Resource>): boolean {
    if (this.#delta || this.#claimedVersion === '') return false
    const all = this.#after(wanted, [])
    if (versionOf(all) !== this.#claimedVersion) return false
    for (const [name, resource] of all) this.#known.set(name, resource)
    this.#answered = true
    this.#ackedVersion = this.#claimedVersion
    return true
  }

  *#subscribed(wanted: ReadonlyMap<string, Resource>): Iterable<Resource> {
    if (this.#wildcard) {
      yield* wanted.values()
      return
    }
    for (const name of this.#names) {
      const resource = wanted.get(name)
      if (resource !== undefined) yield resource
    }
  }

  /** What the client has once it was given `wanted` less `gone`. */
  #after(wanted: ReadonlyMap<string, Resource>, gone: readonly string[]): Map<string, Resource> {
    const after = new Map<string, Resource>()
    for (const resource of this.#subscribed(wanted)) after.set(resource.name, resource)
    for (const [name, known] of this.#known) {
      if (known !== ABSENT && !after.has(name) && !gone.includes(name)) after.set(name, known)
    }
    return after
  }

  /** The client has, or has been sent, just what `wanted` has for it. */
  isCurrent(wanted: ReadonlyMap<string, Resource>): boolean {
    for (const r of this.#subscribed(wanted)) if (this.#known.get(r.name)?.version !== r.version) return false
    for (const [name, known] of this.#known) if (known !== ABSENT && !wanted.has(name)) return false
    return true
  }

  /** `push` goes out now; returns its nonce. */
  sent(push: Push): string {
    for (const resource of push.resources) this.#known.set(resource.name, resource)
    const whole = !this.#delta && WHOLE_STATE.has(this.type)
    const gone = whole ? this.#absentFrom(push.resources) : push.removed
    for (const name of gone) {
      if (this.#names.has(name)) this.#known.set(name, ABSENT)
      else this.#known.delete(name)
    }
    this.#answered = true
    this.#unacked = true
    this.#sentVersion = push.version
    this.#lastNonce = String(++this.#nonceCount)
    return this.#lastNonce
  }

  /** Whole state: what is not in it does not exist for the client. */
  #absentFrom(resources: readonly Resource[]): string[] {
    const present = new Set(resources.map((r) => r.name))
    return [...this.#known.keys(), ...this.#names].filter((name) => !present.has(name))
  }
}

/** Content hash of a set of resources: the same over restarts, so that nothing is sent twice. */
export function versionOf(resources: ReadonlyMap<string, Resource>): string {
  const hash = createHash('sha256')
  for (const name of [...resources.keys()].sort()) hash.update(`${name}\0${resources.get(name)?.version ?? ''}\n`)
  return hash.digest('hex').slice(0, 16)
}

/**
 * The connections to one endpoint: idle ones, newest first, and those who wait for one.
 * In: handlers that want an exchange. Out: `onReady` with a connection, or `onPoolFailure`. Owns: its connections.
 * A waiter takes whichever comes first, a connection that falls idle or the one dialled for it.
 */
import { TimerEntry } from '../../lib/timer-wheel.ts'
import type { Address } from './address.ts'
import { type ConnectFault, dial, type DialDone, type Dialer, type Link, type TlsTarget } from './dial.ts'
import { Http1Connection, type Http1Owner } from './http1.ts'
import type { UpstreamHandler } from './upstream.ts'

/** Circuit limits of a cluster, shared by the pools of its endpoints (Envoy: circuit_breakers). */
export interface Limits {
  maxConnections: number
  maxPending: number
  maxRequests: number
  numConnections: number
  numPending: number
  numRequests: number
}

export interface PoolSettings {
  address: Address
  tls: TlsTarget | null
  /** Begins each connection. */
  header: Buffer | null
  connectTimeoutMs: number
  idleTimeoutMs: number
  /** 0: no bound. */
  maxRequestsPerConnection: number
}

export class Http1Pool implements Http1Owner {
  readonly #dialer: Dialer
  readonly #settings: PoolSettings
  readonly #limits: Limits
  readonly #nowMs: () => number
  readonly #idle: Http1Connection[] = []
  readonly #all = new Set<Http1Connection>()
  readonly #waiters: UpstreamHandler[] = []
  readonly #dials = new Set<() => void>()
  readonly #sweep: TimerEntry
  #closed = false

  constructor(dialer: Dialer, settings: PoolSettings, limits: Limits, nowMs: () => number) {
    this.#dialer = dialer
    this.#settings = settings
    this.#limits = limits
    this.#nowMs = nowMs
    this.#sweep = new TimerEntry(() => this.#closeOld())
  }

  get numConnections(): number {
    return this.#all.size
  }

  // hot: the first branch only
  acquire(handler: UpstreamHandler, fresh: boolean): void {
    for (let connection = this.#newest(fresh); connection !== undefined; connection = this.#newest(fresh)) {
      if (this.#isStale(connection) || this.#isOld(connection)) {
        connection.destroy()
        continue
      }
      connection.start(handler)
      handler.onReady(connection)
      return
    }
    this.#dialFor(handler)
  }

  #newest(fresh: boolean): Http1Connection | undefined {
    return fresh ? undefined : this.#idle.pop()
  }

  /** Takes back an `acquire` that has not been answered. */
  cancel(handler: UpstreamHandler): void {
    const at = this.#waiters.indexOf(handler)
    if (at < 0) return
    this.#waiters.splice(at, 1)
    this.#limits.numPending--
  }

  /** Closes idle connections that show an older certificate, and busy ones after their exchange. */
  retireOlderThan(generation: number): void {
    if (this.#settings.tls !== null) this.#retire((c) => c.link.generation < generation)
  }

  /** The endpoint is gone: exchanges under way finish. */
  close(): void {
    this.#closed = true
    this.#dialer.wheel.cancel(this.#sweep)
    this.#retire(() => true)
  }

  onIdle(connection: Http1Connection): void {
    const max = this.#settings.maxRequestsPerConnection
    if ((max > 0 && connection.numRequests >= max) || this.#isOld(connection)) {
      connection.destroy()
      return
    }
    const waiter = this.#waiters.shift()
    if (waiter !== undefined) {
      this.#limits.numPending--
      connection.start(waiter)
      waiter.onReady(connection)
      return
    }
    if (this.#closed) {
      connection.destroy()
      return
    }
    connection.idleSinceMs = this.#nowMs()
    this.#idle.push(connection)
    if (!this.#sweep.armed) this.#dialer.wheel.schedule(this.#sweep, this.#settings.idleTimeoutMs)
  }

  onClosed(connection: Http1Connection): void {
    if (!this.#all.delete(connection)) return
    this.#limits.numConnections--
    const at = this.#idle.indexOf(connection)
    if (at >= 0) this.#idle.splice(at, 1)
    // at the limit of connections, somebody may wait for a place and not for a dial
    if (this.#waiters.length > this.#dials.size) this.#dialNext()
  }

  #dialFor(handler: UpstreamHandler): void {
    const limits = this.#limits
    if (limits.numPending >= limits.maxPending) {
      handler.onPoolFailure('overflow', '')
      return
    }
    if (limits.numConnections + this.#dials.size >= limits.maxConnections && this.#all.size + this.#dials.size === 0) {
      handler.onPoolFailure('overflow', '')
      return
    }
    limits.numPending++
    this.#waiters.push(handler)
    this.#dialNext()
  }

  #dialNext(): void {
    if (this.#limits.numConnections + this.#dials.size >= this.#limits.maxConnections) return
    const { address, tls, header, connectTimeoutMs: timeoutMs } = this.#settings
    const done: DialDone = (fault, detail, link) => {
      this.#dials.delete(giveUp)
      if (link === null) this.#failWaiters(fault ?? 'connect_failure', detail)
      else this.#add(link)
    }
    const giveUp = dial(this.#dialer, { address, tls, timeoutMs, header, direct: true }, done)
    this.#dials.add(giveUp)
  }

  #add(link: Link): void {
    const connection = new Http1Connection(link, this)
    this.#all.add(connection)
    this.#limits.numConnections++
    this.onIdle(connection)
  }

  /** As many waiters fail as there are no dials left for. */
  #failWaiters(fault: ConnectFault, detail: string): void {
    if (this.#waiters.length <= this.#dials.size) return
    const waiter = this.#waiters.shift()
    if (waiter === undefined) return
    this.#limits.numPending--
    waiter.onPoolFailure(fault, detail)
  }

  /** The server said how long it keeps one; most say nothing, and then no clock is read. */
  #isStale({ keepAliveMs, idleSinceMs }: Http1Connection): boolean {
    return keepAliveMs !== Infinity && this.#nowMs() - idleSinceMs >= keepAliveMs
  }

  #isOld(connection: Http1Connection): boolean {
    return this.#settings.tls !== null && connection.link.generation < this.#dialer.tls.generation()
  }

  #retire(which: (connection: Http1Connection) => boolean): void {
    for (const connection of this.#all) {
      if (!which(connection)) continue
      if (connection.isIdle) connection.destroy()
      else connection.retired = true
    }
  }

  #closeOld(): void {
    const nowMs = this.#nowMs()
    const { idleTimeoutMs } = this.#settings
    for (const connection of this.#idle.filter((c) => nowMs - c.idleSinceMs >= idleTimeoutMs)) connection.destroy()
    const oldest = this.#idle[0]
    if (oldest !== undefined)
      this.#dialer.wheel.schedule(this.#sweep, Math.max(1000, idleTimeoutMs - (nowMs - oldest.idleSinceMs)))
  }
}

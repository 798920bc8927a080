/**
 * The connections to one endpoint: links of HTTP/2 that all share, idle ones of HTTP/1.1, newest first, and those who
 * wait for a place. In: handlers that want an exchange. Out: `onReady` with one, or `onPoolFailure`. Owns: its connections.
 * A waiter takes whatever comes first: a connection that falls idle, room on a link, or what was dialled for it.
 */
import { TimerEntry } from '../../lib/timer-wheel.ts'
import type { UpstreamProtocol } from '../codec/protocol.ts'
import { ALPN_SAYS_HTTP2 } from '../../xds/names.ts'
import type { Address } from './address.ts'
import { type ConnectFault, dial, type DialDone, type Dialer, type Link, opaque, type TlsTarget } from './dial.ts'
import { Http1Connection, type Http1Owner } from './http1.ts'
import { Http2Link, type Http2Owner } from './http2-link.ts'
import type { Limits } from './limits.ts'
import { Life, type LifeHandler } from '../transport/life.ts'
import { RawConnection } from './raw.ts'
import type { PoolFault, UpstreamHandler } from './upstream.ts'

export interface PoolSettings {
  address: Address
  tls: TlsTarget | null
  /** Begins each connection. */
  header: Buffer | null
  connectTimeoutMs: number
  idleTimeoutMs: number
  /** 0: no bound. */
  maxRequestsPerConnection: number
  protocol: UpstreamProtocol
}

/** A peer whose streams are all taken gets this many links at most; then requests wait. */
const MAX_LINKS = 16

export class Pool implements Http1Owner, Http2Owner {
  readonly #dialer: Dialer
  readonly #settings: PoolSettings
  readonly #limits: Limits
  readonly #nowMs: () => number
  readonly #idle: Http1Connection[] = []
  readonly #all = new Set<Http1Connection>()
  readonly #links: Http2Link[] = []
  readonly #waiters: UpstreamHandler[] = []
  readonly #dials = new Set<() => void>()
  /** Of those who wait for a connection without HTTP. */
  readonly #rawDials = new Map<UpstreamHandler, () => void>()
  readonly #sweep: TimerEntry
  /** Which HTTP it is by the configuration, or what TLS has agreed on last; '' before the first time. */
  #agreed: '' | 'http1' | 'http2' = ''
  #closed = false

  constructor(dialer: Dialer, settings: PoolSettings, limits: Limits, nowMs: () => number) {
    this.#dialer = dialer
    this.#settings = settings
    this.#limits = limits
    this.#nowMs = nowMs
    this.#sweep = new TimerEntry(() => this.#closeOld())
    const { codec } = settings.protocol
    if (codec === 'http1' || codec === 'http2') this.#agreed = codec
    else if (codec === 'auto' && settings.tls === null) this.#agreed = 'http1'
  }

  get numConnections(): number {
    return this.#all.size + this.#links.length
  }

  /** Bytes of either direction that wait in its connections. */
  get bufferedBytes(): number {
    let bytes = 0
    for (const connection of this.#all) bytes += connection.bufferedBytes
    for (const link of this.#links) bytes += link.bufferedBytes
    return bytes
  }

  // hot: the first branches only
  acquire(handler: UpstreamHandler, fresh: boolean): void {
    const link = this.#links.length === 0 || !this.#maySpeak(handler, true) ? undefined : this.#openLink()
    if (link !== undefined && (handler.upgrade === '' || link.isReady)) {
      this.#start(link, handler)
      return
    }
    if (this.#maySpeak(handler, false)) {
      for (let connection = this.#newest(fresh); connection !== undefined; connection = this.#newest(fresh)) {
        if (this.#isStale(connection) || this.#isOld(connection)) {
          connection.destroy()
          continue
        }
        connection.start(handler)
        handler.onReady(connection)
        return
      }
    }
    this.#waitFor(handler)
  }

  /** An upgrade is sent only to a peer that has said that it takes some: others would see a malformed request. */
  #start(link: Http2Link, handler: UpstreamHandler): void {
    if (handler.upgrade === '' || link.takesUpgrades) link.start(handler)
    else handler.onPoolFailure('no_upgrades', '')
  }

  /** Whether an exchange of this handler may go over HTTP/2 (else: over HTTP/1.1). */
  #maySpeak(handler: UpstreamHandler, http2: boolean): boolean {
    if (this.#settings.protocol.codec === 'downstream' && this.#settings.tls === null)
      return handler.prefersHttp2 === http2
    return this.#agreed !== (http2 ? 'http1' : 'http2')
  }

  #newest(fresh: boolean): Http1Connection | undefined {
    return fresh ? undefined : this.#idle.pop()
  }

  #openLink(): Http2Link | undefined {
    const max = this.#settings.maxRequestsPerConnection
    for (let i = 0; i < this.#links.length; i++) {
      const link = this.#links[i]!
      if (!link.isRetired && (this.#isOld(link) || (max > 0 && link.numRequests >= max))) link.retire()
      if (link.canOpen) return link
    }
    return undefined
  }

  /** A connection of its own, without HTTP on it. */
  connect(handler: UpstreamHandler): void {
    const limits = this.#limits
    if (limits.numConnections >= limits.maxConnections) {
      handler.onPoolFailure('overflow', '')
      return
    }
    const { address, tls, header, connectTimeoutMs: timeoutMs, protocol } = this.#settings
    limits.numConnections++
    const giveUp = dial(this.#dialer, { address, tls: opaque(tls), timeoutMs, header }, (fault, detail, link) => {
      this.#rawDials.delete(handler)
      if (link === null) {
        limits.numConnections--
        handler.onPoolFailure(fault ?? 'connect_failure', detail)
        return
      }
      const raw = new RawConnection(link, handler, protocol.bufferLimitBytes, () => limits.numConnections--)
      raw.life = Life.of(this.#dialer.wheel, 0, link.lifeMs, raw)
      raw.start()
    })
    this.#rawDials.set(handler, () => {
      limits.numConnections--
      giveUp()
    })
  }

  /** Takes back an `acquire` or `connect` that has not been answered. */
  cancel(handler: UpstreamHandler): void {
    this.#rawDials.get(handler)?.()
    this.#rawDials.delete(handler)
    const at = this.#waiters.indexOf(handler)
    if (at < 0) return
    this.#waiters.splice(at, 1)
    this.#limits.numPending--
    this.#dropDials()
  }

  /** Closes idle connections that show an older certificate, and busy ones when they are through. */
  retireOlderThan(generation: number): void {
    if (this.#settings.tls !== null) this.#retire((c) => c.link.generation < generation)
  }

  /** The endpoint is gone: exchanges under way finish, and those who wait for a connection still get one. */
  close(): void {
    this.#closed = true
    this.#dialer.wheel.cancel(this.#sweep)
    this.#retire(() => true)
    this.#dropDials()
  }

  /** To an endpoint that is gone no connection is made for nobody. */
  #dropDials(): void {
    if (!this.#closed || this.#waiters.length > 0) return
    for (const giveUp of this.#dials) giveUp()
    this.#limits.numConnections -= this.#dials.size
    this.#dials.clear()
  }

  // ---- HTTP/1.1 connections

  onIdle(connection: Http1Connection): void {
    const max = this.#settings.maxRequestsPerConnection
    if ((max > 0 && connection.numRequests >= max) || this.#isOld(connection)) {
      connection.destroy()
      return
    }
    const waiter = this.#nextWaiter(false)
    if (waiter !== undefined) {
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
    this.#armSweep()
  }

  onClosed(connection: Http1Connection): void {
    if (!this.#all.delete(connection)) return
    this.#limits.numConnections--
    const at = this.#idle.indexOf(connection)
    if (at >= 0) this.#idle.splice(at, 1)
    this.#dialForWaiters()
  }

  // ---- HTTP/2 links

  onRoom(link: Http2Link): void {
    while (link.canOpen) {
      const waiter = this.#nextWaiter(true, link.isReady)
      if (waiter === undefined) break
      this.#start(link, waiter)
    }
    if (this.#waiters.length > 0) this.#dialForWaiters()
    else if (this.#closed && link.isIdle) link.retire()
  }

  onLinkIdle(link: Http2Link): void {
    if (this.#closed) {
      link.retire()
      return
    }
    this.#armSweep() // how long it is idle is asked then
  }

  onLinkClosed(link: Http2Link): void {
    const at = this.#links.indexOf(link)
    if (at < 0) return
    this.#links.splice(at, 1)
    this.#limits.numConnections--
    this.#dialForWaiters()
  }

  // ---- those who wait

  #waitFor(handler: UpstreamHandler): void {
    const limits = this.#limits
    const atLimit = limits.numConnections >= limits.maxConnections
    if (limits.numPending >= limits.maxPending || (atLimit && this.#isEmpty)) {
      handler.onPoolFailure('overflow', '')
      return
    }
    limits.numPending++
    this.#waiters.push(handler)
    this.#dialForWaiters()
  }

  /** `upgrades`: those may be among them. */
  #nextWaiter(http2: boolean, upgrades = true): UpstreamHandler | undefined {
    const at = this.#waiters.findIndex((w) => this.#maySpeak(w, http2) && (upgrades || w.upgrade === ''))
    if (at < 0) return undefined
    this.#limits.numPending--
    const [waiter] = this.#waiters.splice(at, 1)
    this.#dropDials()
    return waiter
  }

  /** One dial for each who needs a connection of its own, one for all who can share a link. */
  #dialForWaiters(): void {
    let wanted = 0
    let sharing = 0
    // an upgrade waits for the SETTINGS of a link that is there
    const opening = this.#links.some((link) => !link.isReady && !link.isRetired)
    for (const waiter of this.#waiters) {
      if (this.#maySpeak(waiter, true)) sharing = waiter.upgrade !== '' && opening ? sharing : 1
      else wanted++
    }
    if (sharing === 1 && this.#links.filter((link) => !link.isRetired).length < MAX_LINKS) wanted++
    // at the limit of connections, somebody may wait for a place and not for a dial
    while (this.#dials.size < wanted && this.#limits.numConnections < this.#limits.maxConnections) this.#dial()
    if (this.#isEmpty) this.#fail(this.#waiters.length, 'overflow', '') // other endpoints have all the places
  }

  /** Nothing is there, or on its way, that anybody could wait for. */
  get #isEmpty(): boolean {
    return this.numConnections + this.#dials.size === 0
  }

  #dial(): void {
    const { address, tls, header, connectTimeoutMs: timeoutMs, protocol } = this.#settings
    const { codec } = protocol
    const http2 = codec === 'http2' || (codec === 'downstream' && tls === null && this.#waiters[0]!.prefersHttp2)
    const done: DialDone = (fault, detail, link) => {
      this.#dials.delete(giveUp)
      if (link === null) {
        this.#limits.numConnections--
        this.#failWaiters(fault ?? 'connect_failure', detail)
      } else this.#add(link, http2 || (codec !== 'http1' && ALPN_SAYS_HTTP2.has(link.alpn)))
    }
    const giveUp = dial(this.#dialer, { address, tls, timeoutMs, header, direct: true }, done)
    this.#dials.add(giveUp)
    this.#limits.numConnections++
  }

  #add(link: Link, http2: boolean): void {
    if (this.#settings.tls !== null && this.#settings.protocol.codec !== 'http2')
      this.#agreed = http2 ? 'http2' : 'http1'
    if (http2) {
      const added = new Http2Link(link, this, this.#settings, this.#dialer.wheel, this.#nowMs)
      added.life = this.#lifeOf(link, added)
      this.#links.push(added)
      added.idleSinceMs = this.#nowMs()
      this.#armSweep()
      this.onRoom(added)
    } else {
      const connection = new Http1Connection(link, this, this.#settings.protocol)
      connection.life = this.#lifeOf(link, connection)
      this.#all.add(connection)
      this.onIdle(connection)
      this.#dialForWaiters() // who had hoped to share
    }
  }

  /** The one whose dial it was; where all hope for one link, all of them. */
  #failWaiters(fault: ConnectFault, detail: string): void {
    const { length } = this.#waiters
    const hasOwnDials = this.#agreed === 'http1'
    this.#fail(hasOwnDials ? (length > this.#dials.size ? 1 : 0) : length, fault, detail)
    this.#dropDials()
    this.#dialForWaiters() // at the limit of connections some had none of their own
  }

  /** The first of those who wait. */
  #fail(count: number, fault: PoolFault, detail: string): void {
    for (const waiter of this.#waiters.splice(0, count)) {
      this.#limits.numPending--
      waiter.onPoolFailure(fault, detail)
    }
  }

  // ---- age

  /** How long it may last. */
  #lifeOf({ lifeMs }: Link, handler: LifeHandler): Life | null {
    return Life.of(this.#dialer.wheel, this.#settings.protocol.common.maxConnectionDurationMs, lifeMs, handler)
  }

  /** The server said how long it keeps one; most say nothing, and then no clock is read. */
  #isStale({ keepAliveMs, idleSinceMs }: Http1Connection): boolean {
    return keepAliveMs !== Infinity && this.#nowMs() - idleSinceMs >= keepAliveMs
  }

  #isOld(connection: Http1Connection | Http2Link): boolean {
    return this.#settings.tls !== null && connection.link.generation < this.#dialer.tls.generation()
  }

  #retire(which: (connection: Http1Connection | Http2Link) => boolean): void {
    for (const link of this.#links.filter(which)) link.retire()
    for (const connection of this.#all) {
      if (!which(connection)) continue
      if (connection.isIdle) connection.destroy()
      else connection.retired = true
    }
  }

  #armSweep(): void {
    if (!this.#sweep.armed && !this.#closed) this.#dialer.wheel.schedule(this.#sweep, this.#settings.idleTimeoutMs)
  }

  #closeOld(): void {
    const nowMs = this.#nowMs()
    const { idleTimeoutMs } = this.#settings
    for (const link of this.#links) {
      if (link.numRequests !== link.numRequestsSeen) link.idleSinceMs = nowMs
      link.numRequestsSeen = link.numRequests
    }
    const idle = [...this.#idle, ...this.#links.filter((link) => link.isIdle)]
    let oldestMs = Infinity
    for (const connection of idle) {
      if (nowMs - connection.idleSinceMs < idleTimeoutMs) oldestMs = Math.min(oldestMs, connection.idleSinceMs)
      else connection.destroy()
    }
    if (oldestMs !== Infinity)
      this.#dialer.wheel.schedule(this.#sweep, Math.max(1000, idleTimeoutMs - (nowMs - oldestMs)))
  }
}

/**
 * One request through the proxy: route, cluster, endpoint, connection, and the response back.
 * In: request events from a downstream connection, response events from an upstream one. Out: calls on both.
 * Owns: its exchange. Knows no socket. Used again for the next request of its connection.
 *
 *   IDLE --begin--> WAITING (for a connection) --onReady--> SENT --onHead--> RESPONDING --onEnd--> IDLE
 *   WAITING, SENT --fault, no retry left--> local reply --> IDLE      SENT --fault, retry--> WAITING
 *   SENT --101--> TUNNEL --its end--> IDLE                            any --downstream gone--> IDLE
 *
 * Invariant: once the response's head has gone out nothing is tried again; a cut body is a cut connection.
 */
import { TimerEntry } from '../../lib/timer-wheel.ts'
import { BODY_NONE } from '../codec/body.ts'
import { type Framing } from '../codec/http1/framing.ts'
import type { Head } from '../codec/head.ts'
import { Exchange } from '../exchange.ts'
import { REPLY, runHttpFilters } from '../filter/chain.ts'
import type { Http1Connection, PoolFault, ResetFault, UpstreamHandler } from '../pool/http1.ts'
import { chooseCluster, type ForwardAction } from '../route/action.ts'
import { findRoute, type RouteTable, type VirtualHost } from '../route/table.ts'
import type { ConnectionInfo, HttpSettings } from './context.ts'
import { describeRequest, markOutcome } from './describe.ts'
import type { DownstreamPeer } from './downstream-peer.ts'
import { type AttemptMarks, encodeRequest, isWebSocket } from './headers.ts'
import { type Fault, type LocalReply, localReply, routeReply } from './local-reply.ts'
import { Attempts } from './retry.ts'
import { Selection } from './selection.ts'

const IDLE = 0
const WAITING = 1
const SENT = 2
const RESPONDING = 3
const TUNNEL = 4

export class Stream implements UpstreamHandler {
  readonly x = new Exchange()
  wantsUpgrade = false
  readonly #peer: DownstreamPeer
  readonly #settings: HttpSettings
  readonly #info: ConnectionInfo
  readonly #routeTimer = new TimerEntry(() => this.#onTimeout('route_timeout'))
  readonly #tryTimer = new TimerEntry(() => this.#onTimeout('per_try_timeout'))
  readonly #backOff = new TimerEntry(() => this.#attempt())
  readonly #attempts = new Attempts()
  readonly #selection = new Selection()
  readonly #replaySink = {
    onBody: (buf: Buffer, start: number, end: number): void => {
      this.#upstream?.sendBody(this.#framing!.kind, buf, start, end)
    },
  }
  readonly #marks: AttemptMarks = { attempt: 0, expectedTimeoutMs: 0, toMeshPeer: false, upgrade: false }
  #state = IDLE
  #head: Head | null = null
  #framing: Framing | null = null
  #vhost: VirtualHost | null = null
  #knownTable: RouteTable | null = null
  #knownAuthority = ''
  #knownHost: VirtualHost | null = null
  #action: ForwardAction | null = null
  #upstream: Http1Connection | null = null
  #requestDone = false
  #upstreamPaused = false
  #onReused = false
  #sentMs = 0
  /** The downstream is handing over what it read; it flushes when it is through. */
  #inRead = false

  constructor(peer: DownstreamPeer, settings: HttpSettings, info: ConnectionInfo) {
    this.#peer = peer
    this.#settings = settings
    this.#info = info
  }

  get method(): string {
    return this.x.method
  }
  get isActive(): boolean {
    return this.#state !== IDLE
  }
  /** Request body bytes can be taken now. */
  get wantsBody(): boolean {
    return this.#state === SENT || this.#state === RESPONDING
  }

  // ---- the request, from downstream

  /** Method, path and authority stand in `x`. */
  begin(head: Head, framing: Framing): void {
    this.#state = WAITING
    this.#head = head
    this.#framing = framing
    this.#requestDone = framing.kind === BODY_NONE
    this.#attempts.begin()
    this.#upstreamPaused = false
    this.#action = null
    this.wantsUpgrade = isWebSocket(this.x.method, head, framing)
    describeRequest(this.x, head, this.#settings, this.#info)
    this.#inRead = true
    this.#route(head)
    this.#inRead = false
  }

  // hot
  onRequestBody(buf: Buffer, start: number, end: number): void {
    this.x.bytesReceived += end - start
    if (this.#state === SENT) this.#attempts.replay.keep(buf, start, end)
    this.#upstream?.sendBody(this.#framing!.kind, buf, start, end)
  }

  onRequestEnd(): void {
    this.#requestDone = true
    this.#upstream?.sendEnd(this.#framing!.kind)
    this.#armRouteTimer()
  }

  onRequestReadEnd(): void {
    if (this.#upstream !== null && !this.#upstream.writer.flush() && !this.#requestDone) this.#peer.pauseRequest()
  }

  onDownstreamDrain(): void {
    if (!this.#upstreamPaused) return
    this.#upstreamPaused = false
    this.#upstream?.resume()
  }

  /** The client went away. */
  onDownstreamGone(): void {
    if (this.#state === IDLE) return
    this.#giveUp()
    markOutcome(this.x, 'DC', 'downstream_remote_disconnect')
    this.#record()
  }

  /** The request's body is not well formed; the peer answers if it still can. */
  onRequestError(status: number): void {
    if (this.#state === IDLE) return
    if (this.#state !== RESPONDING) this.x.responseCode = status
    this.#giveUp()
    markOutcome(this.x, 'DPE', 'http1.codec_error')
    this.#record()
  }

  onTunnelEnd(bytesReceived: number, bytesSent: number): void {
    this.x.bytesReceived += bytesReceived
    this.x.bytesSent += bytesSent
    this.#selection.leaveEndpoint()
    this.#record()
  }

  // ---- route and cluster

  #route(head: Head): void {
    const { x } = this
    this.#vhost = this.#virtualHost(x.authority)
    const route = this.#vhost === null ? undefined : findRoute(this.#vhost, x, head)
    if (route !== undefined) x.routeName = route.name
    if (runHttpFilters(this.#settings.filters.list, x) === REPLY && x.fault !== '') {
      this.#reply({ ...localReply(x.fault), details: x.responseCodeDetails })
      return
    }
    if (route === undefined) {
      this.#fail('no_route')
      return
    }
    if (route.action.kind === 'forward') {
      this.#action = route.action
      this.#forward(route.action)
    } else this.#reply(routeReply(route.action, x))
  }

  /** A connection mostly asks one authority: the last answer holds until a push swaps the table. */
  #virtualHost(authority: string): VirtualHost | null {
    const { table } = this.#settings.routes
    if (table === this.#knownTable && authority === this.#knownAuthority) return this.#knownHost
    this.#knownTable = table
    this.#knownAuthority = authority
    return (this.#knownHost = table?.virtualHost(authority) ?? null)
  }

  #forward(action: ForwardAction): void {
    const fault = this.#selection.enter(chooseCluster(action, this.#settings.proxy.random), this.x)
    if (fault !== null) {
      this.#fail(fault)
      return
    }
    this.#attempts.use(action.retry)
    if (this.#requestDone) this.#armRouteTimer()
    this.#attempt()
  }

  /** One try: another endpoint than before, a connection to it. */
  #attempt(): void {
    this.#attempts.num++
    const fault = this.#selection.pick(this.#attempts, this.#info, this.#settings.forwardProxy, this.x)
    if (fault !== null) {
      this.#fail(fault)
      return
    }
    this.#state = WAITING
    this.#selection.endpoint!.pool.acquire(this, this.#attempts.replaced)
  }

  // ---- the response, from upstream

  onReady(connection: Http1Connection): void {
    const { x } = this
    const { proxy } = this.#settings
    const { link } = connection
    const framing = this.#framing!
    this.#upstream = connection
    this.#state = SENT
    this.#onReused = connection.reused
    x.upstreamLocalAddress = connection.localAddress
    if (!x.inbound) {
      x.upstreamPrincipal = link.peerId
      x.mutualTls = link.peerId !== ''
    }
    this.#sentMs = this.#inRead ? x.startMs : proxy.nowMs() // at once: the same moment
    const marks = this.#marks
    const timeoutMs = this.#action!.timeoutMs
    marks.attempt = this.#vhost!.includeAttemptCount && !x.inbound ? this.#attempts.num : 0 // inbound passes on what came
    marks.expectedTimeoutMs = timeoutMs === 0 ? 0 : Math.max(1, Math.round(timeoutMs - (this.#sentMs - x.startMs)))
    marks.toMeshPeer = !x.inbound && link.peerId !== ''
    marks.upgrade = this.wantsUpgrade
    encodeRequest(connection.writer, this.#head!, framing, x, this.#settings, this.#info, marks)
    this.#attempts.replay.sendAgain(this.#replaySink)
    if (this.#requestDone) connection.sendEnd(framing.kind)
    const { perTryTimeoutMs } = this.#attempts
    if (perTryTimeoutMs > 0) proxy.wheel.schedule(this.#tryTimer, perTryTimeoutMs)
    if (this.#inRead) return
    if (this.#requestDone) connection.writer.flush()
    else this.#peer.resumeRequest()
  }

  onPoolFailure(fault: PoolFault, detail: string): void {
    this.#selection.failed()
    this.x.upstreamTransportFailure = detail
    if (this.#attempts.wants(fault) && this.#retry()) return
    this.#fail(fault)
  }

  onInterim(head: Head): void {
    this.#peer.sendInterim(head)
  }

  onHead(head: Head, framing: Framing): void {
    const { x } = this
    const { proxy } = this.#settings
    if (this.#requestDone && this.#attempts.wantsAfterStatus(head.status)) {
      const upstream = this.#upstream!
      if (this.#retry()) {
        upstream.cancel()
        return
      }
    }
    this.#attempts.replay.drop()
    proxy.wheel.cancel(this.#tryTimer)
    this.#state = RESPONDING
    x.responseCode = head.status
    x.responseCodeDetails = 'via_upstream'
    x.upstreamServiceMs = Math.round(proxy.nowMs() - this.#sentMs)
    this.#peer.sendHead(head, framing, x.upstreamServiceMs)
  }

  // hot: a body of the response
  onBody(buf: Buffer, start: number, end: number): void {
    this.x.bytesSent += end - start
    this.#peer.sendBody(buf, start, end)
  }

  onReadEnd(): void {
    if (this.#peer.flush() || this.#upstream === null) return
    this.#upstreamPaused = true
    this.#upstream.pause()
  }

  onEnd(): void {
    this.#upstream = null
    this.#selection.leaveEndpoint()
    this.#peer.sendEnd()
    this.#peer.flush()
    this.#record()
    this.#peer.exchangeDone()
  }

  onReset(fault: ResetFault, detail: string): void {
    const { x } = this
    this.#upstream = null
    this.#selection.failed()
    x.upstreamTransportFailure = ''
    if (this.#state === RESPONDING) {
      this.#selection.leaveEndpoint()
      markOutcome(this.x, fault === 'protocol_error' ? 'UPE' : 'UC', `upstream_reset_after_response_started{${fault}}`)
      this.#record()
      this.#peer.abort()
      return
    }
    x.connectionTerminationDetails = detail === 'closed' ? '' : detail.replaceAll(' ', '_')
    const attempts = this.#attempts
    if (this.#onReused && fault === 'connection_termination' && attempts.mayReplaceStale(x.method)) {
      attempts.replaced = true
      attempts.num-- // not counted: the server never saw it, or will see the same twice
      this.#selection.leaveEndpoint()
      this.#attempt()
      return
    }
    if (attempts.wants(fault) && this.#retry()) return
    this.#fail(fault)
  }

  onUpgrade(head: Head, rest: Buffer): void {
    const { x } = this
    const upstream = this.#upstream!
    this.#upstream = null
    this.#state = TUNNEL
    this.#settings.proxy.wheel.cancel(this.#routeTimer)
    this.#settings.proxy.wheel.cancel(this.#tryTimer)
    x.responseCode = 101
    x.responseCodeDetails = 'via_upstream'
    x.upstreamServiceMs = Math.round(this.#settings.proxy.nowMs() - this.#sentMs)
    this.#peer.switchProtocols(head, upstream, rest)
  }

  onUpstreamDrain(): void {
    if (!this.#requestDone && this.wantsBody) this.#peer.resumeRequest()
  }

  // ---- ends

  /** Another attempt after a pause, if the policy has one left. */
  #retry(): boolean {
    const { wheel, random } = this.#settings.proxy
    const delayMs = this.#attempts.delayMs(random)
    if (delayMs < 0) {
      if (this.#attempts.exhausted) this.x.responseFlags = 'URX'
      return false
    }
    this.#attempts.tried.push(this.#selection.endpoint!)
    this.#selection.leaveEndpoint()
    this.#upstream = null
    wheel.cancel(this.#tryTimer)
    this.#state = WAITING
    wheel.schedule(this.#backOff, delayMs)
    return true
  }

  #onTimeout(fault: Fault): void {
    if (this.#state === RESPONDING) {
      this.#giveUp()
      markOutcome(this.x, 'UT', 'response_timeout')
      this.#record()
      this.#peer.abort()
      return
    }
    const upstream = this.#upstream
    if (this.#attempts.wants(fault) && this.#retry()) {
      upstream?.cancel()
      return
    }
    this.#giveUp()
    this.#fail(fault)
  }

  /** Lets go of the upstream side, wherever it is. */
  #giveUp(): void {
    this.#upstream?.cancel()
    this.#upstream = null
    if (this.#state === WAITING) this.#selection.endpoint?.pool.cancel(this)
    this.#selection.leaveEndpoint()
  }

  #fail(fault: Fault): void {
    this.#reply(localReply(fault, this.x.upstreamTransportFailure, this.#attempts.num > 1))
  }

  #reply({ status, flag, details, body, lines }: LocalReply): void {
    const { x } = this
    this.#selection.leaveEndpoint()
    x.responseCode = status
    x.bytesSent = x.method === 'HEAD' ? 0 : body.length
    markOutcome(x, flag, details)
    this.#peer.sendLocal(status, body, lines)
    this.#peer.flush()
    this.#record()
    this.#peer.exchangeDone()
  }

  #armRouteTimer(): void {
    const timeoutMs = this.#action?.timeoutMs ?? 0
    if (timeoutMs > 0 && this.isActive) this.#settings.proxy.wheel.schedule(this.#routeTimer, timeoutMs)
  }

  /** Tells telemetry; the stream is free afterwards. */
  #record(): void {
    const { x } = this
    const { wheel, telemetry, nowMs } = this.#settings.proxy
    wheel.cancel(this.#routeTimer)
    wheel.cancel(this.#tryTimer)
    wheel.cancel(this.#backOff)
    this.#selection.leave()
    this.#state = IDLE
    x.durationMs = nowMs() - x.startMs
    telemetry.onEnd(x)
  }
}

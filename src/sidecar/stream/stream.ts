/**
 * One request through the proxy: route, filters, cluster, endpoint, connection, and the response back.
 * In: request events from a downstream connection, response events from an upstream one. Out: calls on both, which are
 * the same whatever version of HTTP each speaks. Owns: its exchange. Knows no socket. Serves one request after another.
 *
 *   IDLE --begin--> WAITING (for a connection) --onReady--> SENT --onHead--> RESPONDING --onEnd--> IDLE
 *   WAITING, SENT --fault, no retry left--> local reply --> IDLE      SENT --fault, retry--> WAITING
 *   SENT --onTunnel--> TUNNEL --both ways ended--> IDLE               any --downstream gone--> IDLE
 *
 * Invariant: once the response's head has gone out nothing is tried again; a cut body is a cut connection.
 */
import { BODY_NONE, type BodyFraming } from '../codec/body.ts'
import type { Head } from '../codec/head.ts'
import { Exchange } from '../exchange.ts'
import { REPLY, runHttpFilters } from '../filter/chain.ts'
import type { PoolFault, ResetFault, UpstreamExchange, UpstreamHandler } from '../pool/upstream.ts'
import { chooseCluster, type ForwardAction } from '../route/action.ts'
import { findRoute, type RouteTable, type VirtualHost } from '../route/table.ts'
import type { ConnectionInfo, HttpSettings } from './context.ts'
import { type DeadlineHandler, Deadlines } from './deadlines.ts'
import { describeRequest, describeTrailers, markOutcome, markReset, RequestTexts } from './describe.ts'
import type { DownstreamPeer } from './downstream-peer.ts'
import { grpcReply } from './grpc.ts'
import { type AttemptMarks, encodeRequest, markAttempt } from './headers.ts'
import { type Fault, type LocalReply, localReply, routeReply } from './local-reply.ts'
import { Attempts } from './retry.ts'
import { Selection } from './selection.ts'

const IDLE = 0
const WAITING = 1
const SENT = 2
const RESPONDING = 3
const TUNNEL = 4

export class Stream implements UpstreamHandler, DeadlineHandler {
  readonly x = new Exchange()
  /** What the request asks the connection to become, '' for nothing. */
  upgrade = ''
  readonly #peer: DownstreamPeer
  readonly #settings: HttpSettings
  readonly #info: ConnectionInfo
  readonly #deadlines: Deadlines
  readonly #attempts = new Attempts()
  readonly #texts = new RequestTexts()
  readonly #selection = new Selection()
  readonly #replaySink = {
    onBody: (buf: Buffer, start: number, end: number): void => this.#upstream?.sendBody(buf, start, end),
  }
  readonly #marks: AttemptMarks = { attempt: 0, expectedTimeoutMs: 0, grpcTimeout: '', toMeshPeer: false, upgrade: '' }
  #state = IDLE
  #head: Head | null = null
  #framing: BodyFraming | null = null
  #vhost: VirtualHost | null = null
  #knownTable: RouteTable | null = null
  #knownAuthority = ''
  #knownHost: VirtualHost | null = null
  #action: ForwardAction | null = null
  #upstream: UpstreamExchange | null = null
  #requestDone = false
  #responseDone = false
  #upstreamPaused = false
  #sentMs = 0
  /** The downstream is handing over what it read; it flushes when it is through. */
  #inRead = false

  constructor(peer: DownstreamPeer, settings: HttpSettings, info: ConnectionInfo) {
    this.#peer = peer
    this.#settings = settings
    this.#info = info
    this.#deadlines = new Deadlines(settings.proxy.wheel, settings.proxy.nowMs, this)
  }

  get method(): string {
    return this.x.method
  }
  get prefersHttp2(): boolean {
    return this.x.cameAsHttp2
  }
  get isActive(): boolean {
    return this.#state !== IDLE
  }
  get isTunnel(): boolean {
    return this.#state === TUNNEL
  }
  /** Request body bytes can be taken now; those of a tunnel only when it stands. */
  get wantsBody(): boolean {
    return this.#state === TUNNEL || (this.upgrade === '' && (this.#state === SENT || this.#state === RESPONDING))
  }

  // ---- the request, from downstream

  /** Method, path and authority stand in `x`. Head and framing stay as they are until the exchange is over. */
  begin(head: Head, framing: BodyFraming, upgrade: string): void {
    this.#state = WAITING
    this.#head = head
    this.#framing = framing
    this.upgrade = upgrade
    this.#requestDone = framing.kind === BODY_NONE && upgrade === ''
    this.#responseDone = false
    this.#attempts.begin()
    this.#upstreamPaused = false
    this.#action = null
    describeRequest(this.x, head, this.#settings, this.#info, this.#texts)
    this.#deadlines.begin(this.x.startMs, this.#settings.protocol.streamIdleTimeoutMs)
    this.#inRead = true
    this.#route(head)
    this.#inRead = false
  }

  // hot
  onRequestBody(buf: Buffer, start: number, end: number): void {
    this.x.bytesReceived += end - start
    if (this.#state === SENT) this.#attempts.replay.keep(buf, start, end)
    this.#upstream?.sendBody(buf, start, end)
  }

  onRequestTrailers(head: Head): void {
    this.#attempts.replay.drop()
    this.#upstream?.sendTrailers(head)
  }

  onRequestEnd(): void {
    this.#requestDone = true
    this.#upstream?.sendEnd()
    if (this.#state === TUNNEL) this.#halfEnded()
    else this.#armRouteTimer()
  }

  /** What was read is handed over: out with it. */
  onRequestReadEnd(): void {
    if (this.#upstream === null) return
    this.#deadlines.active()
    if (!this.#upstream.flush() && !this.#requestDone) this.#peer.pauseRequest()
  }

  onDownstreamDrain(): void {
    if (!this.#upstreamPaused) return
    this.#upstreamPaused = false
    this.#deadlines.active()
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

  /** There are new rules. Requests ask them one by one, a tunnel did it once. */
  recheck(): void {
    if (this.#state !== TUNNEL || runHttpFilters(this.#settings.filters.list, this.x) !== REPLY) return
    this.x.connectionTerminationDetails = this.x.responseCodeDetails
    this.#cut('', 'via_upstream')
  }

  /** The connection is over. */
  close(): void {
    this.onDownstreamGone()
    this.#deadlines.close()
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
    if (this.x.grpcTimeoutMs >= 0) this.#deadlines.armRoute(this.#limitMs())
    else if (this.#requestDone) this.#armRouteTimer()
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

  onReady(upstream: UpstreamExchange): void {
    const { x } = this
    const { proxy } = this.#settings
    const framing = this.#framing!
    this.#upstream = upstream
    this.#state = SENT
    x.upstreamLocalAddress = upstream.localAddress
    if (!x.inbound) {
      x.upstreamPrincipal = upstream.peerId
      x.mutualTls = upstream.peerId !== ''
    }
    this.#sentMs = this.#inRead ? x.startMs : proxy.nowMs() // at once: the same moment
    const attempt = this.#vhost!.includeAttemptCount && !x.inbound ? this.#attempts.num : 0 // inbound passes on what came
    markAttempt(this.#marks, x, attempt, this.#limitMs() - (this.#sentMs - x.startMs), this.upgrade)
    upstream.beginRequest(framing)
    encodeRequest(upstream.encoder, this.#head!, framing, x, this.#settings, this.#info, this.#marks)
    this.#attempts.replay.sendAgain(this.#replaySink)
    if (this.#requestDone) upstream.sendEnd()
    const { perTryTimeoutMs } = this.#attempts
    if (perTryTimeoutMs > 0) this.#deadlines.armTry(perTryTimeoutMs)
    if (this.#inRead) return
    if (this.#requestDone || this.upgrade !== '') upstream.flush()
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

  onHead(head: Head, framing: BodyFraming): void {
    if (this.#requestDone && this.#attempts.wantsAfterStatus(head.status)) {
      const upstream = this.#upstream!
      if (this.#retry()) {
        upstream.cancel()
        return
      }
    }
    this.#respond(RESPONDING, head.status)
    if (this.x.protocol === 'grpc') describeTrailers(this.x, head) // trailers-only
    this.#peer.sendHead(head, framing, this.x.upstreamServiceMs)
  }

  onTunnel(head: Head): void {
    this.#respond(TUNNEL, 101)
    this.#deadlines.cancelRoute()
    this.#deadlines.setIdle(this.#settings.idleTimeoutMs)
    this.#peer.sendTunnel(head, this.upgrade)
    this.#peer.flush()
    this.#peer.resumeRequest()
  }

  #respond(state: number, status: number): void {
    const { x } = this
    this.#attempts.replay.drop()
    this.#deadlines.cancelTry()
    this.#state = state
    x.responseCode = status
    x.responseCodeDetails = 'via_upstream'
    x.upstreamServiceMs = Math.round(this.#settings.proxy.nowMs() - this.#sentMs)
  }

  // hot: a body of the response
  onBody(buf: Buffer, start: number, end: number): void {
    this.x.bytesSent += end - start
    this.#peer.sendBody(buf, start, end)
  }

  onTrailers(head: Head): void {
    if (this.x.protocol === 'grpc') describeTrailers(this.x, head)
    this.#peer.sendTrailers(head)
  }

  onReadEnd(): void {
    this.#deadlines.active()
    if (this.#peer.flush() || this.#upstream === null) return
    this.#upstreamPaused = true
    this.#upstream.pause()
  }

  onEnd(): void {
    this.#peer.sendEnd()
    this.#peer.flush()
    this.#responseDone = true
    if (this.#state === TUNNEL) this.#halfEnded()
    else this.#done()
  }

  onReset(fault: ResetFault, detail: string): void {
    const { x } = this
    const attempts = this.#attempts
    const reused = this.#upstream?.reused ?? false
    this.#upstream = null
    this.#selection.failed()
    x.upstreamTransportFailure = ''
    if (this.#state === RESPONDING || this.#state === TUNNEL) {
      this.#selection.leaveEndpoint()
      markReset(x, fault)
      this.#record()
      this.#peer.abort()
      return
    }
    x.connectionTerminationDetails = detail === 'closed' ? '' : detail.replaceAll(' ', '_')
    if (attempts.mayReplace(fault, reused, x.method)) {
      attempts.replaced = true
      attempts.num-- // not counted: the server never saw it, or will see the same twice
      this.#selection.leaveEndpoint()
      this.#attempt()
      return
    }
    if (attempts.wants(fault) && this.#retry()) return
    this.#fail(fault)
  }

  onUpstreamDrain(): void {
    if (!this.#requestDone && this.wantsBody) this.#peer.resumeRequest()
  }

  // ---- ends

  /** One way of a tunnel is over; after the other its exchange is. */
  #halfEnded(): void {
    if (this.#requestDone && this.#responseDone) this.#done()
    else this.#deadlines.halfClosed()
  }

  #done(): void {
    this.#upstream = null
    this.#selection.leaveEndpoint()
    this.#record()
    this.#peer.exchangeDone()
  }

  /** Another attempt after a pause, if the policy has one left. */
  #retry(): boolean {
    const delayMs = this.#attempts.delayMs(this.#settings.proxy.random)
    if (delayMs < 0) {
      if (this.#attempts.exhausted) this.x.responseFlags = 'URX'
      return false
    }
    this.#attempts.tried.push(this.#selection.endpoint!)
    this.#selection.leaveEndpoint()
    this.#upstream = null
    this.#deadlines.cancelTry()
    this.#state = WAITING
    this.#deadlines.armBackOff(delayMs)
    return true
  }

  onBackOffOver(): void {
    this.#attempt()
  }
  onRouteTimeout(): void {
    this.#onTimeout('route_timeout', 'UT', 'response_timeout')
  }
  onTryTimeout(): void {
    this.#onTimeout('per_try_timeout', 'UT', 'response_timeout')
  }
  onIdleTimeout(): void {
    this.#onTimeout('idle_timeout', 'SI', 'stream_idle_timeout')
  }

  #onTimeout(fault: Fault, flag: string, details: string): void {
    if (this.#state === RESPONDING || this.#state === TUNNEL) {
      this.#cut(flag, details)
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

  /** Ends what has begun to answer; both sides see that it is not whole. */
  #cut(flag: string, details: string): void {
    this.#giveUp()
    markOutcome(this.x, flag, details)
    this.#record()
    this.#peer.abort()
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

  #reply(plain: LocalReply): void {
    const { x } = this
    const { status, flag, details, body, fields } = x.protocol === 'grpc' ? grpcReply(plain) : plain
    this.#selection.leaveEndpoint()
    x.responseCode = status
    x.bytesSent = x.method === 'HEAD' ? 0 : body.length
    markOutcome(x, flag, details)
    this.#peer.sendLocal(status, body, fields)
    this.#peer.flush()
    this.#record()
    this.#peer.exchangeDone()
  }

  /** Time that the whole exchange may take, 0: any. A gRPC caller's deadline counts where it is the shorter. */
  #limitMs(): number {
    const routeMs = this.#action?.timeoutMs ?? 0
    const { grpcTimeoutMs } = this.x
    if (grpcTimeoutMs < 0) return routeMs
    return routeMs > 0 ? Math.min(routeMs, grpcTimeoutMs) : grpcTimeoutMs
  }

  #armRouteTimer(): void {
    const limitMs = this.#limitMs()
    if (limitMs > 0 && this.isActive && this.x.grpcTimeoutMs < 0) this.#deadlines.armRoute(limitMs)
  }

  /** Tells telemetry; the stream is free afterwards. */
  #record(): void {
    const { x } = this
    const { telemetry, nowMs } = this.#settings.proxy
    this.#deadlines.end()
    this.#selection.leave()
    this.#state = IDLE
    this.#head = null
    x.durationMs = nowMs() - x.startMs
    telemetry.onEnd(x)
  }
}

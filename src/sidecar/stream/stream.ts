/**
 * One request through the proxy: route, filters, cluster, endpoint, connection, and the response back.
 * In: request events from a downstream connection. Out: calls on it, and on the half that faces the upstream
 * (upstream-side.ts); both are the same whatever version of HTTP each speaks. Owns: the request and its deadlines. Knows
 * no socket. Serves one request after another.
 *
 *   IDLE --begin--> WAITING --a connection--> SENT --its answer--> RESPONDING --whole--> IDLE
 *   WAITING, SENT --fault, no retry left--> local reply --> IDLE
 *   SENT --what was asked for is granted--> TUNNEL --both ways ended--> IDLE     any --downstream gone--> IDLE
 *
 * Invariant: once the response's head has gone out nothing is tried again; a cut body is a cut connection.
 */
import { BODY_NONE, type BodyFraming } from '../codec/body.ts'
import type { Head } from '../codec/head.ts'
import type { Exchange } from '../exchange.ts'
import { REPLY, runHttpFilters } from '../filter/chain.ts'
import type { ResetFault } from '../pool/upstream.ts'
import type { ForwardAction } from '../route/action.ts'
import { findRoute, type Route, type RouteTable, type VirtualHost } from '../route/table.ts'
import type { ConnectionInfo, HttpSettings } from './context.ts'
import { type DeadlineHandler, Deadlines } from './deadlines.ts'
import { describeConnection, describeRequest, markOutcome, markReset, RequestTexts } from './describe.ts'
import type { DownstreamPeer } from './downstream-peer.ts'
import { boundGrpcTimeout, grpcReply, grpcStatusOf } from './grpc.ts'
import { type Fault, type LocalReply, localReply, requestReply, routeReply } from './local-reply.ts'
import { IDLE, Request, RESPONDING, SENT, TUNNEL, WAITING } from './request.ts'
import { isUpgradeAllowed } from './upgrade.ts'
import { type UpstreamOutcome, UpstreamSide } from './upstream-side.ts'

export class Stream implements UpstreamOutcome, DeadlineHandler {
  readonly x: Exchange
  readonly #request = new Request()
  readonly #peer: DownstreamPeer
  readonly #settings: HttpSettings
  readonly #info: ConnectionInfo
  readonly #deadlines: Deadlines
  readonly #texts = new RequestTexts()
  readonly #upstream: UpstreamSide
  #routedHost: VirtualHost | null = null
  #routedPath = ''
  #routed: Route | undefined
  #knownTable: RouteTable | null = null
  #knownAuthority = ''
  #knownHost: VirtualHost | null = null

  constructor(peer: DownstreamPeer, settings: HttpSettings, info: ConnectionInfo) {
    this.x = this.#request.x
    this.#peer = peer
    this.#settings = settings
    this.#info = info
    this.#deadlines = new Deadlines(settings.proxy.wheel, settings.proxy.nowMs, this)
    this.#upstream = new UpstreamSide(this.#request, peer, settings, info, this.#deadlines, this)
  }

  get method(): string {
    return this.x.method
  }
  get upgrade(): string {
    return this.#request.upgrade
  }
  get isActive(): boolean {
    return this.#request.phase !== IDLE
  }
  get isTunnel(): boolean {
    return this.#request.phase === TUNNEL
  }
  /** The answer's head has gone out. */
  get isAnswered(): boolean {
    return this.#request.isAnswered
  }
  /** Request body bytes can be taken now; those of a tunnel only when it stands. */
  get wantsBody(): boolean {
    const { phase, upgrade } = this.#request
    return phase === TUNNEL || (upgrade === '' && (phase === SENT || phase === RESPONDING))
  }

  // ---- the request, from downstream

  /** Method, path and authority stand in `x`. Head and framing stay as they are until the exchange is over. */
  begin(head: Head, framing: BodyFraming, upgrade: string): void {
    const request = this.#request
    const { protocol } = this.#settings
    request.begin(head, framing, upgrade, framing.kind === BODY_NONE && upgrade === '')
    this.#upstream.begin()
    describeRequest(this.x, head, this.#settings, this.#info, this.#texts)
    this.#deadlines.begin(this.x.startMs, protocol.streamIdleTimeoutMs)
    if (!request.isDone && upgrade === '' && protocol.requestTimeoutMs > 0)
      this.#deadlines.armRequest(protocol.requestTimeoutMs)
    request.inRead = true
    this.#route(head)
    request.inRead = false
  }

  // hot
  onRequestBody(buf: Buffer, start: number, end: number): void {
    this.x.bytesReceived += end - start
    this.#upstream.sendBody(buf, start, end)
  }

  onRequestTrailers(head: Head): void {
    this.#upstream.sendTrailers(head)
  }

  onRequestEnd(): void {
    const request = this.#request
    request.isDone = true
    this.#upstream.sendEnd()
    this.#deadlines.cancelRequest()
    if (request.phase === TUNNEL) this.#upstream.onTunnelRequestEnd()
    else this.#armRouteTimer()
  }

  /** What was read is handed over: out with it. */
  onRequestReadEnd(): void {
    this.#upstream.flush()
  }

  onDownstreamDrain(): void {
    this.#upstream.resume()
  }

  /** The client went away. */
  onDownstreamGone(): void {
    if (!this.isActive) return
    this.#upstream.giveUp()
    markOutcome(this.x, 'DC', 'downstream_remote_disconnect')
    this.#record()
  }

  /** The request's body is not well formed; the peer answers if it still can. */
  onRequestError(status: number, details: string): void {
    if (!this.isActive) return
    if (this.#request.phase !== RESPONDING) this.x.responseCode = status
    this.#upstream.giveUp()
    markOutcome(this.x, 'DPE', details)
    this.#record()
  }

  /** The peer refuses by itself what never became a request: it is counted and logged all the same. */
  onRefused(status: number, flag: string, details: string): void {
    const { x } = this
    const { proxy, inbound } = this.#settings
    describeConnection(x, proxy, inbound, this.#info)
    x.responseCode = status
    markOutcome(x, flag, details)
    proxy.telemetry.onEnd(x)
  }

  /** The body comes too slowly (`slow_body`), or the client does not take the answer (`stalled`). */
  onPeerStalled(fault: 'slow_body' | 'stalled'): void {
    if (this.isActive) this.#onTimeout(fault)
  }

  /** There are new rules. Requests ask them one by one, a tunnel did it once. */
  recheck(): void {
    if (!this.isTunnel || runHttpFilters(this.#settings.filters.list, this.x) !== REPLY) return
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
    if (x.fault !== '') {
      this.#reply(requestReply(x.fault, x))
      return
    }
    const vhost = this.#virtualHost(x.authority)
    const route = vhost === null ? undefined : this.#routeOf(vhost, x, head)
    if (route !== undefined) x.routeName = route.name
    if (runHttpFilters(this.#settings.filters.list, x) === REPLY && x.fault !== '') {
      this.#reply({ ...localReply(x.fault), details: x.responseCodeDetails })
      return
    }
    const action = route?.action
    const { upgrade } = this.#request
    if (upgrade !== '' && !isUpgradeAllowed(upgrade, this.#settings.protocol.upgrades, action))
      this.onFailed(upgrade === 'connect' ? 'connect_refused' : 'upgrade_refused')
    else if (action === undefined) this.onFailed('no_route')
    else if (action.kind === 'forward') {
      this.#request.countsAttempts = vhost!.includeAttemptCount
      this.#forward(action)
    } else this.#reply(routeReply(action, x))
  }

  /** It mostly asks one path, too, and often nothing but the path decides. */
  #routeOf(vhost: VirtualHost, x: Exchange, head: Head): Route | undefined {
    if (!vhost.isByPath) return findRoute(vhost, x, head)
    if (vhost !== this.#routedHost || x.path !== this.#routedPath) {
      this.#routedHost = vhost
      this.#routedPath = x.path
      this.#routed = findRoute(vhost, x, head)
    }
    return this.#routed
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
    const request = this.#request
    const { x } = this
    request.action = action
    const fault = this.#upstream.enter(action)
    if (fault !== null) {
      this.onFailed(fault)
      return
    }
    const { protocol } = action
    if (x.protocol === 'grpc') boundGrpcTimeout(x, protocol.maxGrpcTimeoutMs)
    if (x.grpcTimeoutMs >= 0) this.#deadlines.armRoute(request.limitMs())
    else if (request.isDone) this.#armRouteTimer()
    if (protocol.idleTimeoutMs !== null) this.#deadlines.setIdle(protocol.idleTimeoutMs)
    const ownMs = protocol.maxStreamDurationMs ?? this.#settings.protocol.common.maxStreamDurationMs
    const { maxDurationMs } = this.#upstream
    if (ownMs > 0 || maxDurationMs > 0) this.#deadlines.armDuration(ownMs, maxDurationMs)
    this.#upstream.attempt()
    const limitMs = request.limitMs()
    if (request.phase === WAITING && !request.isDone && x.grpcTimeoutMs < 0 && limitMs > 0)
      this.#deadlines.armHeld(limitMs)
  }

  // ---- ends

  onDone(): void {
    this.#record()
    this.#peer.exchangeDone()
  }

  onHalfEnded(): void {
    this.#deadlines.halfClosed()
  }

  onBroken(fault: ResetFault): void {
    markReset(this.x, fault)
    this.#record()
    this.#peer.abort()
  }

  onFailed(fault: Fault): void {
    this.#reply(localReply(fault, this.x.upstreamTransportFailure, this.#upstream.attempts.num > 1))
  }

  onBackOffOver(): void {
    this.#upstream.attempt()
  }

  /** Of any kind: another try, or the fault's own answer; what has begun to answer is cut. */
  onDeadline(fault: Fault): void {
    this.#onTimeout(fault)
  }

  #onTimeout(fault: Fault): void {
    if (this.#request.isAnswered) {
      const { flag, details } = localReply(fault)
      this.#cut(flag, details)
      return
    }
    if (this.#upstream.retryAfter(fault)) return
    this.#upstream.giveUp()
    this.onFailed(fault)
  }

  /** Ends what has begun to answer; both sides see that it is not whole. */
  #cut(flag: string, details: string): void {
    this.#upstream.giveUp()
    markOutcome(this.x, flag, details)
    this.#record()
    this.#peer.abort()
  }

  #reply(plain: LocalReply): void {
    const { x } = this
    const { status, flag, details, body, fields } = x.protocol === 'grpc' ? grpcReply(plain) : plain
    if (x.protocol === 'grpc') x.grpcStatus = String(grpcStatusOf(plain.status, plain.flag))
    x.responseCode = status
    x.bytesSent = x.method === 'HEAD' ? 0 : body.length
    markOutcome(x, flag, details)
    this.#peer.sendLocal(status, body, fields)
    this.#peer.flush()
    this.#record()
    this.#peer.exchangeDone()
  }

  #armRouteTimer(): void {
    const limitMs = this.#request.limitMs()
    if (limitMs > 0 && this.isActive && this.x.grpcTimeoutMs < 0) this.#deadlines.armRoute(limitMs)
  }

  /** Tells telemetry; the stream is free afterwards. */
  #record(): void {
    const { x } = this
    const { telemetry, nowMs } = this.#settings.proxy
    this.#deadlines.end()
    this.#upstream.leave()
    this.#request.end()
    x.durationMs = nowMs() - x.startMs
    telemetry.onEnd(x)
  }
}

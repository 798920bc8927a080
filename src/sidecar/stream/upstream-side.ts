/**
 * The half of a stream that faces the upstream: attempts, and the response on its way back.
 * In: a route's action, events of an upstream exchange. Out: calls on that exchange and on the downstream peer; to the
 * stream, how it ended. Owns: its place in the cluster, the endpoint, what may be sent again.
 *
 *   WAITING (for a connection) --onReady--> SENT --onHead--> RESPONDING --onEnd--> done
 *   WAITING, SENT --fault, no retry left--> failed        SENT --fault, retry--> WAITING
 *   SENT --onTunnel--> TUNNEL --both ways ended--> done    RESPONDING, TUNNEL --fault--> broken
 */
import { drawCluster } from '../cluster/clusters.ts'
import type { BodyFraming } from '../codec/body.ts'
import { Head } from '../codec/head.ts'
import type { PoolFault, ResetFault, UpstreamBody, UpstreamExchange, UpstreamHandler } from '../pool/upstream.ts'
import type { ForwardAction } from '../route/action.ts'
import type { ConnectionInfo, HttpSettings } from './context.ts'
import type { Deadlines } from './deadlines.ts'
import { describeTrailers, describeUpstream } from './describe.ts'
import type { DownstreamPeer } from './downstream-peer.ts'
import { type AttemptMarks, encodeRequest, markAttempt } from './headers.ts'
import type { Fault } from './local-reply.ts'
import { type Request, RESPONDING, SENT, TUNNEL, WAITING } from './request.ts'
import { Attempts } from './retry.ts'
import { Selection } from './selection.ts'

/** How it ends; the stream answers, cuts, or tells telemetry. */
export interface UpstreamOutcome {
  onDone(): void
  onFailed(fault: Fault): void
  /** After the head of the answer had gone out. */
  onBroken(fault: ResetFault): void
  /** One way of a tunnel is over, the other goes on. */
  onHalfEnded(): void
}

/** Written and read within one call. */
const marks: AttemptMarks = { attempt: 0, expectedTimeoutMs: 0, grpcTimeout: '', toMeshPeer: false, upgrade: '' }

export class UpstreamSide implements UpstreamHandler {
  readonly attempts = new Attempts()
  readonly #request: Request
  readonly #peer: DownstreamPeer
  readonly #settings: HttpSettings
  readonly #info: ConnectionInfo
  readonly #deadlines: Deadlines
  readonly #outcome: UpstreamOutcome
  readonly #selection = new Selection()
  #upstream: UpstreamBody | null = null
  #responseDone = false
  #paused = false
  #sentMs = 0

  constructor(
    request: Request,
    peer: DownstreamPeer,
    settings: HttpSettings,
    info: ConnectionInfo,
    deadlines: Deadlines,
    outcome: UpstreamOutcome,
  ) {
    this.#request = request
    this.#peer = peer
    this.#settings = settings
    this.#info = info
    this.#deadlines = deadlines
    this.#outcome = outcome
  }

  get method(): string {
    return this.#request.x.method
  }
  get upgrade(): string {
    return this.#request.upgrade
  }
  get prefersHttp2(): boolean {
    return this.#request.x.cameAsHttp2
  }

  // ---- attempts

  begin(): void {
    this.attempts.begin()
    this.#responseDone = false
    this.#paused = false
  }

  /** Takes a place in the action's cluster; `null` is success, and `attempt` comes next. */
  enter(action: ForwardAction): Fault | null {
    this.attempts.use(action.retry)
    const cell = drawCluster(action.clusters, action.upTo, this.#settings.proxy.random)
    return this.#selection.enter(cell, this.#request.x)
  }

  /** What the cluster lets one of its streams last, 0: any time. */
  get maxDurationMs(): number {
    return this.#selection.maxDurationMs
  }

  /** One try: another endpoint than before, a connection to it. */
  attempt(): void {
    const request = this.#request
    this.attempts.num++
    const fault = this.#selection.pick(this.attempts, this.#info, this.#settings.forwardProxy, request.x)
    if (fault !== null) {
      this.#outcome.onFailed(fault)
      return
    }
    this.#wait()
    const { pool } = this.#selection.endpoint!
    if (request.x.method === 'CONNECT') pool.connect(this)
    else pool.acquire(this, this.attempts.replaced)
  }

  /** Nobody takes body bytes until the next `onReady`; of a request that is just beginning its connection sees to that. */
  #wait(): void {
    const request = this.#request
    request.phase = WAITING
    this.#deadlines.cancelTry() // a try that waits for its place would be made twice
    if (!request.inRead && !request.isDone) this.#peer.pauseRequest()
  }

  onReady(upstream: UpstreamExchange): void {
    const request = this.#request
    const { x } = request
    this.#connected(upstream)
    const attempt = request.countsAttempts && !x.inbound ? this.attempts.num : 0 // inbound passes on what came
    markAttempt(marks, x, attempt, request.limitMs() - (this.#sentMs - x.startMs), request.upgrade)
    upstream.beginRequest(request.framing!)
    encodeRequest(upstream.encoder, request.head!, request.framing!, x, this.#settings, this.#info, marks)
    if (!this.attempts.replay.isEmpty) this.#sendAgain()
    if (!this.attempts.mayRepeat(upstream, x.method)) this.attempts.replay.drop()
    if (request.isDone) upstream.sendEnd()
    const { perTryTimeoutMs } = this.attempts
    if (perTryTimeoutMs > 0) this.#deadlines.armTry(perTryTimeoutMs)
    if (request.inRead) return
    if (request.isDone || request.upgrade !== '') upstream.flush()
    else this.#peer.resumeRequest()
  }

  /** What another attempt has sent already; this one may end meanwhile. */
  #sendAgain(): void {
    this.attempts.replay.sendAgain({ onBody: (buf, start, end) => this.#upstream?.sendBody(buf, start, end) })
  }

  /** A CONNECT that ends here: what follows is not HTTP, on either side. */
  onConnected(upstream: UpstreamBody): void {
    this.#connected(upstream)
    this.#becomeTunnel(CONNECTED, 200)
  }

  #connected(upstream: UpstreamBody): void {
    const request = this.#request
    const { x } = request
    this.#upstream = upstream
    request.phase = SENT
    describeUpstream(x, upstream.localAddress, upstream.peerId)
    this.#sentMs = request.inRead ? x.startMs : this.#settings.proxy.nowMs() // at once: the same moment
    this.#deadlines.releaseBody(this.#sentMs - x.startMs)
  }

  onPoolFailure(fault: PoolFault, detail: string): void {
    this.#selection.failed()
    this.#request.x.upstreamTransportFailure = detail
    if (this.attempts.wants(fault) && this.#retry()) return
    this.#outcome.onFailed(fault)
  }

  /** Another attempt in place of the one that took too long, if the policy wants and has one. */
  retryAfter(fault: Fault): boolean {
    const upstream = this.#upstream
    if (!this.attempts.wants(fault) || !this.#retry()) return false
    upstream?.cancel()
    return true
  }

  /** Another attempt after a pause, if the policy has one left and the cluster room for it. */
  #retry(): boolean {
    const request = this.#request
    const delayMs = this.attempts.delayMs(this.#settings.proxy.random)
    if (delayMs < 0) {
      if (this.attempts.exhausted) request.x.responseFlags = 'URX'
      return false
    }
    if (!this.#selection.enterRetry()) {
      request.x.responseFlags = 'UO'
      return false
    }
    this.attempts.tried.push(this.#selection.endpoint!)
    this.#selection.leaveEndpoint()
    this.#upstream = null
    this.#wait()
    this.#deadlines.armBackOff(delayMs)
    return true
  }

  /** Lets go of the upstream, wherever it is. */
  giveUp(): void {
    this.#upstream?.cancel()
    this.#upstream = null
    if (this.#request.phase === WAITING) this.#selection.endpoint?.pool.cancel(this)
    this.#selection.leaveEndpoint()
  }

  /** The exchange is over: gives its place in the cluster back. */
  leave(): void {
    this.#upstream = null
    this.#selection.leave()
  }

  // ---- the request, on its way

  // hot
  sendBody(buf: Buffer, start: number, end: number): void {
    if (this.#request.phase === SENT) this.attempts.replay.keep(buf, start, end)
    this.#upstream?.sendBody(buf, start, end)
  }

  sendTrailers(head: Head): void {
    this.attempts.replay.drop()
    this.#upstream?.sendTrailers(head)
  }

  sendEnd(): void {
    this.#upstream?.sendEnd()
  }

  flush(): void {
    const upstream = this.#upstream
    if (upstream === null) return
    this.#deadlines.active()
    if (!upstream.flush() && !this.#request.isDone) this.#peer.pauseRequest()
  }

  onUpstreamDrain(): void {
    const { phase, isDone, upgrade } = this.#request
    if (!isDone && (phase === TUNNEL || (upgrade === '' && phase !== WAITING))) this.#peer.resumeRequest()
  }

  // ---- the response

  onInterim(head: Head): void {
    this.#peer.sendInterim(head)
  }

  onHead(head: Head, framing: BodyFraming): void {
    const request = this.#request
    if (request.isDone && this.attempts.wantsAfterStatus(head.status)) {
      const upstream = this.#upstream!
      if (this.#retry()) {
        upstream.cancel()
        return
      }
    }
    this.#respond(RESPONDING, head.status)
    if (request.x.protocol === 'grpc') describeTrailers(request.x, head) // trailers-only
    this.#peer.sendHead(head, framing, request.x.upstreamServiceMs)
  }

  onTunnel(head: Head): void {
    this.#becomeTunnel(head, 101)
  }

  #becomeTunnel(head: Head, status: number): void {
    const { action, upgrade } = this.#request
    this.#respond(TUNNEL, status)
    this.#deadlines.cancelRoute()
    this.#deadlines.setIdle(action?.protocol.idleTimeoutMs ?? this.#settings.idleTimeoutMs)
    this.#peer.sendTunnel(head, upgrade)
    this.#peer.flush()
    this.#peer.resumeRequest()
  }

  #respond(phase: number, status: number): void {
    const { x } = this.#request
    this.attempts.replay.drop()
    this.#deadlines.cancelTry()
    this.#request.phase = phase
    x.responseCode = status
    x.responseCodeDetails = 'via_upstream'
    x.upstreamServiceMs = Math.round(this.#settings.proxy.nowMs() - this.#sentMs)
  }

  // hot: a body of the response
  onBody(buf: Buffer, start: number, end: number): void {
    this.#request.x.bytesSent += end - start
    this.#peer.sendBody(buf, start, end)
  }

  onTrailers(head: Head): void {
    const { x } = this.#request
    if (x.protocol === 'grpc') describeTrailers(x, head)
    this.#peer.sendTrailers(head)
  }

  onReadEnd(): void {
    this.#deadlines.active()
    if (this.#peer.flush() || this.#upstream === null) return
    this.#paused = true
    this.#upstream.pause()
  }

  /** The client takes bytes again. */
  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#deadlines.active()
    this.#upstream?.resume()
  }

  onEnd(): void {
    this.#peer.sendEnd()
    this.#peer.flush()
    this.#responseDone = true
    if (this.#request.phase === TUNNEL && !this.#request.isDone) this.#outcome.onHalfEnded()
    else this.#outcome.onDone()
  }

  /** No more bytes come from the client of a tunnel. */
  onTunnelRequestEnd(): void {
    if (this.#responseDone) this.#outcome.onDone()
    else this.#outcome.onHalfEnded()
  }

  onReset(fault: ResetFault, detail: string): void {
    const request = this.#request
    const { attempts } = this
    const reused = this.#upstream?.reused ?? false
    this.#upstream = null
    this.#selection.failed()
    request.x.upstreamTransportFailure = ''
    if (request.isAnswered) {
      this.#selection.leaveEndpoint()
      this.#outcome.onBroken(fault)
      return
    }
    request.x.connectionTerminationDetails = detail === 'closed' ? '' : detail.replaceAll(' ', '_')
    if (attempts.mayReplace(fault, reused, request.x.method)) {
      attempts.num-- // not counted: the server never saw it, or will see the same twice
      this.#selection.leaveEndpoint()
      this.attempt()
      return
    }
    if (attempts.wants(fault) && this.#retry()) return
    this.#outcome.onFailed(fault)
  }
}

/** The answer to a CONNECT, which no upstream gives. */
const CONNECTED = new Head()
CONNECTED.status = 200

/**
 * Envoy's AggregatedDiscoveryService over mutual-TLS gRPC on a UNIX socket, state-of-the-world and delta.
 * In: snapshots of a source, streams of proxies. Out: pushes, who has what, deliveries. Owns the socket and sessions.
 * A stream's way: peer.ts (who) -> session.ts (what next) -> subscription.ts (one type); changes come by push-queue.ts.
 */
import { chmodSync, rmSync } from 'node:fs'
import { Metadata, Server, status as grpcStatus, type ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js'
import type { Delivery, ProxyStatus } from '../../client/contract.ts'
import { verifySvid, type Svid, type SvidVerdict } from '../../identity/svid.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import {
  ADS_SERVICE,
  CHANNEL_OPTIONS,
  type DeltaDiscoveryRequest,
  type DeltaDiscoveryResponse,
  type DiscoveryRequest,
  type DiscoveryResponse,
} from '../../xds/ads-service.ts'
import type { envoy } from '../../xds/generated/xds.js'
import { TYPE_URL, xdsTypeOf, type XdsType } from '../../xds/type-urls.ts'
import type { Proxy, ProxyResources, Snapshot } from '../translate/snapshot.ts'
import { DeliveryLog } from './delivery.ts'
import { admit, parseNode, type NodeClaim } from './peer.ts'
import { PushQueue } from './push-queue.ts'
import { Session } from './session.ts'

export interface AdsSource {
  snapshot(): Snapshot
  /** `committedAtMs` is monotonic (Clock.nowMs). Returns the function that stops it. */
  onChange(listener: (revision: number, committedAtMs: number) => void): () => void
  translate(snapshot: Snapshot, proxy: Proxy): ProxyResources
}

export interface AdsServerOptions {
  /** Path of the UNIX socket. */
  socket: string
  /** Mutual TLS; the server's own certificate may rotate behind it. */
  credentials: ServerCredentials
  source: AdsSource
  log: Log
  clock: Clock
}

/** What both protocol variants' streams can do. */
type AdsCall = Pick<ServerDuplexStream<unknown, unknown>, 'getAuthContext' | 'sendMetadata' | 'emit' | 'on' | 'end'>

interface Connection {
  call: AdsCall
  peer: Svid
  claim: NodeClaim
  session: Session
}

/** A client that asks more often than this is broken or hostile: requests a second, after a burst. */
const MAX_REQUESTS_PER_SECOND = 100
const MAX_REQUEST_BURST = 500
/** Streams whose certificate has run out are ended at most this late. */
const EXPIRY_CHECK_MS = 30_000

const EXPIRED = 'the certificate of this connection has expired: connect again'

const SERVER_OPTIONS = {
  ...CHANNEL_OPTIONS,
  'grpc.max_concurrent_streams': 16,
  'grpc-node.max_session_memory': 16,
} as const

export class AdsServer {
  readonly #socket: string
  readonly #credentials: ServerCredentials
  readonly #source: AdsSource
  readonly #log: Log
  readonly #clock: Clock
  readonly #connections = new Set<Connection>()
  readonly #calls = new Set<AdsCall>()
  readonly #deliveries: DeliveryLog
  readonly #queue: PushQueue
  /** The newest snapshot that all proxies were given. */
  #pushed: Snapshot | undefined
  #server: Server | undefined
  #stopWatching: (() => void) | undefined
  #cancelExpiry: (() => void) | undefined

  constructor(options: AdsServerOptions) {
    this.#socket = options.socket
    this.#credentials = options.credentials
    this.#source = options.source
    this.#log = options.log
    this.#clock = options.clock
    this.#deliveries = new DeliveryLog(options.clock)
    this.#queue = new PushQueue({
      clock: options.clock,
      busy: () => [...this.#connections].some((c) => c.session.busy),
      push: () => this.#pushAll(),
    })
  }

  /** Binds the socket (0600); one left behind by a dead process is replaced. */
  async start(): Promise<void> {
    const server = new Server(SERVER_OPTIONS)
    server.addService(ADS_SERVICE, {
      StreamAggregatedResources: (call: ServerDuplexStream<DiscoveryRequest, DiscoveryResponse>) => this.#onSotw(call),
      DeltaAggregatedResources: (call: ServerDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>) =>
        this.#onDelta(call),
    })
    rmSync(this.#socket, { force: true })
    await new Promise<void>((resolve, reject) => {
      server.bindAsync(`unix:${this.#socket}`, this.#credentials, (error) => (error ? reject(error) : resolve()))
    })
    chmodSync(this.#socket, 0o600)
    this.#server = server
    this.#pushed = this.#source.snapshot()
    this.#stopWatching = this.#source.onChange((revision, committedAtMs) => this.#onChange(revision, committedAtMs))
  }

  /** Ends all streams and removes the socket. */
  async close(): Promise<void> {
    this.#stopWatching?.()
    this.#cancelExpiry?.()
    this.#queue.close()
    this.#deliveries.close()
    for (const call of this.#calls) refuse(call, grpcStatus.UNAVAILABLE, 'the control plane is stopping')
    const server = this.#server
    if (server === undefined) return
    await new Promise<void>((resolve) => {
      const cancel = this.#clock.after(500, () => {
        server.forceShutdown()
        resolve()
      })
      server.tryShutdown(() => {
        cancel()
        resolve()
      })
    })
  }

  /** One entry per connected proxy, by name. */
  status(): ProxyStatus[] {
    return [...this.#connections].map((c) => c.session.status()).toSorted((a, b) => (a.name < b.name ? -1 : 1))
  }

  /** Resolves when every connected proxy has answered for `revision`, or after `timeoutMs`. */
  waitForDelivery(revision: number, timeoutMs: number): Promise<Delivery> {
    const sessions = [...this.#connections].map((c) => c.session).filter((s) => s.known)
    // a write that changes nothing for any proxy may come with no change of the source: look for oneself
    if ((this.#pushed?.revision ?? 0) < revision && !this.#queue.holding) this.#queue.change()
    return this.#deliveries.wait(revision, sessions, timeoutMs)
  }

  #onChange(revision: number, committedAtMs: number): void {
    this.#deliveries.committed(revision, committedAtMs)
    const snapshot = this.#source.snapshot()
    if (this.#queue.holding || this.#pushed === undefined || !sameContent(snapshot, this.#pushed)) {
      this.#queue.change()
      return
    }
    // the store's own business (certificates issued, addresses noted): no proxy can notice
    this.#pushed = snapshot
    for (const { session } of this.#connections) session.advance(revision)
    this.#deliveries.check()
  }

  #pushAll(): void {
    const snapshot = this.#source.snapshot()
    this.#pushed = snapshot
    const committedAtMs = this.#deliveries.committedAtMs(snapshot.revision) ?? this.#clock.nowMs()
    for (const connection of this.#connections) this.#update(connection, snapshot, committedAtMs)
  }

  #update(connection: Connection, snapshot: Snapshot, committedAtMs: number): void {
    const { call, claim, peer, session } = connection
    const admission = admit(claim, peer.spiffeId, snapshot)
    switch (admission.verdict) {
      case 'refused':
        this.#log.warn({ proxy: session.name, reason: admission.reason }, 'proxy refused')
        refuse(call, grpcStatus.PERMISSION_DENIED, admission.reason)
        return
      case 'unknown':
        // not yet, or no longer: it keeps what it has
        session.advance(snapshot.revision)
        return
      case 'admitted':
        try {
          const resources = this.#source.translate(snapshot, { pod: admission.pod, grpc: claim.grpc })
          session.update(resources, snapshot.revision, committedAtMs)
        } catch (error) {
          // a bug of ours must not take the other proxies down with it: this one keeps what it has
          this.#log.error({ err: error, proxy: session.name, revision: snapshot.revision }, 'translation failed')
        }
        return
      default:
        admission satisfies never
    }
  }

  #onSotw(call: ServerDuplexStream<DiscoveryRequest, DiscoveryResponse>): void {
    const send: Sender = (type, push, nonce) => {
      const resources = push.resources.map((r) => r.any)
      call.write({ versionInfo: push.version, typeUrl: TYPE_URL[type], nonce, resources, controlPlane: CONTROL_PLANE })
    }
    this.#serve(call, send, (session, type, message: DiscoveryRequest) => {
      session.onSotwRequest(type, {
        names: message.resourceNames ?? [],
        version: message.versionInfo ?? '',
        nonce: message.responseNonce ?? '',
        error: errorOf(message),
      })
    })
  }

  #onDelta(call: ServerDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>): void {
    const send: Sender = (type, push, nonce) => {
      call.write({
        systemVersionInfo: push.version,
        typeUrl: TYPE_URL[type],
        nonce,
        resources: push.resources.map((r) => ({ name: r.name, version: r.version, resource: r.any })),
        removedResources: push.removed,
        controlPlane: CONTROL_PLANE,
      })
    }
    this.#serve(call, send, (session, type, message: DeltaDiscoveryRequest) => {
      session.onDeltaRequest(type, {
        subscribe: message.resourceNamesSubscribe ?? [],
        unsubscribe: message.resourceNamesUnsubscribe ?? [],
        initialVersions: message.initialResourceVersions ?? {},
        nonce: message.responseNonce ?? '',
        error: errorOf(message),
      })
    })
  }

  /** The part of a stream's life that both variants share. */
  #serve(call: AdsCall, send: Sender, onMessage: (session: Session, type: XdsType, message: AdsMessage) => void): void {
    const peer = this.#peerOf(call)
    if (!peer.ok) return refuse(call, grpcStatus.UNAUTHENTICATED, `the client's certificate: ${peer.reason}`)
    this.#calls.add(call)
    const allow = rateLimit(this.#clock)
    let connection: Connection | undefined
    let gone = false
    call.on('data', (message: AdsMessage) => {
      if (gone) return
      if (!allow()) return refuse(call, grpcStatus.RESOURCE_EXHAUSTED, 'too many requests')
      const type = xdsTypeOf(message.typeUrl ?? '')
      // a type that is not served here never answers, as the protocol has it
      if (type === undefined && connection !== undefined) return
      const isNew = connection === undefined
      connection ??= this.#connect(call, peer.svid, message, send)
      if (connection === undefined) return
      if (type !== undefined) onMessage(connection.session, type, message)
      if (isNew) {
        const snapshot = this.#source.snapshot()
        this.#update(connection, snapshot, this.#deliveries.committedAtMs(snapshot.revision) ?? this.#clock.nowMs())
      }
    })
    const leave = (): void => {
      if (gone) return
      gone = true
      this.#calls.delete(call)
      if (connection !== undefined) this.#disconnect(connection)
      call.end()
    }
    call.on('end', leave)
    call.on('cancelled', leave)
    call.on('close', leave)
    call.on('error', leave)
  }

  #peerOf(call: AdsCall): SvidVerdict {
    const der = call.getAuthContext().sslPeerCertificate?.raw
    return der === undefined ? { ok: false, reason: 'none' } : verifySvid(der, this.#source.snapshot().trustDomain)
  }

  #connect(call: AdsCall, peer: Svid, message: AdsMessage, send: Sender): Connection | undefined {
    const claim = parseNode(message.node)
    if (claim === undefined) {
      refuse(call, grpcStatus.INVALID_ARGUMENT, `the first request needs a node ID that names a pod`)
      return undefined
    }
    if (peer.notAfterEpochMs <= this.#clock.nowEpochMs()) {
      refuse(call, grpcStatus.UNAVAILABLE, EXPIRED)
      this.#scheduleExpiry() // the clock has jumped: others may have run out too
      return undefined
    }
    const name = `${claim.pod}.${claim.namespace}`
    const session = new Session({ name, clock: this.#clock, send, onChange: () => this.#deliveries.check() })
    const connection = { call, peer, claim, session }
    this.#connections.add(connection)
    this.#log.info({ proxy: name, grpc: claim.grpc }, 'proxy connected')
    this.#scheduleExpiry()
    // tells the proxy that it is served, also where there is nothing to send
    call.sendMetadata(new Metadata())
    return connection
  }

  #disconnect(connection: Connection): void {
    this.#connections.delete(connection)
    connection.session.close()
    this.#deliveries.forget(connection.session)
    this.#log.info({ proxy: connection.session.name }, 'proxy disconnected')
  }

  /** A stream ends with the certificate it was opened with; the proxy comes back with its new one. */
  #scheduleExpiry(): void {
    this.#cancelExpiry?.()
    this.#cancelExpiry = undefined
    const nowEpochMs = this.#clock.nowEpochMs()
    let nextEpochMs = Number.POSITIVE_INFINITY
    for (const { call, peer } of this.#connections) {
      if (peer.notAfterEpochMs <= nowEpochMs) {
        refuse(call, grpcStatus.UNAVAILABLE, EXPIRED)
      } else nextEpochMs = Math.min(nextEpochMs, peer.notAfterEpochMs)
    }
    if (nextEpochMs === Number.POSITIVE_INFINITY) return
    // looked at again now and then, since a suspended machine's timers sleep too
    const delayMs = Math.min(nextEpochMs - nowEpochMs, EXPIRY_CHECK_MS)
    this.#cancelExpiry = this.#clock.after(delayMs, () => this.#scheduleExpiry())
  }
}

/** The registry keeps what a commit did not touch as the same objects. */
function sameContent(a: Snapshot, b: Snapshot): boolean {
  return a.pods === b.pods && a.objects === b.objects && a.services === b.services && a.trustDomain === b.trustDomain
}

type Sender = ConstructorParameters<typeof Session>[0]['send']
type AdsMessage = {
  typeUrl?: string | undefined
  node?: envoy.config.core.v3.Node | null | undefined
  errorDetail?: { message?: string | undefined } | null | undefined
}

const CONTROL_PLANE = { identifier: 'pocketmesh' }

/** A NACK is known by its error alone. */
function errorOf(message: AdsMessage): string | undefined {
  if (message.errorDetail === undefined || message.errorDetail === null) return undefined
  return message.errorDetail.message ?? ''
}

function refuse(call: AdsCall, code: grpcStatus, details: string): void {
  call.emit('error', { code, details })
}

/** A token bucket: true while the caller may go on. */
function rateLimit(clock: Clock): () => boolean {
  let tokens = MAX_REQUEST_BURST
  let atMs = clock.nowMs()
  return () => {
    const nowMs = clock.nowMs()
    tokens = Math.min(MAX_REQUEST_BURST, tokens + ((nowMs - atMs) / 1000) * MAX_REQUESTS_PER_SECOND)
    atMs = nowMs
    return tokens-- >= 1
  }
}

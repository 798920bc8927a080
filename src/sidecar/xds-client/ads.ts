/**
 * The sidecar's end of ADS, delta variant, over mutual TLS on the control plane's UNIX socket.
 * In: responses. Out: configuration for snapshot.ts, ACK or NACK. Owns the stream and its reconnects.
 *
 *   WAITING --due, or a new socket--> CONNECTING --accepted--> SERVING --error, end--> WAITING
 * A response is answered when it is applied; new names are asked for before the ACK, so that the server, which waits
 * for ACKs, can send endpoints before routes. Loaded lazily: grpc-js is the heaviest part of a sidecar.
 */
import { statSync } from 'node:fs'
import { ChannelCredentials, Client, type ClientDuplexStream } from '@grpc/grpc-js'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import {
  ADS_SERVICE,
  CHANNEL_OPTIONS,
  type DeltaDiscoveryRequest,
  type DeltaDiscoveryResponse,
} from '../../xds/ads-service.ts'
import type { envoy } from '../../xds/generated/xds.js'
import { TYPE_URL, xdsTypeOf, type XdsType } from '../../xds/type-urls.ts'
import type { Credential, CredentialSource } from '../ports.ts'
import { checkServer, clientContext } from '../tls/context.ts'
import type { ConfigState } from './snapshot.ts'

export interface AdsClientOptions {
  socket: string
  /** SPIFFE ID that the server must have. */
  serverId: string
  node: envoy.config.core.v3.Node
  credentials: CredentialSource
  state: ConfigState
  clock: Clock
  log: Log
  /** Something was applied. */
  onApplied: () => void
  /** 0 to 1. */
  random?: () => number
}

export interface AdsStatus {
  connected: boolean
  /** Streams opened since the start. */
  streams: number
  responses: number
  nacks: number
  lastError: string
}

type Stream = ClientDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>

const MIN_BACKOFF_MS = 500
const MAX_BACKOFF_MS = 30_000
/** While waiting, how often the socket is looked at: a restarted control plane makes a new one. */
const SOCKET_CHECK_MS = 500
/** Spread of the reconnects when a control plane comes back. */
const NEW_SOCKET_JITTER_MS = 300
const INVALID_ARGUMENT = 3

export class AdsClient {
  readonly #options: AdsClientOptions
  readonly #random: () => number
  readonly #subscribed: Record<'EDS' | 'RDS', Set<string>> = { EDS: new Set(), RDS: new Set() }
  #client: Client | undefined
  #stream: Stream | undefined
  /** Responses are applied one after the other. */
  #work: Promise<void> = Promise.resolve()
  #attempts = 0
  #cancelWait: (() => void) | undefined
  #stopCredentials: (() => void) | undefined
  #closed = false
  readonly #status: AdsStatus = { connected: false, streams: 0, responses: 0, nacks: 0, lastError: '' }

  constructor(options: AdsClientOptions) {
    this.#options = options
    this.#random = options.random ?? Math.random
  }

  /** Connects now, and again whenever the stream ends. */
  start(): void {
    this.#connect()
  }

  status(): AdsStatus {
    return { ...this.#status }
  }

  /** Ends the stream; the configuration stays as it is. */
  close(): void {
    this.#closed = true
    this.#cancelWait?.()
    this.#stopCredentials?.()
    this.#hangUp()
  }

  #connect(): void {
    const { credentials } = this.#options
    this.#cancelWait?.()
    this.#cancelWait = undefined
    if (this.#closed) return
    const credential = credentials.current()
    if (credential === undefined) {
      this.#stopCredentials ??= credentials.onChange(() => {
        this.#stopCredentials?.()
        this.#stopCredentials = undefined
        this.#connect()
      })
      return
    }
    this.#status.streams++
    const client = new Client(`unix:${this.#options.socket}`, this.#channelCredentials(credential), {
      ...CHANNEL_OPTIONS,
      'grpc.use_local_subchannel_pool': 1,
      'grpc.enable_retries': 0,
      'grpc.service_config_disable_resolution': 1,
    })
    const method = ADS_SERVICE.DeltaAggregatedResources
    const stream: Stream = client.makeBidiStreamRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
    )
    this.#client = client
    this.#stream = stream
    stream.on('metadata', () => this.#onConnected(stream))
    stream.on('data', (response: DeltaDiscoveryResponse) => this.#onResponse(stream, response))
    stream.on('error', (error) => this.#onEnd(stream, error.message))
    stream.on('end', () => this.#onEnd(stream, 'the server ended the stream'))
    this.#subscribe(stream)
  }

  #channelCredentials(credential: Credential): ChannelCredentials {
    const { secureContext, trustDomain } = clientContext(credential)
    const allowedIds = new Set([this.#options.serverId])
    return ChannelCredentials.createFromSecureContext(secureContext, {
      checkServerIdentity: (_host, certificate) => checkServer(certificate.raw, trustDomain, allowedIds),
    })
  }

  /** The first requests of a stream: what is wanted, and what is there already. */
  #subscribe(stream: Stream): void {
    const { state, node } = this.#options
    const first = (type: XdsType, names: string[]): DeltaDiscoveryRequest => ({
      typeUrl: TYPE_URL[type],
      resourceNamesSubscribe: names,
      initialResourceVersions: state.versions(type),
    })
    this.#subscribed.EDS = state.edsNames()
    this.#subscribed.RDS = state.rdsNames()
    stream.write({ node, ...first('CDS', []) })
    if (this.#subscribed.EDS.size > 0) stream.write(first('EDS', [...this.#subscribed.EDS]))
    stream.write(first('LDS', []))
    if (this.#subscribed.RDS.size > 0) stream.write(first('RDS', [...this.#subscribed.RDS]))
    stream.write(first('NDS', []))
  }

  /** The server has accepted the stream; where nothing has changed, this is all that it says. */
  #onConnected(stream: Stream): void {
    if (stream !== this.#stream) return
    this.#attempts = 0
    this.#setConnected(true)
  }

  #onResponse(stream: Stream, response: DeltaDiscoveryResponse): void {
    if (stream !== this.#stream) return
    this.#status.responses++
    const type = xdsTypeOf(response.typeUrl ?? '')
    if (type === undefined) return
    this.#work = this.#work
      .then(() => this.#apply(stream, type, response))
      .catch((error: unknown) => {
        this.#options.log.error({ err: error, type }, 'a response could not be handled')
        this.#answer(stream, response, String(error))
      })
  }

  async #apply(stream: Stream, type: XdsType, response: DeltaDiscoveryResponse): Promise<void> {
    const { state, log, onApplied } = this.#options
    const rejections = await state.apply(type, response)
    if (type === 'CDS') this.#resubscribe(stream, 'EDS', state.edsNames())
    if (type === 'LDS') this.#resubscribe(stream, 'RDS', state.rdsNames())
    if (rejections.length > 0) log.warn({ type, rejections }, 'configuration refused')
    const detail = rejections.map((r) => `${r.name}: ${r.detail}`).join('; ')
    this.#answer(stream, response, rejections.length === 0 ? undefined : detail)
    onApplied()
  }

  #answer(stream: Stream, response: DeltaDiscoveryResponse, nack: string | undefined): void {
    if (stream !== this.#stream) return
    const answer: DeltaDiscoveryRequest = { typeUrl: response.typeUrl, responseNonce: response.nonce }
    if (nack !== undefined) {
      this.#status.nacks++
      answer.errorDetail = { code: INVALID_ARGUMENT, message: nack }
    }
    stream.write(answer)
  }

  #resubscribe(stream: Stream, type: 'EDS' | 'RDS', names: Set<string>): void {
    const before = this.#subscribed[type]
    const subscribe = [...names].filter((n) => !before.has(n))
    const unsubscribe = [...before].filter((n) => !names.has(n))
    if (subscribe.length === 0 && unsubscribe.length === 0) return
    this.#subscribed[type] = names
    this.#options.state.retain(type, names)
    if (stream !== this.#stream) return
    stream.write({
      typeUrl: TYPE_URL[type],
      resourceNamesSubscribe: subscribe,
      resourceNamesUnsubscribe: unsubscribe,
    })
  }

  #onEnd(stream: Stream, reason: string): void {
    if (stream !== this.#stream) return
    this.#status.lastError = reason
    const served = this.#status.connected
    this.#setConnected(false, reason)
    this.#hangUp()
    if (this.#closed) return
    const ceilingMs = Math.min(MAX_BACKOFF_MS, MIN_BACKOFF_MS * 2 ** this.#attempts++)
    // a stream that has served ends with its certificate, or with the control plane: the first retry is quick
    this.#wait(this.#random() * (served ? MIN_BACKOFF_MS / 5 : ceilingMs), socketIdentity(this.#options.socket))
  }

  #wait(leftMs: number, socket: string): void {
    const stepMs = Math.min(leftMs, SOCKET_CHECK_MS)
    this.#cancelWait = this.#options.clock.after(stepMs, () => {
      const now = socketIdentity(this.#options.socket)
      const isNew = now !== socket && now !== ''
      if (leftMs - stepMs <= 0) this.#connect()
      else this.#wait(isNew ? Math.min(leftMs - stepMs, this.#random() * NEW_SOCKET_JITTER_MS) : leftMs - stepMs, now)
    })
  }

  #hangUp(): void {
    const stream = this.#stream
    this.#stream = undefined
    stream?.on('error', () => undefined) // a cancelled call reports that it was
    stream?.cancel()
    this.#client?.close()
    this.#client = undefined
  }

  #setConnected(connected: boolean, reason?: string): void {
    if (this.#status.connected === connected) return
    this.#status.connected = connected
    if (connected) this.#options.log.info('connected to the control plane')
    else this.#options.log.warn({ reason }, 'control plane lost: going on with the last configuration')
  }
}

/** Changes when the socket file is made anew; '' while there is none. */
function socketIdentity(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false })
  return stat === undefined ? '' : `${stat.ino}:${stat.ctimeMs}`
}

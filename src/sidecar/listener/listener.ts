/**
 * A listener at run time: connections in, each to the filter chain that fits. Bound to addresses, or only the destination
 * that a captured connection meant. In: sockets (its own or handed over). Out: connections that run by themselves.
 * Owns: its server sockets, which stay across pushes, and the set of its connections.
 */
import type net from 'node:net'
import { ALPN_SAYS_HTTP1, ALPN_SAYS_HTTP2 } from '../../xds/names.ts'
import { addressLabel, localEnd, remoteEnd } from '../pool/address.ts'
import type { Dialer } from '../pool/dial.ts'
import type { ConnectionInfo, ProxyContext } from '../stream/context.ts'
import { Life } from '../transport/life.ts'
import { resetSide } from '../transport/reset.ts'
import { isNearFileLimit, Sources } from './admission.ts'
import { type BindAddress, Binding } from './binding.ts'
import type { Connection, ConnectHandler, ConnectionOwner, Downlink, Origin } from './connection.ts'
import { Downstream } from './downstream.ts'
import {
  chainKey,
  type ChainTls,
  chooseChain,
  type FilterCells,
  type FilterChain,
  type ListenerSpec,
  shareFilters,
} from './filter-chain.ts'
import { Http2Downstream } from './http2-downstream.ts'
import { inspect, type Seen } from './inspector.ts'
import { NO_HEADER, type Opening, readProxyHeader } from './proxy-header.ts'
import { TcpProxy } from './tcp-proxy.ts'

/** A verified peer of a TLS connection. */
export interface TlsPeer {
  spiffeId: string
  /** How long its certificate is still good for. */
  lifeMs: number
}

/** What a handshake has made of an accepted socket. */
export interface Secured {
  socket: net.Socket
  /** `null`: it has shown no certificate. */
  peer: TlsPeer | null
  /** Of that certificate; '' for none. */
  certSha256: string
  alpn: string
}

/** Handshakes of one chain; made by the data plane from tls/. */
export interface Acceptor {
  /** `null`: it failed, and `raw` is gone. */
  accept(raw: net.Socket, head: Buffer | null, done: (secured: Secured | null) => void): void
  close(): void
}

export interface ListenerDeps {
  proxy: ProxyContext
  /** Of one listener, 0: any number. */
  maxConnectionsPerSource: number
  dialer: Dialer
  ownId: () => string
  acceptor(tls: ChainTls): Acceptor
  /** Takes a captured connection to the listener of its destination (bound capture listeners only). */
  onCapture(raw: net.Socket, own: Listener, opening: Opening, rest: Buffer | null): void
  /** CONNECT on the forward proxy's port. */
  onConnect: ConnectHandler
}

/** What a listener remembers of a connection: the key of its chain, how long it may last. */
interface Kept {
  key: string
  life: Life | null
}

export class Listener implements ConnectionOwner {
  spec: ListenerSpec
  readonly #deps: ListenerDeps
  readonly #connections = new Map<Connection, Kept>()
  readonly #sources: Sources
  readonly #filters: FilterCells = { http: new Map(), network: new Map() }
  /** By what their TLS asks for; kept across pushes. */
  readonly #acceptors = new Map<string, Acceptor>()
  /** By label of the address. */
  readonly #bindings = new Map<string, Binding>()
  #closed = false

  constructor(spec: ListenerSpec, deps: ListenerDeps) {
    this.spec = spec
    this.#deps = deps
    this.#sources = new Sources(deps.maxConnectionsPerSource)
    shareFilters(spec, this.#filters)
  }

  get numConnections(): number {
    return this.#connections.size
  }
  get bufferedBytes(): number {
    let bytes = 0
    for (const connection of this.#connections.keys()) bytes += connection.bufferedBytes
    return bytes
  }
  get isBound(): boolean {
    return this.#bindings.size > 0
  }
  /** Its addresses, with the ports really bound. */
  get labels(): string[] {
    return this.spec.addresses.map((address) => {
      const port = this.#bindings.get(addressLabel(address))?.port ?? 0
      return addressLabel('path' in address || port === 0 ? address : { host: address.host, port })
    })
  }

  /**
   * A new version: for the next connections. Those that are there go on as they began, as far as the new filters let
   * them; where the new version has no chain for them (STRICT came), they finish what they are at.
   */
  update(spec: ListenerSpec): void {
    this.spec = spec
    const keys = shareFilters(spec, this.#filters)
    for (const [connection, { key }] of this.#connections) {
      if (keys.has(key)) connection.recheck()
      else connection.drain()
    }
  }

  isBoundTo(addresses: readonly BindAddress[]): boolean {
    return addresses.length === this.#bindings.size && addresses.every((a) => this.#bindings.has(addressLabel(a)))
  }

  /**
   * Binds those of `addresses` that are not bound, then lets go of the others. Resolves to '' or to what is in the way:
   * then all is as it was.
   */
  async bind(addresses: readonly BindAddress[]): Promise<string> {
    const fresh = addresses.filter((a) => !this.#bindings.has(addressLabel(a))).map((a) => new Binding(a))
    const details = await Promise.all(fresh.map((binding) => binding.open((raw) => this.#onSocket(raw))))
    const detail = details.find((d) => d !== '') ?? ''
    if (detail !== '' || this.#closed) {
      for (const binding of fresh) binding.close()
      return detail
    }
    for (const binding of fresh) this.#bindings.set(addressLabel(binding.address), binding)
    const wanted = new Set(addresses.map(addressLabel))
    for (const [label, binding] of this.#bindings) {
      if (wanted.has(label)) continue
      binding.close()
      this.#bindings.delete(label)
    }
    return ''
  }

  #onSocket(raw: net.Socket): void {
    if (isNearFileLimit(raw)) {
      resetSide({ raw, socket: raw })
      return
    }
    if (this.spec.proxyHeader)
      readProxyHeader(raw, this.#deps.proxy.wheel, (opening, rest) => this.#onOpened(raw, opening, rest))
    else this.#onOpened(raw, NO_HEADER, null)
  }

  #onOpened(raw: net.Socket, opening: Opening, rest: Buffer | null): void {
    if (this.spec.useOriginalDst) this.#deps.onCapture(raw, this, opening, rest)
    else this.accept(raw, rest, declared(opening))
  }

  /** A connection for this listener, with what was read of it. */
  accept(raw: net.Socket, head: Buffer | null, origin: Origin): void {
    const { wheel } = this.#deps.proxy
    if (!this.#sources.admit(raw, (origin.source ?? remoteEnd(raw))?.host ?? '')) {
      resetSide({ raw, socket: raw })
      return
    }
    inspect(raw, head, this.spec.inspection, wheel, (seen, read) => {
      if (seen === null) return
      const chain = this.#closed ? null : chooseChain(this.spec, seen)
      if (chain === null || this.#isFull(chain)) resetSide({ raw, socket: raw })
      else if (chain.tls === null) this.#serve(chain, plainLink(raw, seen, origin), read)
      else this.#handshake(chain, chain.tls, raw, seen, read, origin)
    })
  }

  /** Handshakes under way are not counted: a caller must not keep others out by starting them. */
  #isFull(chain: FilterChain): boolean {
    if (this.#connections.size < chain.maxConnections) return false
    const key = chainKey(chain)
    let count = 0
    for (const other of this.#connections.values()) if (other.key === key) count++
    return count >= chain.maxConnections
  }

  #handshake(
    chain: FilterChain,
    tls: ChainTls,
    raw: net.Socket,
    seen: Seen,
    head: Buffer | null,
    origin: Origin,
  ): void {
    const key = `${tls.requireClientCertificate} ${tls.alpn.join(' ')} ${tls.files?.key ?? ''}`
    let acceptor = this.#acceptors.get(key)
    if (acceptor === undefined) {
      acceptor = this.#deps.acceptor(tls)
      this.#acceptors.set(key, acceptor)
    }
    acceptor.accept(raw, head, (secured) => {
      if (secured === null) return
      const { socket, peer, certSha256, alpn } = secured
      const link = plainLink(raw, seen, origin)
      link.socket = socket
      link.alpn = alpn
      link.info.scheme = 'https'
      if (peer !== null) {
        link.info.peerId = peer.spiffeId
        link.lifeMs = peer.lifeMs
        const ownId = this.#deps.ownId()
        const by = ownId === '' ? '' : `By=${ownId};`
        link.info.clientCert = `${by}Hash=${certSha256};Subject="";URI=${peer.spiffeId}`
      }
      this.#serve(chain, link, null)
    })
  }

  #serve(chain: FilterChain, link: Downlink, head: Buffer | null): void {
    if (this.#isFull(chain)) {
      resetSide(link)
      return
    }
    const { network } = chain
    const { dialer, onConnect } = this.#deps
    if (network.kind === 'http') {
      const { settings } = network
      const http2 = (next: Downlink, first: Buffer | null): void => {
        this.#run(new Http2Downstream(next, settings, this), next, chain, first)
      }
      if (settings.protocol.codec === 'http2' || ALPN_SAYS_HTTP2.has(link.alpn)) http2(link, head)
      else {
        const connect = settings.forwardProxy ? onConnect : null
        const sniffs = settings.protocol.codec === 'auto' && !ALPN_SAYS_HTTP1.has(link.alpn)
        this.#run(new Downstream(link, settings, this, { connect, http2: sniffs ? http2 : null }), link, chain, head)
      }
    } else {
      this.#run(new TcpProxy(link, network.settings, this, dialer), link, chain, head)
    }
  }

  #run(
    connection: Connection & { start(head: Buffer | null): void },
    { lifeMs }: Downlink,
    chain: FilterChain,
    head: Buffer | null,
  ): void {
    const { network } = chain
    const maxMs = network.kind === 'http' ? network.settings.protocol.common.maxConnectionDurationMs : 0
    const life = Life.of(this.#deps.proxy.wheel, maxMs, lifeMs, {
      onAged: () => connection.drain(),
      onExpired: () => connection.destroy(),
    })
    this.#connections.set(connection, { key: chainKey(chain), life })
    connection.start(head)
  }

  onClosed(connection: Connection): void {
    this.#connections.get(connection)?.life?.cancel()
    this.#connections.delete(connection)
  }

  /** No new connections; those under way finish what they are at. */
  drain(): void {
    this.#closed = true
    for (const binding of this.#bindings.values()) binding.close()
    this.#bindings.clear()
    for (const connection of this.#connections.keys()) connection.drain()
  }

  destroy(): void {
    this.drain()
    for (const acceptor of this.#acceptors.values()) acceptor.close()
    for (const connection of this.#connections.keys()) connection.destroy()
  }
}

/** What the header of another proxy says; one that repeats the source says that there was no destination. */
function declared(opening: Opening): Origin {
  if (opening.kind !== 'proxy') return { source: null, local: null, originalDst: null }
  const { source, destination } = opening
  const local = addressLabel(source) === addressLabel(destination) ? null : destination
  return { source, local, originalDst: null }
}

function plainLink(raw: net.Socket, seen: Seen, { source, local, originalDst }: Origin): Downlink {
  const remote = source ?? remoteEnd(raw)
  const here = originalDst ?? local ?? localEnd(raw)
  const info: ConnectionInfo = {
    localAddress: here === null ? '' : addressLabel(here),
    remoteAddress: remote === null ? '' : addressLabel(remote),
    remote,
    peerId: '',
    sni: seen.sni,
    scheme: 'http',
    originalDst,
    clientCert: '',
  }
  return { socket: raw, raw, info, alpn: '', lifeMs: Infinity }
}

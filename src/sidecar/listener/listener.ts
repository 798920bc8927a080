/**
 * A listener at run time: connections in, each to the filter chain that fits. Bound to a port, or only the destination
 * that a captured connection meant. In: sockets (its own or handed over). Out: connections that run by themselves.
 * Owns: its server socket, which stays across pushes, and the set of its connections.
 */
import net from 'node:net'
import type { HttpFilterCell } from '../filter/chain.ts'
import type { Address, Dialer } from '../pool/dial.ts'
import { addressLabel } from '../pool/dial.ts'
import type { ConnectionInfo, ProxyContext } from '../stream/context.ts'
import { resetSide } from '../stream/tunnel.ts'
import type { Connection, ConnectHandler, ConnectionOwner, Downlink } from './connection.ts'
import { Downstream } from './downstream.ts'
import {
  chainKey,
  type ChainTls,
  chooseChain,
  type FilterChain,
  type ListenerSpec,
  shareFilters,
} from './filter-chain.ts'
import { inspect, type Seen } from './inspector.ts'
import { TcpProxy } from './tcp-proxy.ts'

/** A verified peer of a TLS connection. */
export interface TlsPeer {
  spiffeId: string
}

/** Handshakes of one chain; made by the data plane from tls/. */
export interface Acceptor {
  accept(
    raw: net.Socket,
    head: Buffer | null,
    done: (error: Error | null, socket: net.Socket | null, peer: TlsPeer | null, certSha256: string) => void,
  ): void
  close(): void
}

export interface ListenerDeps {
  proxy: ProxyContext
  dialer: Dialer
  ownId: () => string
  acceptor(tls: ChainTls): Acceptor
  /** Takes a captured connection to the listener of its destination (bound capture listeners only). */
  onCapture(raw: net.Socket, own: Listener): void
  /** CONNECT on the forward proxy's port. */
  onConnect: ConnectHandler
}

/** Sockets accepted beyond this wait in the kernel's queue: descriptors are kept for upstreams. */
const MAX_CONNECTIONS = 16_384

export class Listener implements ConnectionOwner {
  spec: ListenerSpec
  readonly #deps: ListenerDeps
  /** Each with the key of its chain. */
  readonly #connections = new Map<Connection, string>()
  readonly #filters = new Map<string, HttpFilterCell>()
  /** By what their TLS asks for; kept across pushes. */
  readonly #acceptors = new Map<string, Acceptor>()
  #server: net.Server | null = null
  #closed = false

  constructor(spec: ListenerSpec, deps: ListenerDeps) {
    this.spec = spec
    this.#deps = deps
    shareFilters(spec, this.#filters)
  }

  get numConnections(): number {
    return this.#connections.size
  }
  get isBound(): boolean {
    return this.#server !== null
  }
  /** The port really bound (where 0 was asked for); 0 where there is none. */
  get port(): number {
    const address = this.#server?.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  /**
   * A new version: for the next connections. Those that are there go on as they began, with the new filters; where the
   * new version has no chain for them (STRICT came), they finish what they are at.
   */
  update(spec: ListenerSpec): void {
    this.spec = spec
    const keys = shareFilters(spec, this.#filters)
    for (const [connection, key] of this.#connections) if (!keys.has(key)) connection.drain()
  }

  /** Binds; resolves to '' or to what the system said. */
  bind(): Promise<string> {
    const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, (raw) => {
      if (this.spec.capture) this.#deps.onCapture(raw, this)
      else this.accept(raw, null, null)
    })
    server.maxConnections = MAX_CONNECTIONS
    this.#server = server
    const { address } = this.spec
    return new Promise((resolve) => {
      server.once('error', (error) => {
        this.#server = null
        resolve(error.message)
      })
      server.listen('path' in address ? { path: address.path } : { host: address.host, port: address.port }, () => {
        server.on('error', () => {})
        resolve('')
      })
    })
  }

  /** A connection for this listener, with what was read of it. */
  accept(raw: net.Socket, head: Buffer | null, originalDst: Address | null): void {
    const { wheel } = this.#deps.proxy
    inspect(raw, head, this.spec.inspection, wheel, (seen, read) => {
      if (seen === null) return
      const chain = this.#closed ? null : chooseChain(this.spec, seen)
      if (chain === null) resetSide({ raw, socket: raw })
      else if (chain.tls === null) this.#serve(chain, plainLink(raw, seen, originalDst), read)
      else this.#handshake(chain, chain.tls, raw, seen, read, originalDst)
    })
  }

  #handshake(
    chain: FilterChain,
    tls: ChainTls,
    raw: net.Socket,
    seen: Seen,
    head: Buffer | null,
    originalDst: Address | null,
  ): void {
    const key = `${tls.requireClientCertificate} ${tls.alpn.join(' ')}`
    let acceptor = this.#acceptors.get(key)
    if (acceptor === undefined) {
      acceptor = this.#deps.acceptor(tls)
      this.#acceptors.set(key, acceptor)
    }
    acceptor.accept(raw, head, (error, socket, peer, certSha256) => {
      if (error !== null || socket === null) return
      const link = plainLink(raw, seen, originalDst)
      link.socket = socket
      if (peer !== null) {
        link.info.peerId = peer.spiffeId
        link.info.clientCert = `By=${this.#deps.ownId()};Hash=${certSha256};Subject="";URI=${peer.spiffeId}`
      }
      this.#serve(chain, link, null)
    })
  }

  #serve(chain: FilterChain, link: Downlink, head: Buffer | null): void {
    const { network } = chain
    const { dialer, onConnect } = this.#deps
    if (network.kind === 'http') {
      const { settings } = network
      const downstream = new Downstream(link, settings, this, settings.forwardProxy ? onConnect : null)
      this.#connections.set(downstream, chainKey(chain))
      downstream.start(head)
    } else {
      const proxy = new TcpProxy(link, network.settings, this, dialer)
      this.#connections.set(proxy, chainKey(chain))
      proxy.start(head)
    }
  }

  onClosed(connection: Connection): void {
    this.#connections.delete(connection)
  }

  /** No new connections; those under way finish what they are at. */
  drain(): void {
    this.#closed = true
    this.#server?.close()
    this.#server = null
    for (const connection of this.#connections.keys()) connection.drain()
  }

  destroy(): void {
    this.drain()
    for (const acceptor of this.#acceptors.values()) acceptor.close()
    for (const connection of this.#connections.keys()) connection.destroy()
  }
}

function plainLink(raw: net.Socket, seen: Seen, originalDst: Address | null): Downlink {
  const info: ConnectionInfo = {
    localAddress: originalDst === null ? endLabel(raw.localAddress, raw.localPort) : addressLabel(originalDst),
    remoteAddress: endLabel(raw.remoteAddress, raw.remotePort),
    peerId: '',
    sni: seen.sni,
    originalDst,
    clientCert: '',
  }
  return { socket: raw, raw, info }
}

function endLabel(host: string | undefined, port: number | undefined): string {
  return host === undefined ? '' : addressLabel({ host, port: port ?? 0 })
}

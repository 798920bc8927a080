/**
 * One TCP connection through the proxy (Envoy: tcp_proxy): cluster, endpoint, dial, then bytes both ways.
 * In: an accepted connection and its first bytes. Out: a tunnel to an upstream. Owns: both sockets and its exchange.
 * The server may speak first: nothing is waited for. A failed dial is passed on as a reset, not as a clean end.
 */
import { type ClusterCell, drawCluster } from '../cluster/clusters.ts'
import type { Endpoint } from '../cluster/endpoint.ts'
import { Exchange } from '../exchange.ts'
import { REPLY, runNetworkFilters } from '../filter/chain.ts'
import { localLabel } from '../pool/address.ts'
import { dial, type Dialer, type Link, opaque, proxyHeader } from '../pool/dial.ts'
import type { Limits } from '../pool/limits.ts'
import type { TcpSettings } from '../stream/context.ts'
import { describeConnection, describeUpstream } from '../stream/describe.ts'
import { localReply, type Fault } from '../stream/local-reply.ts'
import { endpointFor } from '../stream/original-destination.ts'
import { Tunnel, type TunnelEnd } from '../stream/tunnel.ts'
import { Life, type LifeHandler } from '../transport/life.ts'
import { resetSide } from '../transport/reset.ts'
import type { Connection, ConnectionOwner, Downlink } from './connection.ts'

export class TcpProxy implements Connection, LifeHandler {
  readonly #link: Downlink
  readonly #settings: TcpSettings
  readonly #owner: ConnectionOwner
  readonly #dialer: Dialer
  readonly #x = new Exchange()
  #endpoint: Endpoint | null = null
  #cell: ClusterCell | null = null
  #limits: Limits | null = null
  #giveUp: (() => void) | null = null
  #tunnel: Tunnel | null = null
  /** Of the upstream's certificate; the client's is its listener's to watch. */
  #life: Life | null = null
  #head: Buffer | null = null
  #over = false
  readonly #onGone = (): void => this.#onClientGone()

  constructor(link: Downlink, settings: TcpSettings, owner: ConnectionOwner, dialer: Dialer) {
    this.#link = link
    this.#settings = settings
    this.#owner = owner
    this.#dialer = dialer
  }

  start(head: Buffer | null): void {
    const x = this.#x
    const { proxy, inbound, filters } = this.#settings
    const { info, socket } = this.#link
    x.protocol = 'tcp'
    describeConnection(x, proxy, inbound, info)
    this.#head = head
    socket.pause()
    socket.on('error', this.#onGone).on('close', this.#onGone)
    if (runNetworkFilters(filters.list, x) === REPLY && x.fault !== '') this.#refuse(x.fault, '')
    else this.#connect()
  }

  get bufferedBytes(): number {
    return (this.#head?.length ?? 0) + (this.#tunnel?.bufferedBytes ?? 0)
  }

  /** Connections outlive their listener; who drains waits for them or destroys them. */
  drain(): void {
    // nothing can be asked of an opaque protocol
  }

  recheck(): void {
    const x = this.#x
    if (this.#over || runNetworkFilters(this.#settings.filters.list, x) !== REPLY || x.fault === '') return
    this.#giveUp?.()
    if (this.#tunnel === null) this.#refuse(x.fault, '')
    else this.#tunnel.destroy()
  }

  destroy(): void {
    if (this.#tunnel === null) {
      resetSide(this.#link)
      return
    }
    this.#tunnel.destroy()
  }

  #connect(): void {
    const x = this.#x
    const { clusters, upTo, proxy } = this.#settings
    this.#cell = drawCluster(clusters, upTo, proxy.random)
    x.clusterName = this.#cell.name
    const { cluster } = this.#cell
    if (cluster === null) {
      this.#refuse('no_cluster', '')
      return
    }
    x.destinationService = cluster.spec.serviceHost
    const { limits } = cluster
    if (limits.numConnections >= limits.maxConnections) {
      this.#refuse('overflow', '')
      return
    }
    const { info } = this.#link
    const endpoint = endpointFor(cluster, info, '', [], 0)
    if (typeof endpoint === 'string') {
      this.#refuse(endpoint, '')
      return
    }
    this.#endpoint = endpoint
    this.#limits = limits
    endpoint.numActive++
    endpoint.numTotal++
    limits.numConnections++
    x.upstreamHost = endpoint.label
    if (!x.inbound) x.destination = endpoint.workload
    const tls = opaque(endpoint.tls)
    const { connectTimeoutMs: timeoutMs } = cluster.spec
    const header = endpoint.proxyHeader ? proxyHeader(this.#dialer, info.remote, info.originalDst) : null
    this.#giveUp = dial(this.#dialer, { address: endpoint.address, tls, timeoutMs, header }, (fault, detail, link) => {
      this.#giveUp = null
      if (link !== null) this.#relay(link)
      else this.#refuse(fault ?? 'connect_failure', detail)
    })
  }

  #relay(link: Link): void {
    const x = this.#x
    const { proxy, idleTimeoutMs } = this.#settings
    describeUpstream(x, localLabel(link.raw), link.peerId)
    proxy.telemetry.onTcpOpen(x)
    const { socket } = this.#link
    socket.off('error', this.#onGone).off('close', this.#onGone)
    this.#tunnel = new Tunnel(this.#link, link, proxy, idleTimeoutMs, (why) => this.#onTunnelEnd(why))
    this.#life = Life.of(proxy.wheel, 0, link.lifeMs, this)
    this.#tunnel.start(this.#head, null)
    this.#head = null
  }

  onAged(): void {
    this.drain()
  }
  onExpired(): void {
    this.destroy()
  }

  #onTunnelEnd(why: TunnelEnd): void {
    const x = this.#x
    x.bytesReceived = this.#tunnel!.bytesFromDownstream
    x.bytesSent = this.#tunnel!.bytesFromUpstream
    if (why === 'upstream_reset') x.responseFlags = 'UC'
    else if (why === 'downstream_reset') x.responseFlags = 'DC'
    else if (why === 'idle') x.connectionTerminationDetails = 'idle_timeout'
    this.#finish()
  }

  #refuse(fault: Fault, detail: string): void {
    const x = this.#x
    const row = localReply(fault)
    x.responseFlags = row.flag
    x.responseCodeDetails = row.details
    x.upstreamTransportFailure = detail
    if (this.#endpoint !== null && fault !== 'rbac_denied') this.#endpoint.numFailed++
    this.#settings.proxy.telemetry.onTcpOpen(x)
    this.#finish()
    resetLater(this.#link)
  }

  #onClientGone(): void {
    if (this.#over || this.#tunnel !== null) return
    this.#giveUp?.()
    this.#x.responseFlags = 'DC'
    this.#settings.proxy.telemetry.onTcpOpen(this.#x)
    this.#finish()
    this.#link.raw.destroy()
  }

  #finish(): void {
    if (this.#over) return
    this.#over = true
    this.#life?.cancel()
    const x = this.#x
    if (this.#endpoint !== null) {
      this.#endpoint.numActive--
      this.#limits!.numConnections--
    }
    x.durationMs = this.#settings.proxy.nowMs() - x.startMs
    this.#settings.proxy.telemetry.onEnd(x)
    this.#owner.onClosed(this)
  }
}

/**
 * A refusal may come within the very call that ended the TLS handshake. Node does not survive a reset there, and one turn
 * later the handshake's last write still turns it into an orderly end: the second turn is the first that can.
 */
function resetLater(link: Downlink): void {
  setImmediate(() => setImmediate(() => resetSide(link)))
}

/**
 * kube-proxy's twin: how a pod without a sidecar reaches Services. One loopback port per service port; a connection is
 * relayed to a ready endpoint, round robin, bytes as they are and each half closed by itself.
 * In: the registry's view of Services. Owns its listeners.
 */
import { connect, createServer, type Server, type Socket } from 'node:net'
import type { ServiceView } from '../client/contract.ts'
import type { PortAllocator } from './ports.ts'

interface Endpoint {
  address: string
  port: number
}

class Relay {
  readonly listenPort: number
  readonly #server: Server
  readonly #open = new Set<Socket>()
  endpoints: readonly Endpoint[] = []
  #next = 0

  constructor(listenPort: number) {
    this.listenPort = listenPort
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket))
  }

  listen(): Promise<void> {
    return new Promise((done, fail) => {
      this.#server.once('error', fail)
      this.#server.listen({ host: '127.0.0.1', port: this.listenPort }, done)
    })
  }

  close(): void {
    this.#server.close()
    for (const socket of this.#open) socket.destroy()
  }

  #accept(downstream: Socket): void {
    const count = this.endpoints.length
    this.#next = count === 0 ? 0 : (this.#next + 1) % count
    const endpoint = this.endpoints[this.#next]
    if (endpoint === undefined) {
      downstream.on('error', () => undefined)
      downstream.resetAndDestroy()
      return
    }
    const upstream = connect({ host: endpoint.address, port: endpoint.port, allowHalfOpen: true })
    this.#join(downstream, upstream)
    this.#join(upstream, downstream)
  }

  /** Pipes one way; an error on one side resets the other. */
  #join(from: Socket, to: Socket): void {
    this.#open.add(from)
    from.setNoDelay(true)
    from.pipe(to)
    from.on('error', () => to.resetAndDestroy())
    from.on('close', () => {
      this.#open.delete(from)
      if (!from.readableEnded) to.destroy()
    })
  }
}

export class ServiceRelays {
  readonly #ports: PortAllocator
  readonly #relays = new Map<string, Relay>()
  /** One update after the other. */
  #busy: Promise<void> = Promise.resolve()

  constructor(ports: PortAllocator) {
    this.#ports = ports
  }

  portOf(host: string, port: number): number | undefined {
    return this.#relays.get(`${host}:${port}`)?.listenPort
  }

  /** One relay per service port, each with its endpoints as they are now. */
  update(services: readonly ServiceView[]): Promise<void> {
    const next = this.#busy.then(() => this.#update(services))
    this.#busy = next.catch(() => undefined)
    return next
  }

  async #update(services: readonly ServiceView[]): Promise<void> {
    const wanted = new Map<string, Endpoint[]>()
    for (const service of services)
      for (const { port } of service.ports)
        wanted.set(
          `${service.host}:${port}`,
          service.endpoints.filter((endpoint) => endpoint.servicePort === port),
        )
    for (const [key, relay] of this.#relays) {
      if (wanted.has(key)) continue
      relay.close()
      this.#ports.release([relay.listenPort])
      this.#relays.delete(key)
    }
    for (const [key, endpoints] of wanted) {
      const relay = this.#relays.get(key) ?? (await this.#open(key))
      relay.endpoints = endpoints
    }
  }

  close(): void {
    for (const relay of this.#relays.values()) relay.close()
  }

  async #open(key: string): Promise<Relay> {
    const relay = new Relay(await this.#ports.take())
    this.#relays.set(key, relay)
    await relay.listen()
    return relay
  }
}

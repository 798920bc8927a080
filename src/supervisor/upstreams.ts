/**
 * The explicit ports of one sidecar: for a pod one loopback port per service port, for the gateway the port that a
 * Service's `pocketmesh.dev/publish` names. In: Services. Out: the list for the pod's report, stable while they last.
 */
import type { PodUpstream, ServiceView } from '../client/contract.ts'
import { isFree, type PortAllocator } from './ports.ts'

export class Upstreams {
  readonly #ports: PortAllocator
  readonly #gateway: boolean
  #current: PodUpstream[] = []
  #busy: Promise<unknown> = Promise.resolve()
  /** A port to publish on that is not free; `null`: none. */
  problem: string | null = null

  constructor(ports: PortAllocator, gateway: boolean) {
    this.#ports = ports
    this.#gateway = gateway
  }

  /** One call after the other. */
  update(services: readonly ServiceView[]): Promise<PodUpstream[]> {
    const next = this.#busy.then(() => (this.#gateway ? this.#publish(services) : this.#allocate(services)))
    this.#busy = next.catch(() => undefined)
    return next
  }

  release(): void {
    if (!this.#gateway) this.#ports.release(this.#current.map((one) => one.listenPort))
    this.#current = []
  }

  async #allocate(services: readonly ServiceView[]): Promise<PodUpstream[]> {
    const next: PodUpstream[] = []
    for (const { host, ports } of services)
      for (const { port } of ports) {
        const known = this.#current.find((one) => one.host === host && one.port === port)
        next.push(known ?? { host, port, listenPort: await this.#ports.take() })
      }
    const gone = this.#current.filter((one) => !next.includes(one))
    this.#ports.release(gone.map((one) => one.listenPort))
    this.#current = next
    return next
  }

  async #publish(services: readonly ServiceView[]): Promise<PodUpstream[]> {
    const next: PodUpstream[] = []
    let problem: string | null = null
    for (const { host, name, publish, ports } of services) {
      const first = ports[0]
      if (publish === undefined || first === undefined) continue
      const rival = next.find((one) => one.listenPort === publish)
      const held = this.#current.some((one) => one.listenPort === publish)
      if (rival !== undefined) problem = `Service ${name} wants port ${publish}, which ${rival.host} is published on`
      else if (!held && !(await isFree(publish)))
        problem = `Service ${name} cannot be published: port ${publish} is taken by another program`
      else next.push({ host, port: first.port, listenPort: publish })
    }
    this.problem = problem
    this.#current = next
    return next
  }
}

/**
 * A pod in mode `env`: loopback ports of this machine for its programs and its sidecar, and variables by which programs
 * find the sidecar. Also the gateway's place in every mode, which is this machine's own network.
 */
import { rmSync } from 'node:fs'
import type { PodPort, PodUpstream, ServiceView } from '../client/contract.ts'
import type { EntryCommand } from '../lib/entry.ts'
import { podPortSocket, type Home } from '../lib/home.ts'
import type { SidecarBootstrap } from '../xds/bootstrap.ts'
import { baseEnvironment, serviceEnvironment, type PodFacts } from './environment.ts'
import { hookEnvironment, interceptEnvironment } from './intercept-env.ts'
import type { ContainerPlan, Probe } from './plan.ts'
import type { NetworkOptions, PodNetwork, PodPlace, ProbeKind } from './pod-network.ts'
import { isFree, type PortAllocator } from './ports.ts'
import { runProbe } from './probe.ts'
import { undeclaredPorts } from './target-ports.ts'
import { Upstreams } from './upstreams.ts'

const LOOPBACK = '127.0.0.1'

export interface EnvNetworkOptions extends NetworkOptions {
  home: Home
  ports: PortAllocator
  hook: EntryCommand
  relayPort: (host: string, port: number) => number | undefined
  /** The gateway of a mesh whose pods are in mode `ns` leads out of it. */
  leadsOut: boolean
}

export class EnvNetwork implements PodNetwork {
  readonly #options: EnvNetworkOptions
  readonly #upstreams: Upstreams
  #place: PodPlace = { address: LOOPBACK, ports: [] }

  constructor(options: EnvNetworkOptions) {
    this.#options = options
    this.#upstreams = new Upstreams(options.ports, options.plan.template.gateway)
  }

  get place(): PodPlace {
    return this.#place
  }

  get hasProxy(): boolean {
    return this.#options.plan.template.sidecar
  }

  get problem(): string | null {
    const { plan, services } = this.#options
    const [port] = undeclaredPorts(plan, services())
    if (port === undefined) return this.#upstreams.problem
    // its program would have to listen on another, and finds out which by its containerPort alone
    return `a Service leads to port ${port}, which no container declares: it is not served in mode env`
  }

  get published(): readonly PodUpstream[] {
    return this.#options.plan.template.gateway ? (this.#place.outbound?.upstreams ?? []) : []
  }

  async open(): Promise<PodPlace> {
    const { ports, plan, name: pod, services, leadsOut, home } = this.#options
    const { containers, gateway } = plan.template
    const podPorts: PodPort[] = []
    for (const { name, containerPort } of containers.flatMap((container) => container.ports)) {
      const appPort = await ports.take()
      podPorts.push({
        name,
        containerPort,
        appPort,
        listenPort: this.hasProxy ? await ports.take() : appPort,
        // cheaper than loopback TCP by a few per cent: `npm run bench -- --rows link`
        ...(this.hasProxy ? { pipe: podPortSocket(home, plan.namespace, pod, containerPort) } : {}),
      })
    }
    this.#place = { address: LOOPBACK, ports: podPorts }
    if (this.hasProxy) {
      const upstreams = await this.#upstreams.update(services())
      this.#place.outbound = { capturePort: await ports.take(), httpProxyPort: await ports.take(), upstreams }
    }
    if (gateway && leadsOut) this.#place.egressPipe = home.egressSocket
    return this.#place
  }

  /** Listeners for Services that came, none for those that went. */
  async update(services: readonly ServiceView[]): Promise<boolean> {
    const { outbound } = this.#place
    if (outbound === undefined) return false
    const upstreams = await this.#upstreams.update(services)
    if (JSON.stringify(upstreams) === JSON.stringify(outbound.upstreams)) return false
    this.#place = { ...this.#place, outbound: { ...outbound, upstreams } }
    return true
  }

  bootstrap(): Partial<SidecarBootstrap> {
    const { home } = this.#options
    return this.#place.egressPipe === undefined ? {} : { dnsRelay: home.dnsSocket }
  }

  proxyPrefix(): string[] {
    return []
  }

  programPrefix(): string[] {
    return []
  }

  besideProxyPrefix(): string[] {
    return []
  }

  /** A listener that cannot be bound would leave its endpoint, or a program's upstream, to whoever sits there. */
  async checkProxy(): Promise<void> {
    const { capturePort, httpProxyPort, upstreams = [] } = this.#place.outbound ?? {}
    const ports = [...this.#place.ports, ...upstreams].map((one) => one.listenPort)
    for (const port of [...ports, capturePort, httpProxyPort]) if (port !== undefined) await this.#checkFree(port)
  }

  async checkProgram(container: ContainerPlan): Promise<void> {
    for (const { appPort } of this.#portsOf(container)) await this.#checkFree(appPort)
  }

  async #checkFree(port: number): Promise<void> {
    if (await isFree(port)) return
    const reason = `port ${port} was taken by another program`
    this.#options.onLost(reason)
    throw new Error(reason)
  }

  environment(facts: PodFacts, container: ContainerPlan): Record<string, string> {
    const { services, relayPort, hook, namesFile, plan } = this.#options
    const { outbound, ports } = this.#place
    const relayed = (service: ServiceView, port: number): { host: string; port: number } | undefined => {
      const relay = relayPort(service.host, port)
      return relay === undefined ? undefined : { host: LOOPBACK, port: relay }
    }
    return {
      ...baseEnvironment(facts, container),
      ...(outbound === undefined
        ? serviceEnvironment(services(), plan.namespace, relayed)
        : interceptEnvironment(outbound, namesFile, services(), plan.namespace)),
      ...hookEnvironment(hook.args, ports),
    }
  }

  probe(container: ContainerPlan, _kind: ProbeKind, probe: Probe, env: Record<string, string>): Promise<boolean> {
    const own = this.#portsOf(container)
    const port = (wanted: number | string): number | undefined =>
      own.find((one) => one.containerPort === wanted || one.name === wanted)?.appPort
    return runProbe(probe, { port, cwd: container.cwd, env })
  }

  #portsOf(container: ContainerPlan): PodPort[] {
    const declared = new Set(container.ports.map((port) => port.containerPort))
    return this.#place.ports.filter((port) => declared.has(port.containerPort))
  }

  close(): Promise<void> {
    const { ports } = this.#options
    this.#upstreams.release()
    for (const { pipe } of this.#place.ports) if (pipe !== undefined) rmSync(pipe, { force: true })
    ports.release(this.#place.ports.flatMap((port) => [port.appPort, port.listenPort]))
    const { outbound } = this.#place
    if (outbound !== undefined) ports.release([outbound.capturePort, outbound.httpProxyPort])
    return Promise.resolve()
  }
}

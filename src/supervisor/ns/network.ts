/**
 * A pod in mode `ns`: addresses and namespaces of its own, for programs as they are. Its proxy is in the second of two
 * network namespaces, to which every address leads (setup.ts); it is reached from other proxies through UNIX sockets.
 */
import { spawn } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { PodPort, PodUpstream, ServiceView } from '../../client/contract.ts'
import { PlainError } from '../../client/errors.ts'
import { podPortSocket, type Home } from '../../lib/home.ts'
import type { AppProbe, SidecarBootstrap } from '../../xds/bootstrap.ts'
import { answersOk } from '../admin-get.ts'
import type { Keepers } from '../child.ts'
import { baseEnvironment, serviceEnvironment, type PodFacts } from '../environment.ts'
import type { ContainerPlan, Probe } from '../plan.ts'
import type { NetworkOptions, PodNetwork, PodPlace, ProbeKind } from '../pod-network.ts'
import { defaultProbe } from '../probe.ts'
import { killGroup } from '../state-file.ts'
import { undeclaredPorts } from '../target-ports.ts'
import { GATEWAY4, podAddress4, podAddress6, type PodNumbers } from './addresses.ts'
import { besideProxyPrefix, programPrefix, proxyPrefix } from './enter.ts'
import { fileLists, foldersOf, isInside } from './files.ts'
import { startPause, type Pause } from './pause.ts'

const CLUSTER_DOMAIN = 'cluster.local'

/** Of the user's shell, and wrong in a pod: whom they name is not there, or must not be asked. */
const NOT_IN_PODS = /^((https?|all|no|ftp)_proxy|ssh_auth_sock|dbus_session_bus_address|xdg_runtime_dir|docker_host)$/i

export interface NsNetworkOptions extends NetworkOptions {
  home: Home
  numbers: PodNumbers
  keepers: Keepers
}

export class NsNetwork implements PodNetwork {
  readonly #options: NsNetworkOptions
  readonly #dir: string
  #number: number | undefined
  #place: PodPlace = { address: '', ports: [] }
  #pause: Pause | undefined
  #closing = false
  readonly hasProxy = true
  readonly problem = null
  readonly published: readonly PodUpstream[] = []

  constructor(options: NsNetworkOptions) {
    this.#options = options
    this.#dir = join(options.home.podsDir, options.plan.namespace, `${options.name}~namespaces`)
  }

  get place(): PodPlace {
    return this.#place
  }

  async open(): Promise<PodPlace> {
    const { home, plan, name, numbers, keepers, onLost } = this.#options
    const { containers, includePorts } = plan.template
    this.#number = numbers.take()
    const address = podAddress4(this.#number)
    const address6 = podAddress6(this.#number)
    this.#place = {
      address,
      address6,
      ports: this.#ports(this.#options.services()),
      transparent: { gateway: GATEWAY4, includePorts, egressPipe: home.egressSocket },
    }
    const named = containers.map(({ cwd, command, args }) => foldersOf(cwd, [command ?? '', ...args].join(' ')))
    const folders = {
      working: named.flatMap(({ working }) => working),
      reading: named.flatMap(({ reading }) => reading),
    }
    const unseen = folders.working.find((folder) => isInside(folder, home.dir))
    if (unseen !== undefined)
      throw new PlainError(`${unseen} lies in the mesh's home, which no program may see: choose another --home`)
    const files = this.#writeFiles(address, address6)
    this.#pause = await startPause(
      `${plan.namespace}/${name}`,
      {
        ADDRESS4: address,
        ADDRESS6: address6,
        GATEWAY4,
        HOST_NAME: name,
        ...files,
        ...fileLists(home, folders),
      },
      keepers,
    )
    // it was stopped meanwhile
    if (this.#closing) await this.#pause.end()
    void this.#pause.ended.then(() => this.#closing || onLost('its namespaces are gone'))
    return this.#place
  }

  /** Those that its containers declare, then those that only Services name. */
  #ports(services: readonly ServiceView[]): PodPort[] {
    const { home, plan, name: pod } = this.#options
    const declared = plan.template.containers.flatMap((container) => container.ports)
    const others = undeclaredPorts(plan, services).map((containerPort) => ({ name: '', containerPort }))
    return [...declared, ...others].map(({ name, containerPort }) => {
      const pipe = podPortSocket(home, plan.namespace, pod, containerPort)
      return { name, containerPort, appPort: containerPort, listenPort: containerPort, pipe }
    })
  }

  #writeFiles(address: string, address6: string): { RESOLV_CONF: string; HOSTS: string; STAGE: string } {
    const { plan, name } = this.#options
    const files = {
      RESOLV_CONF: join(this.#dir, 'resolv.conf'),
      HOSTS: join(this.#dir, 'hosts'),
      STAGE: join(this.#dir, 'stage'),
    }
    mkdirSync(files.STAGE, { recursive: true, mode: 0o700 })
    const search = [`${plan.namespace}.svc.${CLUSTER_DOMAIN}`, `svc.${CLUSTER_DOMAIN}`, CLUSTER_DOMAIN]
    writeFileSync(files.RESOLV_CONF, `nameserver ${GATEWAY4}\nsearch ${search.join(' ')}\noptions ndots:5\n`)
    const hosts = ['127.0.0.1 localhost', '::1 localhost ip6-localhost ip6-loopback']
    writeFileSync(files.HOSTS, `${[...hosts, `${address} ${name}`, `${address6} ${name}`].join('\n')}\n`)
    return files
  }

  update(services: readonly ServiceView[]): Promise<boolean> {
    const ports = this.#ports(services)
    if (JSON.stringify(ports) === JSON.stringify(this.#place.ports)) return Promise.resolve(false)
    this.#place = { ...this.#place, ports }
    return Promise.resolve(true)
  }

  bootstrap(): Partial<SidecarBootstrap> {
    const { home, plan } = this.#options
    const probes = plan.template.containers.flatMap((container) => [
      ...this.#appProbe(container, 'readyz', container.readiness ?? defaultProbe(container)),
      ...this.#appProbe(container, 'livez', container.liveness),
    ])
    return { dnsAddress: GATEWAY4, dnsUpstream: home.dnsSocket, appProbes: Object.fromEntries(probes) }
  }

  /** What the proxy can ask of the program, in its place beside it. */
  #appProbe(container: ContainerPlan, kind: ProbeKind, probe: Probe | undefined): [string, AppProbe][] {
    const { httpGet, tcpSocket, timeoutSeconds = 1 } = probe ?? {}
    const wanted = httpGet?.port ?? tcpSocket?.port
    const port = typeof wanted === 'number' ? wanted : container.ports.find((one) => one.name === wanted)?.containerPort
    if (wanted === undefined || port === undefined) return []
    const { path = '/', scheme = 'HTTP', httpHeaders: headers = [] } = httpGet ?? {}
    const http = { scheme: scheme.toLowerCase() as 'http' | 'https', path, headers }
    const target = { host: this.#place.address, port, timeoutMs: timeoutSeconds * 1000 }
    return [[healthPath(container, kind), httpGet === undefined ? target : { ...target, http }]]
  }

  proxyPrefix(): string[] {
    return proxyPrefix(this.#pausePid())
  }

  programPrefix(cwd: string): string[] {
    return programPrefix(this.#pausePid(), cwd)
  }

  besideProxyPrefix(): string[] {
    return besideProxyPrefix(this.#pausePid())
  }

  #pausePid(): number {
    if (this.#pause === undefined || this.#closing) throw new Error('the pod has no namespaces')
    return this.#pause.pid
  }

  /** Its ports are its own. */
  checkProxy(): Promise<void> {
    return Promise.resolve()
  }

  checkProgram(): Promise<void> {
    return Promise.resolve()
  }

  environment(facts: PodFacts, container: ContainerPlan): Record<string, string> {
    const { services, plan } = this.#options
    const env = { ...baseEnvironment(facts, container), ...serviceEnvironment(services(), plan.namespace, virtual) }
    for (const name of Object.keys(env)) if (NOT_IN_PODS.test(name)) delete env[name]
    const own = process.env['NODE_OPTIONS']
    return own === undefined ? env : { ...env, NODE_OPTIONS: own }
  }

  probe(container: ContainerPlan, kind: ProbeKind, probe: Probe, env: Record<string, string>): Promise<boolean> {
    const timeoutMs = (probe.timeoutSeconds ?? 1) * 1000
    if (probe.exec !== undefined)
      return succeeds([...this.programPrefix(container.cwd), ...probe.exec.command], env, timeoutMs)
    if (probe.httpGet === undefined && probe.tcpSocket === undefined) return Promise.resolve(true)
    // the proxy keeps the probe's own deadline, and says so
    return answersOk(this.#options.adminSocket, healthPath(container, kind), timeoutMs + 1000)
  }

  async close(): Promise<void> {
    this.#closing = true
    await this.#pause?.end()
    if (this.#number !== undefined) this.#options.numbers.release(this.#number)
    this.#number = undefined
    rmSync(this.#dir, { recursive: true, force: true })
    for (const { pipe } of this.#place.ports) if (pipe !== undefined) rmSync(pipe, { force: true })
  }
}

function virtual({ addresses }: ServiceView, port: number): { host: string; port: number } | undefined {
  const host = addresses[0]
  return host === undefined ? undefined : { host, port }
}

function healthPath(container: ContainerPlan, kind: ProbeKind): string {
  return `/app-health/${container.name}/${kind}`
}

/** The command runs as a child of what is started here: both are of one process group, which ends as one. */
function succeeds([file = '', ...args]: string[], env: Record<string, string>, timeoutMs: number): Promise<boolean> {
  return new Promise((done) => {
    const child = spawn(file, args, { env, stdio: 'ignore', detached: true })
    const late = setTimeout(() => child.pid !== undefined && killGroup(child.pid, 'SIGKILL'), timeoutMs)
    const end = (ok: boolean): void => {
      clearTimeout(late)
      done(ok)
    }
    child.once('error', () => end(false))
    child.once('exit', (code) => end(code === 0))
  })
}

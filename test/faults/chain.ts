/**
 * What most rows stand on: load -> client's proxy -> (relay) -> server's proxies -> applications with ledgers.
 * In: how many of each, and limits. Out: ports and handles. `close` ends all of it.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type CertificateFiles, clientConfig, type Limits, serverConfig, writeCertificate } from './config.ts'
import { check, type Verdict } from './checker.ts'
import type { Entry } from './load.ts'
import { App, freePort, Idle, Proxy } from './processes.ts'
import { ToxicRelay } from './toxic.ts'
import { openFiles, rssBytes, Vitals } from './vitals.ts'

export interface ChainOptions {
  apps?: number
  servers?: number
  appDelayMs?: number
  client?: Limits
  server?: Limits
  /** Between the two proxies. */
  relayed?: boolean
  /** An application for the TCP port. */
  tcpApp?: number
}

export class ProxyChain {
  readonly apps: App[] = []
  readonly servers: Proxy[] = []
  readonly relays: ToxicRelay[] = []
  client!: Proxy
  httpPort = 0
  tcpPort = 0
  /** Of the first server's proxy, without TLS; and with. */
  plainPort = 0
  meshPort = 0
  files!: CertificateFiles
  readonly #folder = mkdtempSync(join(tmpdir(), 'pm-faults-'))
  readonly #vitals: Vitals[] = []
  readonly #idle = new Idle()
  #idleVitals: Vitals | undefined
  readonly #before = new Map<Proxy, { files: number; rss: number }>()

  static async start(options: ChainOptions = {}): Promise<ProxyChain> {
    const chain = new ProxyChain()
    try {
      await chain.#start(options)
    } catch (error) {
      await chain.close()
      throw error
    }
    return chain
  }

  async #start({
    apps = 1,
    servers = 1,
    appDelayMs = 0,
    client = {},
    server = {},
    relayed = false,
    tcpApp = 9,
  }: ChainOptions): Promise<void> {
    const folder = this.#folder
    for (let i = 0; i < apps; i++) this.apps.push(new App(join(folder, `ledger-${i}`), appDelayMs))
    await Promise.all(this.apps.map((app) => app.start()))
    const serverFiles = writeCertificate(folder, 'server')
    const meshPorts: number[] = []
    let tcpMeshPort = 0
    for (let i = 0; i < servers; i++) {
      const [http, tcp, plain, admin] = [await freePort(), await freePort(), await freePort(), await freePort()]
      meshPorts.push(http)
      tcpMeshPort ||= tcp
      this.plainPort ||= plain
      const ports = { http, tcp, plain, admin, apps: this.apps.map((app) => app.port), tcpApp }
      this.servers.push(new Proxy(join(folder, `server-${i}.yaml`), serverConfig(ports, serverFiles, server), admin))
    }
    this.meshPort = meshPorts[0]!
    const relay = async (port: number): Promise<number> => {
      const relay = new ToxicRelay(port)
      await relay.start()
      this.relays.push(relay)
      return relay.port
    }
    const serverHttp = relayed ? await Promise.all(meshPorts.map(relay)) : meshPorts
    const serverTcp = relayed ? await relay(tcpMeshPort) : tcpMeshPort
    const admin = await freePort()
    this.httpPort = await freePort()
    this.tcpPort = await freePort()
    this.files = writeCertificate(folder, 'client')
    const ports = { http: this.httpPort, tcp: this.tcpPort, admin, serverHttp, serverTcp }
    this.client = new Proxy(join(folder, 'client.yaml'), clientConfig(ports, this.files, client), admin)
    await Promise.all([this.#idle.start(), this.client.start(), ...this.servers.map((proxy) => proxy.start())])
  }

  get proxies(): Proxy[] {
    return [this.client, ...this.servers]
  }

  /** From now on memory, files and lag are looked at. */
  watch(): void {
    this.#idleVitals = new Vitals(this.#idle.pid, this.#idle.port)
    for (const proxy of this.proxies) {
      this.#vitals.push(new Vitals(proxy.pid, proxy.adminPort))
      this.#before.set(proxy, { files: openFiles(proxy.pid), rss: rssBytes(proxy.pid) })
    }
  }

  /** Worst of all proxies. */
  async vitals(): Promise<{
    lagP99Ms: number
    /** Of a process that does nothing, meanwhile. */
    idleLagP99Ms: number
    lagMaxMs: number
    maxRssMb: number
    grownMb: number
    filesMore: number
  }> {
    await this.#stopVitals()
    const worst = (values: number[]): number => Math.max(0, ...values)
    const kept = this.proxies.filter((proxy) => proxy.running)
    return {
      lagP99Ms: worst(this.#vitals.map((v) => v.lagMs(0.99))),
      idleLagP99Ms: this.#idleVitals?.lagMs(0.99) ?? 0,
      lagMaxMs: worst(this.#vitals.map((v) => v.lagMs(1))),
      maxRssMb: worst(this.#vitals.map((v) => v.maxRssMb)),
      grownMb: worst(kept.map((p) => (rssBytes(p.pid) - (this.#before.get(p)?.rss ?? Infinity)) / 1e6)),
      filesMore: worst(kept.map((p) => openFiles(p.pid) - (this.#before.get(p)?.files ?? Infinity))),
    }
  }

  async #stopVitals(): Promise<void> {
    await Promise.all([...this.#vitals, this.#idleVitals].map((v) => v?.stop()))
  }

  /** Requests without a name that the applications have taken on. */
  numbered(): number {
    const lines = this.apps.flatMap((app) => readFileSync(app.ledger, 'utf8').split('\n'))
    return lines.filter((line) => line.startsWith('#') && !line.startsWith('#fault ')).length
  }

  check(...logs: (readonly Entry[])[]): Verdict {
    return check(
      logs.flat(),
      this.apps.map((app) => app.ledger),
    )
  }

  async close(): Promise<void> {
    await this.#stopVitals()
    this.#idle.close()
    for (const relay of this.relays) relay.close()
    await Promise.all([
      ...[this.client, ...this.servers].filter((p) => p !== undefined).map((p) => p.end()),
      ...this.apps.map((app) => app.kill()),
    ])
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

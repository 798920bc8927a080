/**
 * Row `link`: what the connection between two sidecars costs, mutual TLS over loopback TCP and over a UNIX socket with
 * its PROXY header (an xDS `pipe`). One pair of sidecars has both links at once, so that two processes that V8 has
 * compiled differently are not compared. Runs alternate, and which goes first does too.
 */
import type { Pod, PodPort } from '../../../src/client/contract.ts'
import { applyLoad } from '../../tools/closed-loop.ts'
import type { LoadResult } from '../../tools/load-tool.ts'
import type { BenchMesh } from '../../mesh/fixture.ts'
import { cpuMs, hasProc } from '../../system/processes.ts'
import type { Mode } from '../../options.ts'
import type { Line, RowReport } from '../../stats/table.ts'
import { median, percentile } from '../../stats/summary.ts'

const CONNECTIONS = [1, 8, 32]
const LINKS = ['TCP', 'UNIX'] as const
/** The second report of the server's pod. */
const TCP_POD = 'link-tcp'
const WITHIN_MS = 10_000
const POLL_MS = 50

type Link = (typeof LINKS)[number]

interface Run {
  /** CPU of both sidecars, and of each. */
  us: number
  callerUs: number
  serverUs: number
  load: LoadResult
}

export async function link(mesh: BenchMesh, { mode }: { mode: Mode }): Promise<RowReport> {
  if (!hasProc) return { title: 'Link', lines: [], notes: ['skipped: needs /proc'] }
  const repeats = { quick: 3, default: 7, full: 31 }[mode]
  const seconds = 1
  const pair = await LinkPair.make(mesh)
  const runs = new Map<string, Run[]>()
  try {
    for (const one of LINKS) await pair.load(one, 32, mode === 'quick' ? 2 : 5)
    for (let i = 0; i < repeats; i++)
      for (const connections of CONNECTIONS)
        for (const one of i % 2 === 0 ? LINKS : LINKS.toReversed()) {
          const key = `${one} ${connections}`
          runs.set(key, [...(runs.get(key) ?? []), await pair.measure(one, connections, seconds)])
        }
  } finally {
    await pair.remove()
  }
  const of = (one: Link, connections: number): Run[] => runs.get(`${one} ${connections}`) ?? []
  return {
    title: `Link between two sidecars: mutual TLS, keep-alive, 1 KiB, ${repeats} x ${seconds} s each, alternating`,
    lines: CONNECTIONS.flatMap((connections) => LINKS.map((one) => lineOf(one, connections, of(one, connections)))),
    notes: CONNECTIONS.map((connections) => comparison(connections, of('TCP', connections), of('UNIX', connections))),
  }
}

/**
 * A caller's sidecar and a server's with two ways between them: the server's pod is given a `pipe`, and a second report
 * names the same sidecar by its TCP port alone. A Service leads to each.
 */
class LinkPair {
  readonly #mesh: BenchMesh
  readonly #before: Pod
  readonly #urls: Readonly<Record<Link, string>>
  readonly #pids: readonly [number, number]

  private constructor(
    mesh: BenchMesh,
    before: Pod,
    urls: Readonly<Record<Link, string>>,
    pids: readonly [number, number],
  ) {
    this.#mesh = mesh
    this.#before = before
    this.#urls = urls
    this.#pids = pids
  }

  static async make(mesh: BenchMesh): Promise<LinkPair> {
    const [caller, status] = [await mesh.pod('caller'), await mesh.pod('echo-v1')]
    const [callerPid, serverPid] = [caller.sidecar?.pid, status.sidecar?.pid]
    if (callerPid == null || serverPid == null) throw new Error('a sidecar does not run')
    const { control } = mesh
    const sources = [{ file: 'link.yaml', dir: '.', text: LINKS.map(serviceOf).join('---\n') }]
    await control.apply({ sources, namespace: 'default' })
    const urls = { TCP: await explicitPort(mesh, 'link-tcp'), UNIX: await explicitPort(mesh, 'link-unix') }
    // after the supervisor's own report, which new Services bring about, and which would undo these
    const server = await serverPod(mesh)
    const withoutPipe = ({ pipe: _pipe, ...port }: PodPort): PodPort => port
    await control.putPod({
      ...server,
      name: TCP_POD,
      labels: { link: 'tcp' },
      ports: server.ports.map(withoutPipe),
    })
    const withPipe = (port: PodPort): PodPort => ({ ...port, pipe: mesh.portSocket(server, port.containerPort) })
    const labels = { ...server.labels, link: 'unix' }
    const { revision } = await control.putPod({ ...server, labels, ports: server.ports.map(withPipe) })
    const { pending } = await control.delivery(revision, WITHIN_MS)
    if (pending.length > 0) throw new Error(`not acknowledged: ${pending.join(', ')}`)
    for (const url of Object.values(urls)) await eventually(`an answer of ${url}`, () => answers(url))
    return new LinkPair(mesh, server, urls, [callerPid, serverPid])
  }

  async remove(): Promise<void> {
    const { control } = this.#mesh
    for (const one of LINKS) await control.deleteObject('Service', 'default', serviceName(one))
    await control.deletePod('default', TCP_POD)
    await control.putPod(this.#before)
  }

  load(one: Link, connections: number, seconds: number): Promise<LoadResult> {
    return applyLoad({ port: Number(new URL(this.#urls[one]).port), path: '/', connections, seconds })
  }

  async measure(one: Link, connections: number, seconds: number): Promise<Run> {
    const before = this.#pids.map((pid) => cpuMs([pid]))
    const load = await this.load(one, connections, seconds)
    const [callerUs = NaN, serverUs = NaN] = this.#pids.map(
      (pid, i) => ((cpuMs([pid]) - (before[i] ?? NaN)) * 1000) / load.requests,
    )
    return { us: callerUs + serverUs, callerUs, serverUs, load }
  }
}

function serviceName(one: Link): string {
  return `link-${one.toLowerCase()}`
}

function serviceOf(one: Link): string {
  return `apiVersion: v1
kind: Service
metadata: { name: ${serviceName(one)} }
spec: { selector: { link: ${one.toLowerCase()} }, ports: [{ name: http, port: 8080 }] }
`
}

/** The server's pod, once all its ports for Services are reported. */
function serverPod(mesh: BenchMesh): Promise<Pod> {
  return eventually('the report of the server', async () => {
    const pod = (await mesh.control.pods()).items.find((one) => one.workload === 'echo-v1' && one.name !== TCP_POD)
    const hosts = pod?.outbound?.upstreams.map((one) => one.host) ?? []
    return LINKS.every((one) => hosts.some((host) => host.startsWith(`${serviceName(one)}.`))) ? pod : undefined
  })
}

function explicitPort(mesh: BenchMesh, service: string): Promise<string> {
  return eventually(`a port for ${service}`, () => mesh.callerUrl(service).catch(() => undefined))
}

async function answers(url: string): Promise<true | undefined> {
  const response = await fetch(url).catch(() => undefined)
  await response?.body?.cancel()
  return response?.ok === true ? true : undefined
}

async function eventually<T>(what: string, check: () => Promise<T | undefined>): Promise<T> {
  const deadlineMs = performance.now() + WITHIN_MS
  for (;;) {
    const found = await check()
    if (found !== undefined) return found
    if (performance.now() > deadlineMs) throw new Error(`not within ${WITHIN_MS} ms: ${what}`)
    await new Promise((done) => setTimeout(done, POLL_MS))
  }
}

function lineOf(one: Link, connections: number, runs: readonly Run[]): Line {
  const costs = runs.map((run) => run.us)
  return {
    link: one,
    connections,
    'CPU us/request': median(costs),
    lowest: Math.min(...costs),
    highest: Math.max(...costs),
    caller: median(runs.map((run) => run.callerUs)),
    server: median(runs.map((run) => run.serverUs)),
    'requests/s': Math.round(median(runs.map((run) => run.load.requestsPerSecond))),
    'p50 ms': median(runs.map((run) => run.load.p50Ms)),
    errors: runs.reduce((sum, run) => sum + run.load.errors, 0),
  }
}

/** The ratio within each repetition, whose runs met the same other work, and then the median. */
function comparison(connections: number, tcp: readonly Run[], unix: readonly Run[]): string {
  const ratios = unix.map((run, i) => run.us / (tcp[i]?.us ?? NaN))
  const [low = NaN, high = NaN] = [0.25, 0.75].map((share) => percentile(ratios, share))
  const range = `half of the repetitions: ${low.toFixed(2)} to ${high.toFixed(2)}`
  return `${connections} connections: UNIX costs ${median(ratios).toFixed(2)} times TCP (${range})`
}

/**
 * Row `proxy`: what a request costs in two sidecars with mutual TLS between them, beside two nginx doing the same
 * to the same app. CPU time of both processes over requests done; runs alternate, so that other work on the machine
 * meets both alike.
 */
import type { BenchMesh } from '../fixture.ts'
import type { LoadResult } from '../load-tool.ts'
import { applyLoad } from '../load-tool.ts'
import { NginxPair } from '../peers/nginx.ts'
import { cpuMs, hasProc } from '../processes.ts'
import type { Line, RowReport } from '../report.ts'
import { median } from '../report.ts'

const CONNECTIONS = 32

interface Variant {
  name: string
  url: string
  pids: () => number[]
  runs: { cpuUsPerRequest: number; load: LoadResult }[]
}

export async function proxy(mesh: BenchMesh, { quick }: { quick: boolean }): Promise<RowReport> {
  if (!hasProc) return { title: 'Proxy', lines: [], notes: ['skipped: needs /proc'] }
  const repeats = quick ? 1 : 5
  const seconds = quick ? 3 : 6
  await mesh.control.delivery(await mesh.routeTo('v1'), 10_000)
  const app = await mesh.pod('echo-v1')
  const appPort = app.ports[0]?.appPort
  if (appPort === undefined) throw new Error('echo-v1 has no port')
  const sidecars = [(await mesh.pod('caller')).sidecar?.pid, app.sidecar?.pid].filter((pid) => typeof pid === 'number')
  const pair = await NginxPair.start(appPort)
  const variants: Variant[] = [{ name: 'two sidecars', url: await mesh.callerUrl(), pids: () => sidecars, runs: [] }]
  if ('url' in pair) variants.push({ name: 'two nginx', url: pair.url, pids: () => pair.pids(), runs: [] })
  try {
    for (const { url } of variants) await applyLoad({ url, connections: CONNECTIONS, seconds: 2 })
    for (let i = 0; i < repeats; i++) for (const variant of variants) await measure(variant, seconds)
  } finally {
    if ('url' in pair) await pair.stop()
  }
  return {
    title: `Proxy: mutual TLS between two, keep-alive, ${CONNECTIONS} connections, 1 KiB, ${repeats} x ${seconds} s, alternating`,
    lines: variants.map(lineOf),
    notes: ['missing' in pair ? `nginx was not measured: ${pair.missing} is not installed` : ratio(variants)],
  }
}

async function measure({ url, pids, runs }: Variant, seconds: number): Promise<void> {
  const before = cpuMs(pids())
  const load = await applyLoad({ url, connections: CONNECTIONS, seconds })
  runs.push({ cpuUsPerRequest: ((cpuMs(pids()) - before) * 1000) / load.requests, load })
}

function lineOf({ name, runs }: Variant): Line {
  const of = (read: (run: Variant['runs'][number]) => number): number => median(runs.map(read))
  return {
    what: name,
    'CPU us/request': of((run) => run.cpuUsPerRequest),
    lowest: Math.min(...runs.map((run) => run.cpuUsPerRequest)),
    'requests/s': Math.round(of((run) => run.load.requestsPerSecond)),
    'p50 ms': of((run) => run.load.p50Ms),
    'p99 ms': of((run) => run.load.p99Ms),
    errors: runs.reduce((sum, run) => sum + run.load.errors, 0),
    tool: runs[0]?.load.tool ?? '-',
  }
}

function ratio([ours, peer]: readonly Variant[]): string {
  const cost = (variant: Variant | undefined): number => median(variant?.runs.map((run) => run.cpuUsPerRequest) ?? [])
  return `sidecars cost ${(cost(ours) / cost(peer)).toFixed(2)} times nginx`
}

/**
 * Row `convergence`: single changes of one route with ten sidecars. From the commit to the last proxy's ACK (the
 * control plane's own clock), and from the apply call to the first answer by the new version.
 */
import { Pool } from 'undici'
import type { BenchMesh } from '../../mesh/fixture.ts'
import { ECHO_URL } from '../../mesh/fixture.ts'
import type { Mode } from '../../options.ts'
import type { Line, RowReport } from '../../stats/table.ts'
import { percentile } from '../../stats/summary.ts'

const DELIVERY_WITHIN_MS = 10_000
/**
 * Single changes: one that follows another within 100 ms waits for more to come, and 300 ms after one the sidecars
 * write what they have to their disks.
 */
const APART_MS = 600
/** How exactly the first answer on the new route is seen; asking without a pause would take the CPU from the mesh. */
const ASK_EVERY_MS = 1

/** ACKs first and by themselves: to see the first answer somebody must ask all the time, which takes CPU from the mesh. */
export async function convergence(mesh: BenchMesh, { mode }: { mode: Mode }): Promise<RowReport> {
  const changes = { quick: 10, default: 30, full: 100 }[mode]
  await mesh.control.delivery(await mesh.routeTo('v2'), DELIVERY_WITHIN_MS)
  const ackMs: number[] = []
  let proxies = 0
  for (let i = 0; i < changes; i++) {
    await pause(APART_MS)
    const delivery = await mesh.control.delivery(await mesh.routeTo(versionOf(i)), DELIVERY_WITHIN_MS)
    if (delivery.acked !== delivery.proxies) throw new Error(`not acknowledged: ${delivery.pending.join(', ')}`)
    proxies = delivery.proxies
    ackMs.push(delivery.ms?.max ?? NaN)
  }
  const watcher = new VersionWatcher(await mesh.callerProxyPort())
  const firstRequestMs: number[] = []
  for (let i = 0; i < changes; i++) {
    await pause(APART_MS)
    const startMs = performance.now()
    const seen = watcher.first(versionOf(i))
    await mesh.routeTo(versionOf(i))
    firstRequestMs.push((await seen) - startMs)
  }
  await watcher.close()
  return {
    title: `Convergence: ${changes} single changes, ${proxies} proxies`,
    lines: [
      line('write accepted -> last ACK', ackMs),
      line('apply called -> first request on the new route', firstRequestMs),
    ],
    notes: ['target: last ACK p50 <= 10 ms, p99 <= 50 ms'],
  }
}

function versionOf(change: number): 'v1' | 'v2' {
  return change % 2 === 0 ? 'v1' : 'v2'
}

function line(what: string, values: readonly number[]): Line {
  return { what, 'p50 ms': percentile(values, 0.5), 'p99 ms': percentile(values, 0.99), 'max ms': Math.max(...values) }
}

function pause(delayMs: number): Promise<void> {
  return new Promise((done) => setTimeout(done, delayMs))
}

/** Asks again and again, one request after the other, and tells when a version first answers. */
class VersionWatcher {
  readonly #pool: Pool
  constructor(proxyPort: number) {
    this.#pool = new Pool(`http://127.0.0.1:${proxyPort}`, { connections: 1 })
  }

  async first(version: string): Promise<number> {
    for (;;) {
      const response = await this.#pool.request({
        method: 'GET',
        path: ECHO_URL,
        headers: { host: new URL(ECHO_URL).host },
      })
      await response.body.dump()
      if (response.headers['x-version'] === version) return performance.now()
      await pause(ASK_EVERY_MS)
    }
  }

  close(): Promise<void> {
    return this.#pool.close()
  }
}

/**
 * Row `convergence`: single changes of one route with ten sidecars. From the commit to the last proxy's ACK (the
 * control plane's own clock), and from the apply call to the first answer by the new version.
 */
import { Pool } from 'undici'
import type { BenchMesh } from '../fixture.ts'
import { ECHO_URL } from '../fixture.ts'
import type { Line, RowReport } from '../report.ts'
import { percentile } from '../report.ts'

const DELIVERY_WITHIN_MS = 10_000
/** A change that follows another within 100 ms waits for more to come; these are single ones. */
const APART_MS = 250
/** How exactly the first answer on the new route is seen; asking without a pause would take the CPU from the mesh. */
const ASK_EVERY_MS = 1

export async function convergence(mesh: BenchMesh, { quick }: { quick: boolean }): Promise<RowReport> {
  const changes = quick ? 10 : 100
  const watcher = new VersionWatcher(await mesh.callerProxyPort())
  const ackMs: number[] = []
  const firstRequestMs: number[] = []
  let proxies = 0
  await mesh.control.delivery(await mesh.routeTo('v2'), DELIVERY_WITHIN_MS)
  await pause(APART_MS)
  for (let i = 0; i < changes; i++) {
    const version = i % 2 === 0 ? 'v1' : 'v2'
    const startMs = performance.now()
    const seen = watcher.first(version)
    const delivery = await mesh.control.delivery(await mesh.routeTo(version), DELIVERY_WITHIN_MS)
    if (delivery.acked !== delivery.proxies) throw new Error(`not acknowledged: ${delivery.pending.join(', ')}`)
    proxies = delivery.proxies
    ackMs.push(delivery.ms?.max ?? NaN)
    firstRequestMs.push((await seen) - startMs)
    await pause(APART_MS)
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

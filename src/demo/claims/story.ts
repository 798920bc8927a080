/** What the claims of `demo --check` share: the running mesh, the load that flows all the while, and what failed. */
import type { Delivery } from '../../client/contract.ts'
import type { Reading } from '../edges.ts'
import { growth, isFailure } from '../edges.ts'
import type { Load } from '../load.ts'
import type { DemoMesh } from '../mesh.ts'

export interface Verdict {
  ok: boolean
  /** The figures measured. */
  text: string
}

export interface Story {
  mesh: DemoMesh
  /** HTTP proxy port of the frontend's sidecar. */
  proxyPort: number
  /** Runs through all claims. */
  background: Load
  /** Counters at the start: whatever fails later, in any sidecar, is seen. */
  start: Reading
}

/** Requests that failed so far: of our own load, and of all that the sidecars' callers saw. */
export async function failures({ mesh, background, start }: Story): Promise<number> {
  const now = await mesh.scraper.read(await mesh.pods())
  const seen = growth(start, now).filter(
    (sample) => sample.name === 'istio_requests_total' && sample.labels['reporter'] === 'source' && isFailure(sample),
  )
  return Math.max(
    background.failed,
    seen.reduce((sum, { value }) => sum + value, 0),
  )
}

export function isComplete({ acked, proxies }: Delivery): boolean {
  return proxies > 0 && acked === proxies
}

export function acknowledged({ acked, proxies, ms }: Delivery): string {
  const time = ms === undefined ? '' : ` in ${ms.max.toFixed(1)} ms (p50 ${ms.p50.toFixed(1)})`
  return `${acked} of ${proxies} proxies acknowledged${time}`
}

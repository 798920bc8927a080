/** What the claims of `demo --check` share: the running mesh, the load that flows all the while, and what failed. */
import type { HostTraps } from '../../attacks/host-traps.ts'
import type { Delivery, EnvResponse } from '../../client/contract.ts'
import type { Reading } from '../edges.ts'
import { growth, isFailure } from '../edges.ts'
import type { DemoMesh } from '../mesh.ts'
import { pause, until } from '../mesh.ts'
import type { PodLoad } from '../pod-load.ts'

const SETTLED_FOR_MS = 1000
const SETTLED_WITHIN_MS = 20_000

export interface Verdict {
  ok: boolean
  /** The figures measured. */
  text: string
}

export interface Story {
  mesh: DemoMesh
  /** What is on this machine for an attacker to find. */
  traps: HostTraps
  /** The frontend's pod: load is sent from there. */
  place: EnvResponse
  /** Runs through all claims. */
  background: PodLoad
  /** Counters at the start: whatever fails later, in any sidecar, is seen. */
  start: Reading
}

/** Requests that failed so far: of our own load, and of all that the sidecars' callers saw. */
export async function failures({ mesh, background, start }: Story): Promise<number> {
  await background.update()
  return Math.max(background.report.failed, failedBetween(start, await readCounters(mesh)))
}

/**
 * Counters from which on nothing may fail. The load generator buys from its first second, when not all services are
 * there yet: the start is over once purchases succeed for a while.
 */
export async function settledCounters(mesh: DemoMesh): Promise<Reading> {
  let before = await readCounters(mesh)
  await until(SETTLED_WITHIN_MS, async () => {
    await pause(SETTLED_FOR_MS)
    const now = await readCounters(mesh)
    const failed = failedBetween(before, now)
    before = now
    return failed === 0 ? undefined : `${failed} purchases failed in the last second`
  })
  return before
}

async function readCounters(mesh: DemoMesh): Promise<Reading> {
  return mesh.scraper.read(await mesh.pods())
}

function failedBetween(before: Reading, after: Reading): number {
  return growth(before, after)
    .filter(({ name, labels }) => name === 'istio_requests_total' && labels['reporter'] === 'source')
    .filter(isFailure)
    .reduce((sum, { value }) => sum + value, 0)
}

export function isComplete({ acked, proxies }: Delivery): boolean {
  return proxies > 0 && acked === proxies
}

export function acknowledged({ acked, proxies, ms }: Delivery): string {
  const time = ms === undefined ? '' : ` in ${ms.max.toFixed(1)} ms (p50 ${ms.p50.toFixed(1)})`
  return `${acked} of ${proxies} proxies acknowledged${time}`
}

/** Claim 5: with the control plane killed for ten seconds the sidecars serve on; afterwards all are in sync again. */
import type { DemoMesh } from '../mesh.ts'
import { pause, until } from '../mesh.ts'
import type { Story, Verdict } from './story.ts'
import { failures } from './story.ts'

const AWAY_MS = 10_000
const SYNC_WITHIN_MS = 30_000

export async function controlPlaneKilled(story: Story): Promise<Verdict> {
  const { mesh } = story
  const failuresBefore = await failures(story)
  const sentBefore = story.background.report.sent
  const proxiesBefore = (await mesh.control.proxies()).items.length
  await mesh.killControl(AWAY_MS)
  await pause(1000)
  const away = await mesh.control.info().then(
    () => false,
    () => true,
  )
  await pause(AWAY_MS - 1000)
  const backMs = performance.now()
  await until(SYNC_WITHIN_MS, async () => outOfSync(mesh, proxiesBefore))
  const syncedAfterMs = Math.round(performance.now() - backMs)
  const failed = (await failures(story)) - failuresBefore
  return {
    ok: away && failed === 0,
    text: `${away ? 'gone' : 'NOT gone'} while ${story.background.report.sent - sentBefore} requests flowed, ${failed} failed; ${proxiesBefore} of ${proxiesBefore} proxies in sync ${syncedAfterMs} ms after the 10 s`,
  }
}

async function outOfSync(mesh: DemoMesh, expected: number): Promise<string | undefined> {
  try {
    const { items } = await mesh.control.proxies()
    if (items.length < expected) return `${items.length} of ${expected} proxies are connected`
    const late = items.filter(({ types }) =>
      Object.values(types).some(({ state }) => state !== 'SYNCED' && state !== 'IGNORED'),
    )
    return late.length === 0 ? undefined : `not in sync: ${late.map(({ name }) => name).join(', ')}`
  } catch (error) {
    return String(error)
  }
}

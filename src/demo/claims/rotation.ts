/** Claim 4: every sidecar's certificate is replaced at least twice while requests flow, and none fails. */
import { until } from '../mesh.ts'
import type { Story, Verdict } from './story.ts'
import { failures } from './story.ts'

const ROTATIONS = 2
const WITHIN_MS = 60_000

export async function certificatesRotate(story: Story): Promise<Verdict> {
  const { mesh } = story
  const sidecars = (await mesh.pods()).filter((pod) => pod.sidecar !== null)
  const rotations = async (): Promise<number[]> => {
    const { items } = await mesh.control.certificates()
    return sidecars.map((pod) => (items.find((item) => item.pod === pod.name)?.issued ?? 0) - 1)
  }
  await until(WITHIN_MS, async () => {
    const fewest = Math.min(...(await rotations()))
    return fewest >= ROTATIONS ? undefined : `a sidecar has rotated only ${fewest} times`
  })
  const counts = await rotations()
  const failed = await failures(story)
  return {
    ok: failed === 0,
    text: `${sidecars.length} sidecars, ${Math.min(...counts)} to ${Math.max(...counts)} rotations each; ${failed} of ${story.background.report.sent} failed since the start`,
  }
}

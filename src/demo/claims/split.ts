/** Claims 1 and 2: the split is the one asked for, within chance; changing it under load fails no request. */
import { binomialBand } from '../binomial.ts'
import { loadSummary } from '../load.ts'
import { PodLoad } from '../pod-load.ts'
import { CANARY_URL, ROUTES, shopSource } from '../shop.ts'
import type { Story, Verdict } from './story.ts'
import { acknowledged, failures, isComplete } from './story.ts'

const REQUESTS = 1000
const RATE = 200

export async function canaryAsAsked(story: Story): Promise<Verdict> {
  return measureSplit(story, 0.1)
}

export async function changeUnderLoad(story: Story): Promise<Verdict> {
  const failuresBefore = await failures(story)
  const delivery = await story.mesh.apply(shopSource(ROUTES.canary5050))
  const split = await measureSplit(story, 0.5)
  const failed = (await failures(story)) - failuresBefore
  return {
    ok: split.ok && failed === 0 && isComplete(delivery),
    text: `${acknowledged(delivery)}; ${split.text}; ${failed} failed`,
  }
}

/** Outside the band once, a second measurement decides. */
async function measureSplit({ place }: Story, shareOfV2: number): Promise<Verdict> {
  const { low, high } = binomialBand(REQUESTS, shareOfV2)
  const tried: string[] = []
  for (let attempt = 0; attempt < 2; attempt++) {
    const report = await PodLoad.run(place, { url: CANARY_URL, ratePerSecond: RATE, requests: REQUESTS })
    const { v1 = 0, v2 = 0 } = report.versions
    tried.push(`v1 ${v1}, v2 ${v2}`)
    const text = `${tried.join('; again: ')} of ${REQUESTS} (v2 asked ${shareOfV2 * 100} %, band ${low}..${high}), ${report.failed} failed`
    if (report.failed > 0) return { ok: false, text: `${text}: ${loadSummary(report)}` }
    if (v2 >= low && v2 <= high) return { ok: true, text }
    if (attempt === 1) return { ok: false, text }
  }
  throw new Error('unreachable')
}

/** Claim 3: under STRICT mutual TLS a caller without a sidecar is refused, and no call inside the mesh fails. */
import { readFileSync } from 'node:fs'
import type { DemoMesh } from '../mesh.ts'
import { until } from '../mesh.ts'
import { PodLoad } from '../pod-load.ts'
import { CANARY_URL, ROUTES, shopSource } from '../shop.ts'
import type { Story, Verdict } from './story.ts'
import { acknowledged, failures, isComplete } from './story.ts'

const LINES_AFTER = 3
const LINES_WITHIN_MS = 15_000
const CALL_TIMEOUT_MS = 3000

export async function strictRefusesOutsider(story: Story): Promise<Verdict> {
  const { mesh } = story
  const before = await outsiderLines(mesh, 1)
  const failuresBefore = await failures(story)
  const delivery = await mesh.apply(shopSource(ROUTES.strict))
  const after = await outsiderLines(mesh, LINES_AFTER)
  const direct = await outsiderCall(mesh)
  const failed = (await failures(story)) - failuresBefore
  const refused = after.filter((line) => line.includes(' refused ')).length
  return {
    ok:
      before.every(isAnswered) && refused === after.length && direct !== '200' && failed === 0 && isComplete(delivery),
    text: `legacy-cron answered before, ${refused} of ${after.length} calls refused after, a new caller got ${direct}; in the mesh ${failed} failed; ${acknowledged(delivery)}`,
  }
}

function isAnswered(line: string): boolean {
  return line.includes(' ok 200')
}

/** The next complete lines that legacy-cron prints, from now on. */
async function outsiderLines(mesh: DemoMesh, count: number): Promise<string[]> {
  const { logFile } = await mesh.podOf('legacy-cron')
  const read = (): string[] =>
    readFileSync(logFile, 'utf8')
      .split('\n')
      .filter((line) => / (ok|failed|refused) /.test(line))
  // the line under way belongs to a call that began before
  const from = read().length + 1
  await until(LINES_WITHIN_MS, async () => (read().length >= from + count ? undefined : 'legacy-cron prints nothing'))
  return read().slice(from, from + count)
}

/** One call from outside the mesh, as legacy-cron makes it: the status, or the error's code. */
async function outsiderCall(mesh: DemoMesh): Promise<string> {
  const place = await mesh.place('legacy-cron')
  const { CHECKOUT_SERVICE_SERVICE_HOST: host, CHECKOUT_SERVICE_SERVICE_PORT: port } = place.env
  const url = host === undefined ? CANARY_URL : `http://${host}:${port}/version`
  const { failures } = await PodLoad.run(place, { url, ratePerSecond: 1, requests: 1, timeoutMs: CALL_TIMEOUT_MS })
  return Object.keys(failures)[0] ?? '200'
}

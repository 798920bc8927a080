/**
 * `demo --check`: the demo's story without a terminal. Seven claims, each measured on the running shop under load.
 * In: a started mesh, and the traps of its attacks. Out: one line per claim with its figures; true when all hold.
 */
import type { HostTraps } from '../attacks/host-traps.ts'
import { frontendIsRefused } from './claims/attacks.ts'
import { controlPlaneKilled } from './claims/outage.ts'
import { strictRefusesOutsider } from './claims/outsider.ts'
import { certificatesRotate } from './claims/rotation.ts'
import { canaryAsAsked, changeUnderLoad } from './claims/split.ts'
import type { Story, Verdict } from './claims/story.ts'
import { settledCounters } from './claims/story.ts'
import { wireIsEncrypted } from './claims/wire.ts'
import type { DemoMesh } from './mesh.ts'
import { PodLoad } from './pod-load.ts'
import { CANARY_URL } from './shop.ts'

const BACKGROUND_RATE = 50

type Claim = (story: Story) => Promise<Verdict>

const CLAIMS: readonly [name: string, claim: Claim][] = [
  ['canary 90/10', canaryAsAsked],
  ['change to 50/50 under load', changeUnderLoad],
  ['STRICT refuses the outsider', strictRefusesOutsider],
  ['certificates rotate under load', certificatesRotate],
  ['control plane killed for 10 s', controlPlaneKilled],
  ['the wire carries TLS only', wireIsEncrypted],
  ['the frontend is refused at user-db', frontendIsRefused],
]

/** Prints a line per claim; a claim that throws has failed, the others still run. */
export async function checkStory(mesh: DemoMesh, traps: HostTraps, print: (line: string) => void): Promise<boolean> {
  const place = await mesh.place('frontend')
  const start = await settledCounters(mesh)
  const background = new PodLoad(place, { url: CANARY_URL, ratePerSecond: BACKGROUND_RATE })
  const story = { mesh, traps, place, background, start }
  let passed = 0
  for (const [index, [name, claim]] of CLAIMS.entries()) {
    const verdict = await claim(story).catch((error: unknown): Verdict => ({ ok: false, text: String(error) }))
    print(`${verdict.ok ? 'PASS' : 'FAIL'}  ${index + 1}. ${name}: ${verdict.text}`)
    if (verdict.ok) passed++
  }
  await background.stop()
  print(`${passed} of ${CLAIMS.length} claims hold; load during all of it: ${background.summary()}`)
  return passed === CLAIMS.length
}

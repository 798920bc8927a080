/** Row `changes`: changes of the route, one after the other, while requests flow: failed ones, connections lost. */
import { Load } from '../../../src/demo/load.ts'
import type { BenchMesh } from '../../mesh/fixture.ts'
import { ECHO_URL } from '../../mesh/fixture.ts'
import type { Mode } from '../../options.ts'
import type { RowReport } from '../../stats/table.ts'

const RATE = 500
const PAUSE_MS = 100
const DELIVERY_WITHIN_MS = 10_000

export async function changes(mesh: BenchMesh, { mode }: { mode: Mode }): Promise<RowReport> {
  const count = { quick: 10, default: 50, full: 100 }[mode]
  const load = new Load({ proxyPort: await mesh.callerProxyPort(), url: ECHO_URL, ratePerSecond: RATE })
  load.start()
  for (let i = 0; i < count; i++) {
    await mesh.control.delivery(await mesh.routeTo(i % 2 === 0 ? 'v1' : 'v2'), DELIVERY_WITHIN_MS)
    await new Promise((done) => setTimeout(done, PAUSE_MS))
  }
  await load.stop()
  return {
    title: `Changes under load: ${count} changes at ${RATE} requests/s`,
    lines: [
      {
        requests: load.sent,
        failed: load.failed,
        'connections lost': load.connectionsLost,
        v1: load.versions.get('v1') ?? 0,
        v2: load.versions.get('v2') ?? 0,
      },
    ],
    notes: ['target: 0 failed, 0 connections lost', ...(load.failed > 0 ? [load.summary()] : [])],
  }
}

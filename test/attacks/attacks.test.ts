/** The attack table: a shop of its own per mode, a subtest per attack. What the mode promises to refuse must be refused. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { isKept, type AttackResult } from '../../src/attacks/attack.ts'
import { forgeIdentity } from '../../src/attacks/forged-identity.ts'
import { HostTraps } from '../../src/attacks/host-traps.ts'
import { ATTACKS } from '../../src/attacks/list.ts'
import { runAttacks } from '../../src/attacks/run.ts'
import { freePort } from '../../src/cli/free-port.ts'
import type { InterceptMode } from '../../src/client/contract.ts'
import { DemoMesh } from '../../src/demo/mesh.ts'
import { ROUTES, shopSource, shopWorkloads } from '../../src/demo/shop.ts'
import { homeLayout } from '../../src/lib/home.ts'
import { verifySelfSigned } from './self-signed.ts'
import { requireNamespaces } from '../helpers/tools.ts'

process.env['POCKETMESH_LOG'] = 'silent'
// the test runner's own, which would write into the project from inside the pods
delete process.env['NODE_OPTIONS']

/** Must be refused in mode `env` too, or the promise would be an empty one. */
const ENV_PROMISES = 25
/** Succeed in mode `env`, so that their refusal in `ns` says something: these attacks can succeed. */
const OPEN_IN_ENV = [
  'raw-dial',
  'control-socket',
  'supervisor-socket',
  'sidecar-admin',
  'host-socket',
  'host-socket-late',
  'host-socket-at-home',
  'abstract-socket',
  'read-keys',
  'read-store',
  'read-host-tmp',
  'write-mesh-home',
  'see-processes',
  'proc-environ',
  'proc-root',
  'proc-fd',
  'signals',
  'host-loopback',
  'udp',
]

/** Of the user, and neither private to a pod nor covered as the mesh's own. */
function makeHome(mode: string): string {
  const parent = join(homedir(), '.cache')
  mkdirSync(parent, { recursive: true })
  return mkdtempSync(join(parent, `pocketmesh-${mode}-`))
}

async function attack(mode: InterceptMode): Promise<AttackResult[]> {
  const dir = makeHome(mode)
  const home = homeLayout(join(dir, 'home'))
  const traps = await HostTraps.open(home)
  try {
    const workloads = shopWorkloads({ loadPerSecond: 5, publishPort: await freePort() })
    const sources = [workloads, shopSource(ROUTES.canary9010), shopSource(ROUTES.permissive)]
    const mesh = await DemoMesh.start({ home, intercept: mode, ttlSeconds: 600, fresh: true, sources })
    try {
      return await runAttacks({ home, control: mesh.control, supervisor: mesh.supervisor, traps })
    } finally {
      await mesh.stop()
    }
  } finally {
    traps.close()
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 })
  }
}

t.test('a forged certificate is one, and names whom it likes', async (t) => {
  const id = 'spiffe://cluster.local/ns/default/sa/payment'
  const { certPem, keyPem } = forgeIdentity(id)
  t.same(verifySelfSigned(certPem, keyPem), { uri: id, signed: true, ownKey: true })
})

t.test('mode env refuses what it promises, and says what it does not', async (t) => {
  const results = await attack('env')
  t.equal(results.length, ATTACKS.length)
  t.ok(results.filter(({ promised }) => promised).length >= ENV_PROMISES)
  for (const result of results) {
    await t.test(result.name, async (t) => t.ok(isKept(result), `${result.result}: ${result.how}`))
  }
  for (const name of OPEN_IN_ENV) {
    const found = results.find((result) => result.name === name)
    t.match(found, { result: 'succeeded', promised: false }, `${name} can succeed`)
  }
})

t.test('mode ns refuses all', async (t) => {
  if (!(await requireNamespaces(t))) return
  const results = await attack('ns')
  t.equal(results.length, ATTACKS.length)
  for (const result of results) {
    await t.test(result.name, async (t) => t.ok(isKept(result), `${result.result}: ${result.how}`))
  }
})

/** Row `start`: from the start of a process until its first socket accepts, beside the least that Node needs for that. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { bootstrapOf } from '../sidecar/config.ts'
import { EVERYTHING } from '../sidecar/features.ts'
import { startSidecar } from '../sidecar/sidecars.ts'
import type { Setting } from '../subject.ts'
import { Child } from '../system/child.ts'
import { freePorts, isOpen } from '../system/ports.ts'
import type { Row } from './row.ts'

const REPS = { quick: 5, default: 15, full: 31 }
const LOOK_EVERY_MS = 1
/** After so long a sidecar has kept the code that V8 made of it for the starts that follow (src/sidecar/boot.ts). */
const CODE_KEPT_MS = 3000
const WITHIN_MS = 10_000
const SIDECAR = 'sidecar, standing alone'
const BARE_NODE = 'node with net alone'

export const start: Row = async ({ stage, plan, results }) => {
  const reps = plan.reps ?? REPS[plan.mode]
  const { http, tcp } = await freePorts('http', 'tcp')
  const sidecar = sidecarStarter(stage.setting, http, tcp)
  const script = `require('node:net').createServer().listen(${http}, '127.0.0.1')`
  const bare = (): Child => new Child({ name: BARE_NODE, role: 'proxy', command: plan.node, args: ['-e', script] })
  const starters: readonly (readonly [string, () => Child])[] = [
    [SIDECAR, sidecar],
    [BARE_NODE, bare],
  ]
  const first = sidecar()
  await new Promise((done) => setTimeout(done, CODE_KEPT_MS))
  await first.stop('SIGKILL')
  for (let rep = 0; rep < reps; rep++)
    for (const [subject, begin] of starters) {
      const key = { row: 'start', subject, cell: 'first socket', metric: 'startMs' } as const
      results.add(key, await startMs(begin, http))
    }
  return {
    title: `From start to the first socket that accepts, not the first start here: ${reps} starts each, alternating`,
    lines: starters.map(([subject]) => ({
      subject,
      ms: results.shown({ row: 'start', subject, cell: 'first socket', metric: 'startMs' }),
    })),
  }
}

function sidecarStarter(setting: Setting, port: number, tcpPort: number): () => Child {
  const folder = join(setting.folder, 'start')
  mkdirSync(folder, { recursive: true })
  const file = join(folder, 'bootstrap.json')
  const { http, echo } = setting.app.ports
  const ways = { http: { port, nextPort: http }, tcp: { port: tcpPort, nextPort: echo } }
  const hop = { name: 'start', features: EVERYTHING, accessLogFile: join(folder, 'access.log'), ...ways }
  writeFileSync(file, JSON.stringify(bootstrapOf(hop)))
  return () => startSidecar({ name: SIDECAR, file, setting })
}

async function startMs(begin: () => Child, port: number): Promise<number> {
  const fromMs = performance.now()
  const child = begin()
  while (!(await isOpen(port))) {
    if (child.hasEnded || performance.now() - fromMs > WITHIN_MS)
      throw new Error(`${child.name} does not start: ${child.lastWords}`)
    await new Promise((done) => setTimeout(done, LOOK_EVERY_MS))
  }
  const tookMs = performance.now() - fromMs
  await child.stop('SIGKILL')
  return tookMs
}

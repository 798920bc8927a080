/** A supervisor as a process of its own, for tests that kill it: `mesh-process.ts HOME FILE [MODE]`, prints `ready`. */
import { readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { ControlClient } from '../../src/client/control.ts'
import type { InterceptMode } from '../../src/client/contract.ts'
import { homeLayout } from '../../src/lib/home.ts'
import { createLog } from '../../src/lib/log.ts'
import { runSupervisor } from '../../src/supervisor/supervisor.ts'
import { applyOf, fakeSidecarEntry } from './mesh.ts'

const [dir = '', file = '', mode = 'env'] = process.argv.slice(2)
const home = homeLayout(dir)
try {
  await runSupervisor({
    home,
    intercept: mode as InterceptMode,
    log: createLog('supervisor'),
    entry: fakeSidecarEntry,
    onStarted: async (supervisor) => {
      const client = new ControlClient(home)
      await client.apply(applyOf(readFileSync(file, 'utf8'), dirname(file)))
      await client.close()
      await supervisor.ready()
      console.log('ready')
    },
  })
} catch (error) {
  console.log((error as Error).message)
  process.exitCode = 1
}

/** `down`: ends the mesh of a home; `--purge` forgets its store, CA and logs too. */
import { rmSync } from 'node:fs'
import type { Command } from 'commander'
import { UnreachableError } from '../../client/errors.ts'
import { processStartTime } from '../../lib/process-start.ts'
import { withContext, type Context } from '../context.ts'
import { CliError } from '../errors.ts'
import { examples } from '../help.ts'

const STOP_TIMEOUT_MS = 60_000
const POLL_MS = 50

export function registerDown(program: Command): void {
  const command = program
    .command('down')
    .description('end the mesh; its configuration and certificates are kept')
    .option('--purge', 'forget configuration, certificates and logs too')
  examples(command, [
    ['End the mesh of this folder', 'down'],
    ['End it and forget all of it', 'down --purge'],
    ['Of another home', 'down --home /tmp/shop'],
  ])
  command.action((flags: { purge?: boolean }) =>
    withContext(command, async (context) => {
      const wasRunning = await stop(context)
      if (flags.purge === true) purge(context)
      else context.print(wasRunning ? 'the mesh has ended' : `no mesh was running in ${context.home.dir}`)
    }),
  )
}

/** False where none was running. The supervisor ends last: after it nothing of the mesh is left. */
async function stop(context: Context): Promise<boolean> {
  let pid: number
  let startTime: string | undefined
  try {
    pid = (await context.supervisor.ps()).mesh.supervisorPid
    startTime = processStartTime(pid)
    await context.supervisor.down()
  } catch (error) {
    if (error instanceof UnreachableError) return false
    throw error
  }
  const deadlineMs = performance.now() + STOP_TIMEOUT_MS
  while (performance.now() < deadlineMs) {
    if (startTime === undefined || processStartTime(pid) !== startTime) return true
    await new Promise((done) => setTimeout(done, POLL_MS))
  }
  throw new CliError(`the mesh in ${context.home.dir} did not end within ${STOP_TIMEOUT_MS / 1000} s`)
}

function purge({ home, print }: Context): void {
  const ours = [home.storeDir, home.caDir, home.podsDir, home.logsDir, home.socketDir, home.stateFile]
  for (const path of ours) rmSync(path, { recursive: true, force: true })
  print(`forgotten: configuration, certificates and logs of ${home.dir}`)
}

/** `logs`: what programs (or their sidecars) have written; from the files, so it works after `down` too. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { InvalidArgumentError, type Command } from 'commander'
import { UnreachableError } from '../../client/errors.ts'
import { withContext, type Context } from '../context.ts'
import { CliError } from '../errors.ts'
import { examples } from '../help.ts'
import { LogView, logSources, type LogSource } from '../log-view.ts'
import { bareName } from '../names.ts'

interface LogsFlags {
  follow?: boolean
  proxy?: boolean
  tail?: number
}

const POLL_MS = 200
/** How often new pods are looked for while following. */
const RESCAN_MS = 1000
/** The control plane's and the supervisor's own logs, by this name. */
const PROCESSES = ['control', 'supervisor']

export function registerLogs(program: Command): void {
  const command = program
    .command('logs')
    .description('print logs of all programs, a workload, a pod, or the control plane')
    .argument('[name]', 'workload, pod, "control" or "supervisor"')
    .option('-f, --follow', 'go on as lines come')
    .option('--proxy', "the sidecars' logs instead")
    .option('--tail <n>', 'only the last n lines of each', parseCount)
  examples(command, [
    ['Follow all programs', 'logs -f'],
    ['The last lines of a workload', 'logs checkout-v1 --tail 20'],
    ["A sidecar's access log", 'logs frontend-v1-0 --proxy -f'],
  ])
  command.action((name: string | undefined, flags: LogsFlags) =>
    withContext(command, (context) => logs(context, name === undefined ? undefined : bareName(name), flags)),
  )
}

async function logs(context: Context, name: string | undefined, flags: LogsFlags): Promise<void> {
  const view = new LogView({
    paint: context.paint,
    write: (text) => {
      process.stdout.write(text)
    },
  })
  const sources = await findSources(context, name, flags.proxy === true)
  if (sources.length === 0 && flags.follow !== true) throw new CliError(nothing(name))
  view.add(sources, flags.tail)
  if (flags.follow !== true) {
    view.finish()
    return
  }
  for (let looks = 1; ; looks++) {
    await new Promise((done) => setTimeout(done, POLL_MS))
    view.poll()
    if ((looks * POLL_MS) % RESCAN_MS === 0) view.add(await findSources(context, name, flags.proxy === true))
  }
}

async function findSources(
  { home, supervisor, namespace }: Context,
  name: string | undefined,
  proxy: boolean,
): Promise<LogSource[]> {
  if (name !== undefined && PROCESSES.includes(name)) return [{ name, file: join(home.logsDir, `${name}.log`) }]
  try {
    const { pods } = await supervisor.ps()
    return logSources(pods, name, namespace, proxy)
  } catch (error) {
    if (!(error instanceof UnreachableError)) throw error
    return filesIn(home.logsDir, name, proxy)
  }
}

/** After `down` only the files are left: `POD.log`, `POD.proxy.log`; of other namespaces `NAMESPACE.POD.log`. */
function filesIn(dir: string, name: string | undefined, proxy: boolean): LogSource[] {
  let files: string[]
  try {
    files = readdirSync(dir, { recursive: true }).map(String).sort()
  } catch {
    return []
  }
  const ending = proxy ? '.proxy.log' : '.log'
  return files
    .filter((file) => file.endsWith(ending) && (proxy || !file.endsWith('.proxy.log')))
    .map((file) => ({ name: file.slice(0, -ending.length).split('/').pop() ?? file, file: join(dir, file) }))
    .filter((source) => !PROCESSES.includes(source.name))
    .filter((source) => name === undefined || source.name === name || source.name.replace(/-\d+$/, '') === name)
}

function nothing(name: string | undefined): string {
  return name === undefined
    ? 'there are no logs: nothing has run in this home'
    : `there are no logs of "${name}": "pocketmesh ps" lists the pods`
}

function parseCount(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError('write a whole number')
  return Number(text)
}

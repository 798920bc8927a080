/** `demo`: the shop in a mesh of its own, live in the terminal; with `--check` the same story as seven measured claims. */
import { Argument, InvalidArgumentError, Option } from 'commander'
import type { Command } from 'commander'
import { HostTraps } from '../../attacks/host-traps.ts'
import { checkStory } from '../../demo/check.ts'
import { lastLine } from '../../demo/last-line.ts'
import { showLive } from '../../demo/live.ts'
import { DemoMesh } from '../../demo/mesh.ts'
import { ROUTES, shopSource, shopWorkloads, shownPath } from '../../demo/shop.ts'
import { homeLayout } from '../../lib/home.ts'
import { chooseMode, type InterceptChoice } from '../../supervisor/intercept.ts'
import type { GlobalFlags } from '../context.ts'
import { QuietExit } from '../errors.ts'
import { EXIT } from '../exit-code.ts'
import { freePort } from '../free-port.ts'
import { examples } from '../help.ts'
import { interceptLine } from '../intercept-line.ts'
import { unlessInterrupted, withInterrupt } from '../interrupt.ts'
import { paintFor } from '../style.ts'

/** Homes of their own, so that neither touches the user's mesh. */
const DEMO_HOME = '.pocketmesh/demo'
const CHECK_HOME = '.pocketmesh/check'
const DEMO_TTL_SECONDS = 120
/** Short, so that two rotations fit into the check's time. */
const CHECK_TTL_SECONDS = 40
const DEFAULT_LOAD = 20

interface DemoFlags {
  check?: boolean
  load: number
  intercept: InterceptChoice
}

export function registerDemo(program: Command): void {
  const command = program
    .command('demo')
    .description('run the demo shop and watch it: split, edges, certificates')
    .addArgument(new Argument('[name]', 'which demo').choices(['shop']).default('shop'))
    .option('--check', 'run the story without a terminal, measure its seven claims, exit 0 or 1')
    .option('--load <rate>', 'purchases per second', parseRate, DEFAULT_LOAD)
    .addOption(
      new Option('--intercept <mode>', 'how traffic is captured').choices(['auto', 'ns', 'env']).default('auto'),
    )
  examples(command, [
    ['The shop, with traffic', 'demo'],
    ['Is all of it true here?', 'demo --check'],
  ])
  command.action(async (_name: string, flags: DemoFlags) => {
    const global = command.optsWithGlobals<GlobalFlags>()
    await withInterrupt((signal) => (flags.check === true ? check(global, flags, signal) : live(global, flags, signal)))
  })
}

async function live(global: GlobalFlags, { load, intercept }: DemoFlags, signal: AbortSignal): Promise<void> {
  const options = { intercept, ttlSeconds: DEMO_TTL_SECONDS, fresh: false, load }
  const mesh = await start(global.home ?? DEMO_HOME, options)
  try {
    const paint = paintFor({ env: process.env, isTty: process.stdout.isTTY, noColor: global.color === false })
    await showLive({ mesh, paint, signal, out: process.stdout })
  } finally {
    await mesh.stop()
  }
}

async function check(global: GlobalFlags, flags: DemoFlags, signal: AbortSignal): Promise<void> {
  const { load, intercept } = flags
  const home = global.home ?? CHECK_HOME
  const traps = await HostTraps.open(homeLayout(home))
  try {
    // it may run beside the demo, which holds the manifest's port
    const publishPort = await freePort()
    const options = { intercept, ttlSeconds: CHECK_TTL_SECONDS, fresh: true, load, publishPort }
    await checkIn(await start(home, options), traps, signal)
  } finally {
    traps.close()
  }
}

async function checkIn(mesh: DemoMesh, traps: HostTraps, signal: AbortSignal): Promise<void> {
  try {
    const outcome = await unlessInterrupted(checkStory(mesh, traps, print), signal)
    if (!outcome) throw new QuietExit(EXIT.failure)
  } finally {
    await mesh.stop()
  }
}

interface StartOptions {
  intercept: InterceptChoice
  ttlSeconds: number
  fresh: boolean
  load: number
  publishPort?: number
}

async function start(homeDir: string, options: StartOptions): Promise<DemoMesh> {
  const { intercept, ttlSeconds, fresh, load, publishPort } = options
  const home = homeLayout(homeDir)
  const mode = await chooseMode(intercept)
  print(`starting the shop in ${shownPath(home.dir)}, ${await interceptLine(mode)}`)
  const startedMs = performance.now()
  const workloads = shopWorkloads({ loadPerSecond: load, ...(publishPort === undefined ? {} : { publishPort }) })
  const sources = [workloads, shopSource(ROUTES.canary9010), shopSource(ROUTES.permissive)]
  const mesh = await DemoMesh.start({ home, intercept: mode, ttlSeconds, fresh, sources })
  const pods = await mesh.pods()
  print(`${pods.length} pods ready after ${((performance.now() - startedMs) / 1000).toFixed(1)} s`)
  const userDb = pods.find((pod) => pod.workload === 'user-db')
  if (!lastLine(userDb?.logFile).includes('Python')) print('python3 was not found: user-db runs as its Node twin')
  return mesh
}

function parseRate(text: string): number {
  const rate = Number(text)
  if (!(rate > 0 && rate <= 1000)) throw new InvalidArgumentError('write a number from 1 to 1000')
  return rate
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

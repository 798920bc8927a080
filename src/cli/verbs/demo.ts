/** `demo`: the shop in a mesh of its own, live in the terminal; with `--check` the same story as six measured claims. */
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { Argument, InvalidArgumentError, Option } from 'commander'
import type { Command } from 'commander'
import { checkStory } from '../../demo/check.ts'
import { lastLine } from '../../demo/last-line.ts'
import { showLive } from '../../demo/live.ts'
import { DemoMesh } from '../../demo/mesh.ts'
import { ROUTES, shopSource, shopWorkloads, shownPath } from '../../demo/shop.ts'
import { homeLayout } from '../../lib/home.ts'
import type { GlobalFlags } from '../context.ts'
import { QuietExit } from '../errors.ts'
import { EXIT } from '../exit-code.ts'
import { examples } from '../help.ts'
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
}

export function registerDemo(program: Command): void {
  const command = program
    .command('demo')
    .description('run the demo shop and watch it: split, edges, certificates')
    .addArgument(new Argument('[name]', 'which demo').choices(['shop']).default('shop'))
    .option('--check', 'run the story without a terminal, measure its six claims, exit 0 or 1')
    .option('--load <rate>', 'purchases per second', parseRate, DEFAULT_LOAD)
    .addOption(new Option('--intercept <mode>', 'how traffic is captured').choices(['env']).default('env'))
  examples(command, [
    ['The shop, with traffic', 'demo'],
    ['Is all of it true here?', 'demo --check'],
  ])
  command.action(async (_name: string, flags: DemoFlags) => {
    const global = command.optsWithGlobals<GlobalFlags>()
    await withInterrupt((signal) => (flags.check === true ? check(global, flags, signal) : live(global, flags, signal)))
  })
}

async function live(global: GlobalFlags, { load }: DemoFlags, signal: AbortSignal): Promise<void> {
  const mesh = await start(global.home ?? DEMO_HOME, { ttlSeconds: DEMO_TTL_SECONDS, fresh: false, load })
  try {
    const paint = paintFor({ env: process.env, isTty: process.stdout.isTTY, noColor: global.color === false })
    await showLive({ mesh, paint, signal, out: process.stdout })
  } finally {
    await mesh.stop()
  }
}

async function check(global: GlobalFlags, { load }: DemoFlags, signal: AbortSignal): Promise<void> {
  const publishPort = await freePort()
  const options = { ttlSeconds: CHECK_TTL_SECONDS, fresh: true, load, publishPort }
  const mesh = await start(global.home ?? CHECK_HOME, options)
  try {
    const interrupted = new Promise<'interrupted'>((done) =>
      signal.addEventListener('abort', () => done('interrupted')),
    )
    const outcome = await Promise.race([checkStory(mesh, print), interrupted])
    if (outcome === 'interrupted') throw new QuietExit(EXIT.interrupted)
    if (!outcome) throw new QuietExit(EXIT.failure)
  } finally {
    await mesh.stop()
  }
}

interface StartOptions {
  ttlSeconds: number
  fresh: boolean
  load: number
  publishPort?: number
}

async function start(homeDir: string, options: StartOptions): Promise<DemoMesh> {
  const { ttlSeconds, fresh, load, publishPort } = options
  const home = homeLayout(homeDir)
  print(`starting the shop in ${shownPath(home.dir)} ...`)
  const startedMs = performance.now()
  const workloads = shopWorkloads({ loadPerSecond: load, ...(publishPort === undefined ? {} : { publishPort }) })
  const sources = [workloads, shopSource(ROUTES.canary9010), shopSource(ROUTES.permissive)]
  const mesh = await DemoMesh.start({ home, ttlSeconds, fresh, sources })
  const pods = await mesh.pods()
  print(`${pods.length} pods ready after ${((performance.now() - startedMs) / 1000).toFixed(1)} s`)
  const userDb = pods.find((pod) => pod.workload === 'user-db')
  if (!lastLine(userDb?.logFile).includes('Python')) print('python3 was not found: user-db runs as its Node twin')
  return mesh
}

/** The first Ctrl-C (or SIGTERM) asks the work to end, the second ends the process. */
async function withInterrupt(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const controller = new AbortController()
  const onSignal = (): void => {
    if (controller.signal.aborted) process.exit(EXIT.interrupted)
    controller.abort()
  }
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
  try {
    await work(controller.signal)
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
  }
}

/** The check may run beside the demo, which holds the manifest's port. */
async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  await new Promise((done) => server.close(done))
  return port
}

function parseRate(text: string): number {
  const rate = Number(text)
  if (!(rate > 0 && rate <= 1000)) throw new InvalidArgumentError('write a number from 1 to 1000')
  return rate
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

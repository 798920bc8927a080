/**
 * `attacks`: a program in the frontend's pod tries everything against user-db, the mesh and this machine, in a shop of
 * its own. Out: a table; exit code 0 when the mode refused all that it promises to.
 */
import { Option, type Command } from 'commander'
import { isKept, type AttackResult } from '../../attacks/attack.ts'
import { HostTraps } from '../../attacks/host-traps.ts'
import { runAttacks } from '../../attacks/run.ts'
import { DemoMesh } from '../../demo/mesh.ts'
import { ROUTES, shopSource, shopWorkloads, shownPath } from '../../demo/shop.ts'
import { homeLayout } from '../../lib/home.ts'
import { chooseMode, type InterceptChoice } from '../../supervisor/intercept.ts'
import type { GlobalFlags } from '../context.ts'
import { QuietExit } from '../errors.ts'
import { EXIT } from '../exit-code.ts'
import { freePort } from '../free-port.ts'
import { collect, examples } from '../help.ts'
import { interceptLine } from '../intercept-line.ts'
import { unlessInterrupted, withInterrupt } from '../interrupt.ts'
import { readSources, type Source } from '../sources.ts'
import { paintFor, type Paint } from '../style.ts'
import { renderTable, type Cell } from '../table.ts'

/** A home of its own. */
const HOME = '.pocketmesh/attacks'
const TTL_SECONDS = 600
const LOAD = 5

interface AttacksFlags {
  intercept: InterceptChoice
  json?: boolean
  filename: string[]
}

export function registerAttacks(program: Command): void {
  const command = program
    .command('attacks')
    .description('attack a shop of its own from inside a pod, and say what was refused')
    .option('-f, --filename <path>', 'another shop: frontend, payment and user-db must be in it', collect, [])
    .option('--json', 'the results as JSON')
    .addOption(
      new Option('--intercept <mode>', 'how traffic is captured').choices(['auto', 'ns', 'env']).default('auto'),
    )
  examples(command, [
    ['What this machine can withstand', 'attacks'],
    ['What is open where namespaces are not to be had', 'attacks --intercept env'],
  ])
  command.action(async (flags: AttacksFlags) => {
    const global = command.optsWithGlobals<GlobalFlags>()
    const results = await withInterrupt((signal) => attackShop(global.home ?? HOME, flags, signal))
    const paint = paintFor({ env: process.env, isTty: process.stdout.isTTY, noColor: global.color === false })
    print(flags.json === true ? JSON.stringify(results.items, undefined, 2) : table(results, paint))
    if (!results.items.every(isKept)) throw new QuietExit(EXIT.failure)
  })
}

interface Results {
  mode: string
  items: AttackResult[]
}

async function attackShop(homeDir: string, flags: AttacksFlags, signal: AbortSignal): Promise<Results> {
  const { intercept, filename, json } = flags
  const home = homeLayout(homeDir)
  const note = (line: string): void => void (json !== true && print(line))
  const mode = await chooseMode(intercept)
  note(`attacking a shop in ${shownPath(home.dir)}, ${await interceptLine(mode)}`)
  const sources = filename.length > 0 ? await readSources(filename) : await shop()
  const traps = await HostTraps.open(home)
  try {
    const mesh = await DemoMesh.start({ home, intercept: mode, ttlSeconds: TTL_SECONDS, fresh: true, sources })
    try {
      const { control, supervisor } = mesh
      const items = await unlessInterrupted(runAttacks({ home, control, supervisor, traps }), signal)
      return { mode, items }
    } finally {
      await mesh.stop()
    }
  } finally {
    traps.close()
  }
}

async function shop(): Promise<Source[]> {
  const workloads = shopWorkloads({ loadPerSecond: LOAD, publishPort: await freePort() })
  return [workloads, shopSource(ROUTES.canary9010), shopSource(ROUTES.permissive)]
}

function table({ mode, items }: Results, paint: Paint): string {
  const rows = items.map((item): Cell[] => [
    item.name,
    item.tries,
    outcome(item),
    item.promised ? 'yes' : 'no',
    item.how,
  ])
  const lines = renderTable(['ATTACK', 'WHAT IT TRIES', 'OUTCOME', 'PROMISED', 'HOW'], rows, { paint })
  const count = (result: AttackResult['result']): number => items.filter((item) => item.result === result).length
  const broken = items.filter((item) => !isKept(item)).map(({ name }) => name)
  const verdict = broken.length === 0 ? 'all that is promised was refused' : `not refused: ${broken.join(', ')}`
  const counts = `${count('refused')} refused, ${count('succeeded')} succeeded, ${count('skipped')} skipped`
  return `${lines}\n\nintercept=${mode}: ${items.length} attacks, ${counts}; ${verdict}`
}

function outcome({ result, promised }: AttackResult): Cell {
  if (result === 'refused') return { text: 'refused', tint: 'green' }
  if (result === 'skipped') return { text: 'skipped', tint: 'dim' }
  return { text: 'SUCCEEDED', tint: promised ? 'red' : 'yellow' }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

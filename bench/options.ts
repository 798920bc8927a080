/** The command line. In: arguments. Out: a plan of the run; or a sentence that says what is wrong with them. */
import { existsSync } from 'node:fs'
import { parseArgs } from 'node:util'

export type Mode = 'quick' | 'default' | 'full'

export interface Plan {
  mode: Mode
  rows: readonly string[]
  /** Undefined: each row's own number for the mode. */
  reps: number | undefined
  seconds: number | undefined
  connections: readonly number[] | undefined
  node: string
  compareWith: string | undefined
  outFolder: string | undefined
  /** No repetition begins after so many seconds. */
  limitSeconds: number
}

/** Which rows exist, and which each mode measures without `--rows`. */
export interface RowNames {
  all: readonly string[]
  byMode: Readonly<Record<Mode, readonly string[]>>
}

/** Those that can be told from a `-h` or from a mistake. */
export class UsageError extends Error {}

export const USAGE = `npm run bench -- [FLAGS]

  --rows a,b            only these rows
  --quick | --full      a first look within 90 s; the whole matrix (some three hours)
  --reps N              repetitions of each figure (medians are shown)
  --seconds S           length of each run of load
  --connections 8,32    instead of each row's own
  --node PATH           runs the sidecars with this Node
  --compare OLD.json    shows what differs from an older run beyond the noise
  --out FOLDER          for the JSON and HTML files (bench/results)
`

const LIMIT_SECONDS: Readonly<Record<Mode, number>> = { quick: 70, default: 1140, full: 6 * 3600 }
const MAX_REPS = 1000
const MAX_SECONDS = 600
const MAX_CONNECTIONS = 10_000

export function parseOptions(args: readonly string[], rows: RowNames): Plan {
  const values = parse(args)
  if (values.help === true) throw new UsageError('')
  if (values.quick === true && values.full === true) throw new UsageError('--quick and --full exclude each other')
  const mode = values.quick === true ? 'quick' : values.full === true ? 'full' : 'default'
  return {
    mode,
    rows: rowsOf(values.rows, mode, rows),
    reps: whole('--reps', values.reps, MAX_REPS),
    seconds: whole('--seconds', values.seconds, MAX_SECONDS),
    connections: values.connections
      ?.split(',')
      .map((text) => whole('--connections', text, MAX_CONNECTIONS))
      .filter((number) => number !== undefined),
    node: file('--node', values.node) ?? process.execPath,
    compareWith: file('--compare', values.compare),
    outFolder: values.out,
    // who asks for something exact gets it whole
    limitSeconds: values.rows === undefined ? LIMIT_SECONDS[mode] : LIMIT_SECONDS.full,
  }
}

function parse(args: readonly string[]) {
  try {
    const text = { type: 'string' } as const
    const flag = { type: 'boolean' } as const
    const options = {
      rows: text,
      reps: text,
      seconds: text,
      connections: text,
      node: text,
      compare: text,
      out: text,
      quick: flag,
      full: flag,
      help: { ...flag, short: 'h' },
    } as const
    return parseArgs({ args: [...args], options, strict: true, allowPositionals: false }).values
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

function rowsOf(text: string | undefined, mode: Mode, { all, byMode }: RowNames): readonly string[] {
  if (text === undefined) return byMode[mode]
  const chosen = text.split(',').filter((name) => name !== '')
  const unknown = chosen.filter((name) => !all.includes(name))
  if (chosen.length === 0) throw new UsageError('--rows names no row')
  if (unknown.length > 0) throw new UsageError(`no such row: ${unknown.join(', ')} (there are ${all.join(', ')})`)
  return all.filter((name) => chosen.includes(name))
}

function whole(flag: string, text: string | undefined, max: number): number | undefined {
  if (text === undefined) return undefined
  const value = Number(text)
  if (text.trim() === '' || !Number.isInteger(value) || value < 1 || value > max)
    throw new UsageError(`${flag} takes whole numbers from 1 to ${max}, not "${text}"`)
  return value
}

function file(flag: string, path: string | undefined): string | undefined {
  if (path !== undefined && !existsSync(path)) throw new UsageError(`${flag}: there is no file ${path}`)
  return path
}

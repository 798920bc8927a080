/** What each verb works with: the flags that all share, where to print, and clients that close with the verb. */
import type { Command } from 'commander'
import { ControlClient } from '../client/control.ts'
import { SupervisorClient } from '../client/supervisor.ts'
import { homeLayout, type Home } from '../lib/home.ts'
import { paintFor, type Paint } from './style.ts'
import { renderTable, type Cell } from './table.ts'

export interface Context {
  home: Home
  namespace: string
  /** For standard output. */
  paint: Paint
  /** For standard error. */
  paintErr: Paint
  /** The terminal's width; absent where output goes elsewhere. */
  width: number | undefined
  control: ControlClient
  supervisor: SupervisorClient
  print: (text: string) => void
  /** To standard error: whatever is not the answer itself. */
  note: (text: string) => void
  table: (heads: readonly string[], rows: readonly (readonly Cell[])[]) => void
}

/** Flags of the program itself. */
export interface GlobalFlags {
  home?: string
  namespace?: string
  color?: boolean
}

const DEFAULT_HOME = '.pocketmesh'

function homeOf(flags: GlobalFlags): Home {
  return homeLayout(flags.home ?? process.env['POCKETMESH_HOME'] ?? DEFAULT_HOME)
}

/** Runs a verb's work with a context made from the flags; closes the clients after it. */
export async function withContext<T>(command: Command, work: (context: Context) => Promise<T>): Promise<T> {
  const flags = command.optsWithGlobals<GlobalFlags>()
  const home = homeOf(flags)
  const noColor = flags.color === false
  const control = new ControlClient(home)
  const supervisor = new SupervisorClient(home)
  const paint = paintFor({ env: process.env, isTty: process.stdout.isTTY, noColor })
  const width = process.stdout.isTTY ? process.stdout.columns : undefined
  const print = (text: string): void => {
    process.stdout.write(`${text}\n`)
  }
  const context: Context = {
    home,
    namespace: flags.namespace ?? 'default',
    paint,
    paintErr: paintFor({ env: process.env, isTty: process.stderr.isTTY, noColor }),
    width,
    control,
    supervisor,
    print,
    note: (text) => {
      process.stderr.write(`${text}\n`)
    },
    table: (heads, rows) =>
      print(renderTable(heads, rows, { paint, ...(width === undefined ? {} : { maxWidth: width }) })),
  }
  try {
    return await work(context)
  } finally {
    await Promise.all([control.close(), supervisor.close()])
  }
}

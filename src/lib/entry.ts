/**
 * How to start Pocketmesh's own processes. In: which one. Out: the command and its first arguments.
 * Bundled, each process is a file beside this one in dist/; run from source, the same modules go through tsx.
 */
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

export type EntryKind = 'cli' | 'control' | 'sidecar' | 'guardian' | 'hook' | 'load' | 'attacker'

export interface EntryCommand {
  command: string
  /** For `hook`: what goes into NODE_OPTIONS. */
  args: string[]
}

const BUNDLES: Record<EntryKind, string> = {
  cli: 'pocketmesh.js',
  control: 'control.js',
  sidecar: 'sidecar.js',
  guardian: 'guardian.js',
  hook: 'hook.js',
  load: 'load.js',
  attacker: 'attacker.js',
}

const SOURCES: Record<EntryKind, string> = {
  cli: 'cli/main.ts',
  control: 'control/main.ts',
  sidecar: 'sidecar/main.ts',
  guardian: 'supervisor/guardian.ts',
  hook: 'supervisor/hook.ts',
  load: 'demo/load-worker.ts',
  attacker: 'attacks/program.ts',
}

const here = fileURLToPath(import.meta.url)
const fromSource = here.endsWith('.ts')

/** The command line that starts a process of this kind; the caller appends its own arguments. */
export function entryCommand(kind: EntryKind): EntryCommand {
  const file = fromSource ? join(dirname(here), '..', SOURCES[kind]) : join(dirname(here), BUNDLES[kind])
  const loader = fromSource ? [`--import=${import.meta.resolve('tsx')}`] : []
  // a URL has no blanks, which NODE_OPTIONS would split at
  if (kind === 'hook') return { command: process.execPath, args: [...loader, `--import=${pathToFileURL(file).href}`] }
  return { command: process.execPath, args: [...loader, file] }
}

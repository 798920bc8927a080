/**
 * The command line. In: arguments. Out: text on standard output, messages on standard error, an exit code.
 * A verb's file is loaded when that verb is used, so that `version` and `--help` stay quick; only `--help`,
 * `completion` and mistyped verbs need to know them all.
 */
import { realpathSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { Command, CommanderError } from 'commander'
import { nearest } from '../lib/nearest.ts'
import { describeError } from './errors.ts'
import { EXIT } from './exit-code.ts'

type Register = (program: Command) => void

/** Verbs in the order in which help lists them. */
const VERBS: Readonly<Record<string, () => Promise<Register>>> = {
  up: async () => (await import('./verbs/up.ts')).registerUp,
  down: async () => (await import('./verbs/down.ts')).registerDown,
  demo: async () => (await import('./verbs/demo.ts')).registerDemo,
  attacks: async () => (await import('./verbs/attacks.ts')).registerAttacks,
  ps: async () => (await import('./verbs/ps.ts')).registerPs,
  logs: async () => (await import('./verbs/logs.ts')).registerLogs,
  restart: async () => (await import('./verbs/restart.ts')).registerRestart,
  scale: async () => (await import('./verbs/scale.ts')).registerScale,
  exec: async () => (await import('./verbs/exec.ts')).registerExec,
  kill: async () => (await import('./verbs/kill.ts')).registerKill,
  apply: async () => (await import('./verbs/apply.ts')).registerApply,
  inject: async () => (await import('./verbs/inject.ts')).registerInject,
  diff: async () => (await import('./verbs/diff.ts')).registerDiff,
  get: async () => (await import('./verbs/get.ts')).registerGet,
  describe: async () => (await import('./verbs/describe.ts')).registerDescribe,
  delete: async () => (await import('./verbs/delete.ts')).registerDelete,
  explain: async () => (await import('./verbs/explain.ts')).registerExplain,
  'proxy-status': async () => (await import('./verbs/proxy-status.ts')).registerProxyStatus,
  'proxy-config': async () => (await import('./verbs/proxy-config.ts')).registerProxyConfig,
  authz: async () => (await import('./verbs/authz.ts')).registerAuthz,
  cert: async () => (await import('./verbs/cert.ts')).registerCert,
  check: async () => (await import('./verbs/check.ts')).registerCheck,
  version: async () => (await import('./verbs/version.ts')).registerVersion,
  completion: async () => (await import('./verbs/completion.ts')).registerCompletion,
  control: async () => (await import('./verbs/process.ts')).registerControl,
  sidecar: async () => (await import('./verbs/process.ts')).registerSidecar,
}

const ALIASES: Readonly<Record<string, string>> = { pc: 'proxy-config' }
/** Options of the program that take a value: what follows them is not the verb. */
const VALUE_OPTIONS = new Set(['--home', '-n', '--namespace'])

/** Runs one command line and returns the exit code; `argv` without node and the script. */
export async function run(argv: string[]): Promise<number> {
  const verb = verbOf(argv)
  const program = newProgram()
  const load = verb === undefined ? undefined : VERBS[ALIASES[verb] ?? verb]
  // completion writes out every verb's flags
  const needed = load === undefined || verb === 'completion' ? Object.values(VERBS) : [load]
  const unknown = unknownVerb(argv, verb)
  if (unknown !== undefined) {
    const guess = nearest(unknown, Object.keys(VERBS))
    const hint = guess === undefined ? '' : `; did you mean "${guess}"?`
    process.stderr.write(`error: there is no verb "${unknown}"${hint} ("pocketmesh --help" lists them)\n`)
    return EXIT.usage
  }
  try {
    for (const register of needed) (await register())(program)
    await program.parseAsync(argv, { from: 'user' })
    return EXIT.ok
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 || isHelp(error) ? EXIT.ok : EXIT.usage
    const { message, exitCode } = describeError(error)
    if (message !== '') process.stderr.write(`${message}\n`)
    return exitCode
  }
}

/** The verb, or the one that `help` is asked for, where we have none of that name. */
function unknownVerb(argv: readonly string[], verb: string | undefined): string | undefined {
  const wanted = verb === 'help' ? verbOf(argv.slice(argv.indexOf(verb) + 1)) : verb
  return wanted === undefined || wanted === 'help' || (ALIASES[wanted] ?? wanted) in VERBS ? undefined : wanted
}

function newProgram(): Command {
  return new Command('pocketmesh')
    .description('A service mesh in your pocket: Istio configuration and mutual TLS for the processes of one machine.')
    .usage('VERB [flags]')
    .option('--home <dir>', 'folder of the mesh (default: $POCKETMESH_HOME, or .pocketmesh)')
    .option('-n, --namespace <name>', 'namespace of what is named (default: default)')
    .option('--no-color', 'no colours (also: NO_COLOR)')
    .helpCommand('help [verb]', 'help for a verb')
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
}

function isHelp(error: CommanderError): boolean {
  return error.code === 'commander.helpDisplayed' || error.code === 'commander.help'
}

/** The first argument that is neither an option nor an option's value. */
export function verbOf(argv: readonly string[]): string | undefined {
  for (let i = 0; i < argv.length; i++) {
    const arg = argv[i] ?? ''
    if (VALUE_OPTIONS.has(arg)) i++
    else if (!arg.startsWith('-')) return arg
  }
  return undefined
}

/** A reader that has gone (`pocketmesh get vs | head -1`) is no fault. */
function endQuietlyOnBrokenPipe(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(EXIT.ok)
    throw error
  })
}

const entry = process.argv[1]
if (entry !== undefined && import.meta.url === pathToFileURL(realpathSync(entry)).href) {
  endQuietlyOnBrokenPipe()
  process.exitCode = await run(process.argv.slice(2))
}

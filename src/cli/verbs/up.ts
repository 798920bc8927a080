/**
 * `up`: brings a mesh up. In the foreground this process is the supervisor and shows the logs until Ctrl-C; with `-d`
 * another process of the same program is, and this one waits until the pods are ready, prints, and ends.
 */
import { InvalidArgumentError, Option, type Command } from 'commander'
import { UnreachableError } from '../../client/errors.ts'
import { bringUp, type BringUpResult } from '../bring-up.ts'
import { withContext, type Context } from '../context.ts'
import { CliError, NO_OBJECT, QuietExit } from '../errors.ts'
import { EXIT } from '../exit-code.ts'
import { collect, examples } from '../help.ts'
import { LogView, logSources } from '../log-view.ts'
import { readSources, textsOf, type Source } from '../sources.ts'
import type { InterceptChoice } from '../../supervisor/intercept.ts'
import { runSupervising, startDetached, type MeshOptions } from '../supervise.ts'

interface UpFlags {
  filename: string[]
  detach?: boolean
  wait?: boolean
  intercept: InterceptChoice
  ttl?: number
  timeout: number
  supervise?: boolean
}

const DEFAULT_TIMEOUT_SECONDS = 60
const POLL_MS = 200

export function registerUp(program: Command): void {
  const command = program
    .command('up')
    .description('start the mesh: control plane, programs, sidecars; Ctrl-C ends it')
    .argument('[paths...]', 'the same as -f')
    .option(
      '-f, --filename <path>',
      'file, folder or - with what to run; what the last up brought and this one does not is deleted',
      collect,
      [],
    )
    .option('-d, --detach', 'leave the mesh running in the background')
    .option('--wait', 'pods that are not ready in time are a failure (exit code 75)')
    .option('--timeout <seconds>', 'how long to wait for them', parseSeconds, DEFAULT_TIMEOUT_SECONDS)
    .addOption(
      new Option('--intercept <mode>', 'how traffic comes to the sidecars: auto takes ns where this machine allows it')
        .choices(['auto', 'ns', 'env'])
        .default('auto'),
    )
    .option('--ttl <seconds>', 'lifetime of certificates (default: 24 h)', parseSeconds)
    .addOption(new Option('--supervise', 'be the supervisor, and say nothing').hideHelp())
  examples(command, [
    ['A folder of manifests, until Ctrl-C', 'up -f examples/shop'],
    ['In the background', 'up -f examples/shop -d --wait'],
    ['Without namespaces, as on macOS', 'up -f examples/shop --intercept env'],
    ['What ran here last, with certificates that live two minutes', 'up --ttl 120'],
  ])
  command.action((paths: string[], flags: UpFlags) =>
    withContext(command, async (context) => {
      if (flags.supervise === true) return runSupervising(context.home, meshOptions(flags))
      const files = [...flags.filename, ...paths]
      const sources = files.length === 0 ? undefined : await readValid(context, files)
      return flags.detach === true ? upDetached(context, sources, flags) : upHere(context, sources, flags)
    }),
  )
}

/** Documents at fault are told before anything is started. */
async function readValid(context: Context, files: readonly string[]): Promise<Source[]> {
  const sources = await readSources(files)
  const { parseSources } = await import('../../config/parse.ts')
  const { issues, objects } = parseSources(sources, { namespace: context.namespace })
  const errors = issues.filter((issue) => issue.level === 'error')
  if (errors.length > 0) throw new CliError('nothing was started or changed', EXIT.data, errors, textsOf(sources))
  if (objects.length === 0) throw new CliError(NO_OBJECT, EXIT.data)
  return sources
}

/** This process supervises and shows logs, until a signal or `down`. */
async function upHere(context: Context, sources: readonly Source[] | undefined, flags: UpFlags): Promise<void> {
  if (await isRunning(context))
    throw new CliError(
      `a mesh is running in ${context.home.dir} already: change it with "apply", or end it with "down"`,
    )
  const ending = new AbortController()
  let interrupted = false
  process.on('SIGTERM', () => ending.abort())
  process.on('SIGINT', () => {
    interrupted = true
    ending.abort()
  })
  let following: Promise<void> | undefined
  await runSupervising(context.home, meshOptions(flags), async () => {
    // before the supervisor was loaded, nobody but this process knew of it
    if (ending.signal.aborted) {
      await context.supervisor.down()
      return
    }
    const result = await bringUp(context, { sources, timeoutMs: flags.timeout * 1000, signal: ending.signal })
    if (!ending.signal.aborted) failIfNotReady(result, flags)
    context.note(context.paintErr('dim', 'Ctrl-C ends the mesh'))
    following = followLogs(context, ending.signal)
  })
  ending.abort()
  await following
  context.note(`the mesh has ended`)
  if (interrupted) throw new QuietExit(EXIT.interrupted)
}

/** Another process supervises; a mesh that runs already is changed. */
async function upDetached(context: Context, sources: readonly Source[] | undefined, flags: UpFlags): Promise<void> {
  const ending = new AbortController()
  const running = await isRunning(context)
  if (running) await checkMode(context, flags)
  const child = running ? undefined : startDetached(context.home, meshOptions(flags))
  const work = (async () => {
    if (child !== undefined) await supervisorAnswers(context, child.failed)
    return bringUp(context, { sources, timeoutMs: flags.timeout * 1000, signal: ending.signal })
  })()
  try {
    const result = await (child === undefined ? work : Promise.race([work, child.failed]))
    child?.release()
    failIfNotReady(result, flags)
    context.note(context.paintErr('dim', `it goes on in the background: "pocketmesh down" ends it`))
  } catch (error) {
    // a mesh that could not even take its configuration is not left behind; pods that are late are, to be looked at
    const late = error instanceof CliError && error.exitCode === EXIT.timeout
    if (child !== undefined && !late) await context.supervisor.down().catch(() => undefined)
    throw error
  } finally {
    ending.abort()
  }
}

function meshOptions({ intercept, ttl }: UpFlags): MeshOptions {
  return { intercept, ttlSeconds: ttl }
}

/** A mesh that runs keeps its way of interception. */
async function checkMode({ supervisor }: Context, { intercept }: UpFlags): Promise<void> {
  const { mesh } = await supervisor.ps()
  if (intercept !== 'auto' && intercept !== mesh.intercept)
    throw new CliError(
      `the mesh runs in mode ${mesh.intercept}: end it with "down" before starting it in mode ${intercept}`,
    )
}

async function supervisorAnswers(context: Context, failed: Promise<never>): Promise<void> {
  while (!(await isRunning(context))) await Promise.race([pause(), failed])
}

async function isRunning({ supervisor }: Context): Promise<boolean> {
  try {
    await supervisor.ps()
    return true
  } catch (error) {
    if (error instanceof UnreachableError) return false
    throw error
  }
}

function failIfNotReady({ waiting }: BringUpResult, { wait, timeout }: UpFlags): void {
  if (wait !== true || waiting.length === 0) return
  const names = waiting.map((pod) => pod.name).join(', ')
  const failed = waiting.every((pod) => pod.state === 'failed')
  throw new CliError(failed ? `cannot become ready: ${names}` : `not ready within ${timeout} s: ${names}`, EXIT.timeout)
}

/** What programs write from now on, those of pods yet to come too. */
async function followLogs(context: Context, signal: AbortSignal): Promise<void> {
  const write = (text: string): void => {
    process.stdout.write(text)
  }
  const view = new LogView({ paint: context.paint, write })
  let tail: number | undefined = 0
  while (!signal.aborted) {
    const answer = await context.supervisor.ps().catch(() => undefined)
    if (answer !== undefined) view.add(logSources(answer.pods, undefined, '', false), tail)
    tail = undefined
    view.poll()
    await pause()
  }
  view.poll()
}

function pause(): Promise<void> {
  return new Promise((done) => setTimeout(done, POLL_MS))
}

function parseSeconds(text: string): number {
  const seconds = Number(text)
  if (!(seconds >= 1)) throw new InvalidArgumentError('write a number of seconds')
  return seconds
}

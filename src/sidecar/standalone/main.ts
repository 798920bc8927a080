/**
 * A proxy that stands alone: `sidecar -c FILE`. In: one bootstrap file in Envoy's published format, signals. Out: an exit
 * code.
 *
 *   SIGTERM, SIGINT, POST /quitquitquit --> drain --> exit 0     a second signal: exit now     SIGHUP: certificates again
 */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { systemClock } from '../../lib/clock.ts'
import { createLog } from '../../lib/log.ts'
import { checkBootstrap, type Standalone } from './check.ts'
import { faultText } from './fault.ts'
import { StandaloneProxy } from './proxy.ts'

export const USAGE = `Usage: sidecar -c FILE [--validate] [--drain-time-s SECONDS] [--max-connections-per-source N]

Runs one proxy from a bootstrap file in Envoy's format (YAML or JSON) with static resources.
  -c, --config-path FILE   the file
      --validate           only check it: "OK" and exit code 0, or every fault with its place and exit code 65
      --drain-time-s N     what requests in flight get at the end (default: 10)
      --max-connections-per-source N
                           what one address may have open at one listener (default: 0, any number)
`

/** As in sysexits.h: wrong flags, wrong input. */
const EXIT_USAGE = 64
const EXIT_BAD_INPUT = 65
const DEFAULT_DRAIN_S = 10
const MAX_DRAIN_S = 86_400
/** What must end after the drain, ends within this. */
const CLOSE_LIMIT_MS = 1500

/** Resolves when it serves; from then on signals end the process. */
export async function main(argv: string[]): Promise<void> {
  const { file, validate, drainMs, maxConnectionsPerSource } = parseFlags(argv)
  const bootstrap = readBootstrap(file)
  if (validate) {
    process.stdout.write('OK\n')
    process.exit(0)
  }
  const log = createLog('proxy')
  process.on('uncaughtException', (error, origin) => {
    log.fatal({ err: error, origin }, 'a bug: the proxy ends')
    process.exit(1)
  })
  let stopping = false
  const stop = (reason: string): void => {
    if (stopping) return
    stopping = true
    log.info({ reason, drainMs }, 'the proxy drains')
    setTimeout(() => process.exit(0), drainMs + CLOSE_LIMIT_MS).unref()
    void proxy
      .drain(drainMs)
      .then(() => proxy.close())
      .catch((error: unknown) => log.warn({ err: error }, 'a part did not close'))
      .then(() => process.exit(0))
  }
  const onQuit = (): void => stop('quitquitquit')
  const proxy = new StandaloneProxy({
    bootstrap,
    clock: systemClock,
    log,
    drainMs,
    maxConnectionsPerSource,
    onQuit,
  })
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      process.once(signal, () => process.exit(1))
      stop(signal)
    })
  }
  process.on('SIGHUP', () => proxy.reload())
  try {
    await proxy.start()
  } catch (error) {
    process.stderr.write(`sidecar: cannot start:\n${error instanceof Error ? error.message : String(error)}\n`)
    process.exit(1)
  }
  for (const { name, address } of proxy.addresses()) process.stdout.write(`${name} ${address}\n`)
  process.stdout.write('ready\n')
}

interface Flags {
  file: string
  validate: boolean
  drainMs: number
  maxConnectionsPerSource: number
}

function parseFlags(argv: string[]): Flags {
  try {
    const options = {
      'config-path': { type: 'string', short: 'c' },
      validate: { type: 'boolean' },
      'drain-time-s': { type: 'string' },
      'max-connections-per-source': { type: 'string' },
      concurrency: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    } as const
    const { values } = parseArgs({ args: argv, options, strict: true })
    if (values.help === true) {
      process.stdout.write(USAGE)
      process.exit(0)
    }
    if (values.concurrency !== undefined)
      throw new TypeError(
        '--concurrency is not supported: one process serves with one thread; start several behind one balancer',
      )
    const file = values['config-path']
    if (file === undefined) throw new TypeError('-c FILE is missing')
    const drainS = wholeNumber(values['drain-time-s'], DEFAULT_DRAIN_S)
    if (!(drainS <= MAX_DRAIN_S)) throw new TypeError(`--drain-time-s must be whole seconds from 0 to ${MAX_DRAIN_S}`)
    const maxConnectionsPerSource = wholeNumber(values['max-connections-per-source'], 0)
    if (!Number.isSafeInteger(maxConnectionsPerSource))
      throw new TypeError('--max-connections-per-source must be a whole number')
    return { file, validate: values.validate === true, drainMs: drainS * 1000, maxConnectionsPerSource }
  } catch (error) {
    process.stderr.write(`sidecar: ${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`)
    return process.exit(EXIT_USAGE)
  }
}

/** NaN for a text that is none. */
function wholeNumber(text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback
  return /^\d+$/.test(text) ? Number(text) : NaN
}

function readBootstrap(file: string): Standalone {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    process.stderr.write(
      `sidecar: ${file}: cannot be read: ${error instanceof Error ? error.message : String(error)}\n`,
    )
    return process.exit(EXIT_BAD_INPUT)
  }
  const { bootstrap, faults } = checkBootstrap(text)
  if (bootstrap !== null) return bootstrap
  process.stderr.write(faultText(file, faults))
  return process.exit(EXIT_BAD_INPUT)
}

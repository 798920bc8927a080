/**
 * The sidecar's process: `sidecar --bootstrap FILE`. In: one file, signals, standard input. Out: an exit code.
 *
 * Or `sidecar -c FILE`: a proxy that stands alone (standalone/).
 *
 *   SIGTERM, SIGINT, standard input closed, POST /quitquitquit --> drain --> exit 0     a second signal: exit now
 */
import { readFileSync, realpathSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { systemClock } from '../lib/clock.ts'
import { createLog, type Log } from '../lib/log.ts'
import type { SidecarBootstrap } from '../xds/bootstrap.ts'
import { BootstrapError, parseBootstrap } from './bootstrap.ts'
import type { Sidecar } from './sidecar.ts'
import { wantsStandalone } from './standalone/wanted.ts'

const USAGE = `Usage: sidecar --bootstrap FILE

Runs the proxy of one pod. The supervisor writes FILE (JSON) and starts this; see src/xds/bootstrap.ts for what is in it.

Or: sidecar -c FILE, a proxy without a mesh (sidecar -c FILE --help)
`

/** As in sysexits.h: wrong flags, wrong input. */
const EXIT_USAGE = 64
const EXIT_BAD_INPUT = 65
/** The supervisor is gone: whatever is in flight gets this long. */
const ORPHAN_DRAIN_MS = 1500
/** What must end after the drain, ends within this. */
const CLOSE_LIMIT_MS = 400

/** Resolves when the sidecar is up; from then on signals (or stdin's end) end the process. */
export async function main(argv: string[]): Promise<void> {
  if (wantsStandalone(argv)) {
    // from source; in dist/ it is a bundle of its own (boot.ts)
    const standalone = await import('./standalone/main.ts')
    await standalone.main(argv)
    return
  }
  const file = parseFlags(argv)
  const bootstrap = readBootstrap(file)
  // sockets and files of this pod are this user's only
  process.umask(0o077)
  const log = createLog('sidecar').child({ node: bootstrap.node.cluster })
  process.on('uncaughtException', (error, origin) => {
    log.fatal({ err: error, origin }, 'a bug: the sidecar ends')
    process.exit(1)
  })
  let sidecar: Sidecar | undefined
  let stopping = false
  const stop = (reason: string, drainMs: number): void => {
    if (stopping) return
    stopping = true
    log.info({ reason, drainMs }, 'sidecar drains')
    setTimeout(() => process.exit(0), drainMs + CLOSE_LIMIT_MS).unref()
    void end(sidecar, drainMs, log)
  }
  onStop(bootstrap, stop)
  const { Sidecar } = await import('./sidecar.ts')
  if (stopping) return
  sidecar = new Sidecar({
    bootstrap,
    clock: systemClock,
    log,
    onQuit: () => stop('quitquitquit', bootstrap.drainMs),
    onRefused: (error) => {
      log.fatal({ err: error }, 'refused by the CA')
      process.exit(1)
    },
  })
  try {
    await sidecar.start()
  } catch (error) {
    if (stopping) return
    log.fatal({ err: error }, 'the sidecar could not start')
    process.exit(1)
  }
}

async function end(sidecar: Sidecar | undefined, drainMs: number, log: Log): Promise<void> {
  try {
    await sidecar?.drain(drainMs)
    await sidecar?.close()
  } catch (error) {
    log.warn({ err: error }, 'a part did not close')
  }
  process.exit(0)
}

function onStop(bootstrap: SidecarBootstrap, stop: (reason: string, drainMs: number) => void): void {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      process.once(signal, () => process.exit(1))
      stop(signal, bootstrap.drainMs)
    })
  }
  if (!bootstrap.exitWithStdin) return
  const orphaned = (): void => stop('standard input closed', Math.min(bootstrap.drainMs, ORPHAN_DRAIN_MS))
  process.stdin.once('end', orphaned).once('close', orphaned).once('error', orphaned).resume()
}

function parseFlags(argv: string[]): string {
  try {
    const options = { bootstrap: { type: 'string' }, help: { type: 'boolean', short: 'h' } } as const
    const { values } = parseArgs({ args: argv, options, strict: true })
    if (values.help === true) {
      process.stdout.write(USAGE)
      process.exit(0)
    }
    if (values.bootstrap === undefined) throw new TypeError('-c FILE or --bootstrap FILE is missing')
    return values.bootstrap
  } catch (error) {
    process.stderr.write(`sidecar: ${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`)
    return process.exit(EXIT_USAGE)
  }
}

function readBootstrap(file: string): SidecarBootstrap {
  try {
    return parseBootstrap(readFileSync(file, 'utf8'))
  } catch (error) {
    const reason = error instanceof BootstrapError ? error.message : `cannot be read: ${String(error)}`
    process.stderr.write(`sidecar: ${file}: ${reason}\n`)
    return process.exit(EXIT_BAD_INPUT)
  }
}

const entry = process.argv[1]
if (entry !== undefined && import.meta.url === pathToFileURL(realpathSync(entry)).href) void main(process.argv.slice(2))

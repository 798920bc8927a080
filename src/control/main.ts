/**
 * The control plane's process: `control --home DIR [--ttl SECONDS] [--trust-domain NAME] [--exit-with-stdin]`.
 * In: flags, and a home folder. Out: control.sock (API), xds.sock (ADS), ca.sock (CA), ca/root-cert.pem. Owns the
 * store of that home while it runs. It is ready once GET /v1/info answers: the API's socket is opened last.
 */
import { realpathSync, rmSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import type { ControlInfo } from '../client/contract.ts'
import { VERSION } from '../client/version.ts'
import { writeFileAtomic } from '../lib/atomic-file.ts'
import { systemClock } from '../lib/clock.ts'
import { homeLayout, makeHome, type Home } from '../lib/home.ts'
import { createLog, type Log } from '../lib/log.ts'
import { startApi } from './api/server.ts'
import { CertificateAuthority } from './ca/ca.ts'
import { serverCredentials } from './ca/server-credentials.ts'
import { RootError } from './ca/root.ts'
import { startCaServer } from './ca/server.ts'
import { Registry } from './registry/registry.ts'
import { LmdbStore } from './store/lmdb.ts'
import { StoreLockedError } from './store/lock.ts'
import { translate } from './translate/translate.ts'
import { AdsServer } from './xds-server/ads.ts'

const EXIT_FAILURE = 1
const EXIT_USAGE = 64
/** Whatever hangs while closing: nobody waits longer than this for the process to end. */
const SHUTDOWN_LIMIT_MS = 1800
const DEFAULT_TTL_SECONDS = 24 * 3600
const MAX_TTL_SECONDS = 90 * 24 * 3600

interface ControlOptions {
  home: Home
  ttlMs: number
  trustDomain: string
  exitWithStdin: boolean
}

/** A wrong flag; the message is for the one who typed it. */
class UsageError extends Error {}

/** The process's life: resolves when it is running; from then on signals (or stdin's end) end it. */
export async function main(argv: string[]): Promise<void> {
  let options: ControlOptions
  try {
    options = parseFlags(argv)
  } catch (error) {
    fail(error, EXIT_USAGE)
  }
  const log = createLog('control')
  // before the first await: a signal during the start must count too
  const stopAsked = new Promise<string>((ask) => onStopSignal(options.exitWithStdin, ask))
  let running: RunningControl
  try {
    running = await startControl(options, log)
  } catch (error) {
    fail(error, EXIT_FAILURE)
  }
  void stopAsked.then(async (reason) => {
    log.info({ reason }, 'control plane stops')
    setTimeout(() => process.exit(0), SHUTDOWN_LIMIT_MS).unref()
    await running.close()
    process.exit(0)
  })
}

interface RunningControl {
  close(): Promise<void>
}

/** Opens the store and starts all servers of a home. */
async function startControl(options: ControlOptions, log: Log): Promise<RunningControl> {
  const { home, trustDomain } = options
  const clock = systemClock
  const startedAt = new Date(clock.nowEpochMs()).toISOString()
  // sockets and files that the servers make: this user's only
  process.umask(0o077)
  makeHome(home)
  const store = new LmdbStore({ dir: home.storeDir })
  const closers: (() => Promise<void> | void)[] = [() => store.close()]
  try {
    const defaultTtlMs = options.ttlMs
    const maxTtlMs = Math.max(defaultTtlMs, DEFAULT_TTL_SECONDS * 1000)
    const ca = await CertificateAuthority.open({
      dir: home.caDir,
      store,
      trustDomain,
      defaultTtlMs,
      maxTtlMs,
      clock,
      log,
    })
    closers.push(() => ca.close())
    writeFileAtomic(home.rootCertFile, ca.rootsPem)
    const registry = new Registry({ store, trustDomain, clock })
    closers.push(() => registry.close())
    const source = {
      snapshot: () => registry.snapshot(),
      onChange: registry.onChange.bind(registry),
      translate,
    }
    const tls = serverCredentials({ ca, requireClientCertificate: true })
    closers.push(() => tls.close())
    // a socket file of a run that was killed: the store's lock says that it is nobody's
    for (const socket of [home.caSocket, home.xdsSocket]) rmSync(socket, { force: true })
    const caServer = await startCaServer({ ca, socket: home.caSocket, log })
    closers.push(() => caServer.close())
    const ads = new AdsServer({ socket: home.xdsSocket, credentials: tls.credentials, source, log, clock })
    await ads.start()
    closers.push(() => ads.close())
    const info = (): ControlInfo => ({
      version: VERSION,
      pid: process.pid,
      startedAt,
      revision: store.revision,
      trustDomain,
    })
    const api = await startApi(home.controlSocket, { store, registry, ads, ca, info, clock, log })
    closers.push(() => api.close())
    log.info({ home: home.dir, revision: store.revision, pid: process.pid }, 'control plane is ready')
  } catch (error) {
    await closeAll(closers, log)
    throw error
  }
  return { close: () => closeAll(closers, log) }
}

/** Last opened, first closed; what fails to close keeps nothing else open. */
async function closeAll(closers: (() => Promise<void> | void)[], log: Log): Promise<void> {
  for (const close of closers.toReversed()) {
    try {
      await close()
    } catch (error) {
      log.warn({ err: error }, 'a part of the control plane did not close')
    }
  }
}

/** Throws UsageError. */
function parseFlags(argv: string[]): ControlOptions {
  let values: { home?: string; ttl?: string; 'trust-domain'?: string; 'exit-with-stdin'?: boolean }
  try {
    const flags = {
      home: { type: 'string' },
      ttl: { type: 'string' },
      'trust-domain': { type: 'string' },
      'exit-with-stdin': { type: 'boolean' },
    } as const
    values = parseArgs({ args: argv, options: flags, strict: true }).values
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error })
  }
  const home = values.home ?? process.env['POCKETMESH_HOME'] ?? '.pocketmesh'
  const trustDomain = values['trust-domain'] ?? 'cluster.local'
  if (!/^[a-z0-9][a-z0-9.-]*$/.test(trustDomain))
    throw new UsageError(`--trust-domain must be a DNS name in lower case, not "${trustDomain}"`)
  const ttlSeconds = Number(values.ttl ?? DEFAULT_TTL_SECONDS)
  if (!Number.isFinite(ttlSeconds) || ttlSeconds < 1 || ttlSeconds > MAX_TTL_SECONDS)
    throw new UsageError(`--ttl is in seconds, from 1 to ${MAX_TTL_SECONDS}, not "${values.ttl}"`)
  return {
    home: homeLayout(home),
    ttlMs: ttlSeconds * 1000,
    trustDomain,
    exitWithStdin: values['exit-with-stdin'] === true,
  }
}

function onStopSignal(withStdin: boolean, ask: (reason: string) => void): void {
  process.once('SIGTERM', () => ask('SIGTERM'))
  process.once('SIGINT', () => ask('SIGINT'))
  if (!withStdin) return
  // the pipe closes when the supervisor ends, however it ends
  process.stdin.once('end', () => ask('stdin closed'))
  process.stdin.once('error', () => ask('stdin closed'))
  process.stdin.resume()
}

function fail(error: unknown, code: number): never {
  const known = error instanceof UsageError || error instanceof StoreLockedError || error instanceof RootError
  const text = error instanceof Error ? (known ? error.message : (error.stack ?? error.message)) : String(error)
  process.stderr.write(`control: ${text}\n`)
  process.exit(code)
}

const entry = process.argv[1]
if (entry !== undefined && import.meta.url === pathToFileURL(realpathSync(entry)).href)
  await main(process.argv.slice(2))

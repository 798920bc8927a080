/** What a mesh needs of this machine. In: the home. Out: results; leaves nothing behind. */
import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname } from 'node:path'
import type { Home } from '../lib/home.ts'
import type { CheckResult } from './check.ts'

/** Where `exec` and the shop's Python service look. */
const PYTHON = 'python3'
const MIN_NODE: readonly [major: number, minor: number] = [20, 19]
/** Ports that the examples publish. */
const USUAL_PORTS = [8080]

export async function machineChecks(home: Home): Promise<CheckResult[]> {
  const ports = await Promise.all(USUAL_PORTS.map(portCheck))
  return [
    nodeCheck(process.versions.node),
    homeCheck(home),
    socketCheck(home),
    pythonCheck(),
    await loopbackCheck(),
    ...ports,
  ]
}

export function nodeCheck(version: string): CheckResult {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const good = major > MIN_NODE[0] || (major === MIN_NODE[0] && minor >= MIN_NODE[1])
  if (good) return { level: 'ok', what: `Node ${version} is new enough` }
  return { level: 'bad', what: `Node ${version} is too old`, hint: `install Node ${MIN_NODE.join('.')} or newer` }
}

function homeCheck({ dir }: Home): CheckResult {
  let at = dir
  while (!existsSync(at)) at = dirname(at)
  try {
    accessSync(at, constants.W_OK | constants.X_OK)
  } catch {
    return { level: 'bad', what: `${dir} is not writable`, hint: 'choose another folder with --home DIR' }
  }
  const open = at === dir ? statSync(dir).mode & 0o077 : 0
  if (open !== 0)
    return { level: 'warn', what: `${dir} is writable`, hint: `others may look into it: chmod 700 ${dir}` }
  return { level: 'ok', what: `${dir} is writable` }
}

function socketCheck({ socketDir, dir }: Home): CheckResult {
  const outside = socketDir.startsWith(dir) ? '' : ` (the home's own path is too long for sockets)`
  return { level: 'ok', what: `sockets lie in ${socketDir}${outside}` }
}

function pythonCheck(): CheckResult {
  const result = spawnSync(PYTHON, ['--version'], { encoding: 'utf8' })
  if (result.status === 0) return { level: 'ok', what: `${result.stdout.trim()} is there` }
  return { level: 'warn', what: 'python3 is missing', hint: 'the demo runs a Node twin of its Python service instead' }
}

async function loopbackCheck(): Promise<CheckResult> {
  const error = await tryListen(0)
  if (error === undefined) return { level: 'ok', what: 'programs may listen on 127.0.0.1' }
  return { level: 'bad', what: `nothing can listen on 127.0.0.1: ${error}` }
}

async function portCheck(port: number): Promise<CheckResult> {
  const error = await tryListen(port)
  if (error === undefined) return { level: 'ok', what: `port ${port} is free for a published Service` }
  return {
    level: 'warn',
    what: `port ${port} is taken (${error})`,
    hint: 'fine if this mesh has it; else publish on another port',
  }
}

/** The reason why not, or undefined. */
function tryListen(port: number): Promise<string | undefined> {
  return new Promise((done) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => done(error.code ?? error.message))
    server.listen(port, '127.0.0.1', () => server.close(() => done(undefined)))
  })
}

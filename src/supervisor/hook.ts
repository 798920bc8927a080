/**
 * Preloaded into every Node program of a pod by NODE_OPTIONS=--import: leads its connections to mesh services through
 * the sidecar, and moves its servers to where the sidecar forwards to. In: POCKETMESH_CAPTURE (`127.0.0.1:20001`),
 * POCKETMESH_NAMES (a file), POCKETMESH_LISTEN (`{"8080":20002}`). Without them, and in tools, it does nothing.
 */
import { syncBuiltinESMExports } from 'node:module'
import { installChild } from './hook/child.ts'
import { installConnect } from './hook/connect.ts'
import { hookEnvironment } from './hook/inherit.ts'
import { installListen, movedPort } from './hook/listen.ts'
import { installLookup } from './hook/lookup.ts'
import { Names } from './hook/names.ts'
import { attempt } from './hook/replace.ts'
import { installResolve } from './hook/resolve.ts'
import { isTool } from './hook/tool.ts'
import { installWorker } from './hook/worker.ts'

const MARK = Symbol.for('pocketmesh.hook')

function install(): void {
  if (isTool(process.argv[1]) || Reflect.has(globalThis, MARK)) return
  Reflect.set(globalThis, MARK, true)
  const ports = parsePorts(process.env['POCKETMESH_LISTEN'])
  const capture = parseCapture(process.env['POCKETMESH_CAPTURE'])
  const namesFile = process.env['POCKETMESH_NAMES']
  if (ports.size > 0) installListen(ports)
  if (capture !== undefined && namesFile !== undefined) {
    const names = new Names(namesFile)
    installLookup(names)
    installResolve(names)
    installConnect(names, capture, movedPort)
  }
  if (ports.size > 0 || capture !== undefined) {
    const own = hookEnvironment(import.meta.url)
    installWorker(import.meta.url, own)
    installChild(own)
  }
  syncBuiltinESMExports()
}

function parsePorts(text: string | undefined): Map<number, number> {
  const parsed = attempt(() => JSON.parse(text ?? '{}') as Record<string, number>) ?? {}
  return new Map(Object.entries(parsed).map(([port, appPort]) => [Number(port), appPort]))
}

function parseCapture(text: string | undefined): { host: string; port: number } | undefined {
  const [, host, port] = /^(.+):(\d+)$/.exec(text ?? '') ?? []
  return host === undefined ? undefined : { host, port: Number(port) }
}

attempt(install)

/** Pocketmesh standing alone: one plain hop, or a pair with the link between them. Each sidecar is a process from dist/. */
import { existsSync, mkdirSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { MALLOC_ENVIRONMENT } from '../../src/lib/malloc.ts'
import type { Missing, Setting } from '../subject.ts'
import { Subject } from '../subject.ts'
import { Child } from '../system/child.ts'
import { freePorts } from '../system/ports.ts'
import { bootstrapOf } from './config.ts'
import type { HopSpec, LinkKind, Way } from './config.ts'
import type { Features } from './features.ts'

const BUNDLE = fileURLToPath(new URL('../../dist/sidecar.js', import.meta.url))

/** How a hop is started from its bootstrap file: Envoy takes the same ones. */
export type HopStarter = (spec: { name: string; file: string; setting: Setting }) => Child

export const startSidecar: HopStarter = ({ name, file, setting }) =>
  new Child({
    name,
    role: 'proxy',
    command: setting.node,
    args: [BUNDLE, '-c', file],
    env: MALLOC_ENVIRONMENT, // as a mesh starts them
  })

export interface PairSpec {
  name: string
  link: LinkKind
  features: Features
  toGrpc?: boolean
}

export async function oneHop(
  setting: Setting,
  { name, features }: { name: string; features: Features },
  start: HopStarter = startSidecar,
): Promise<Subject> {
  const { http, tcp } = await freePorts('http', 'tcp')
  const ways = { http: way(http, setting.app.ports.http), tcp: way(tcp, setting.app.ports.echo) }
  const child = startHop(setting, { name: slug(name), features, ...ways }, start)
  return new Subject({ name, ports: { http, http2: http, tcp }, children: [child] }).listening()
}

export async function pair(
  setting: Setting,
  { name, link, features, toGrpc = false }: PairSpec,
  start: HopStarter = startSidecar,
): Promise<Subject | Missing> {
  const { certificates = '' } = setting
  if (certificates === '' && link !== 'plain') return { missing: 'openssl' }
  const { http, tcp, tls, tcpTls } = await freePorts('http', 'tcp', 'tls', 'tcpTls')
  const secured = { link, certificates }
  const appPorts = setting.app.ports
  const back = startHop(
    setting,
    {
      name: `${slug(name)}-back`,
      features,
      http: way(tls, toGrpc ? appPorts.grpc : appPorts.http),
      tcp: way(tcpTls, appPorts.echo),
      accepts: secured,
      appIsHttp2: toGrpc,
    },
    start,
  )
  const front = startHop(
    setting,
    { name: `${slug(name)}-front`, features, http: way(http, tls), tcp: way(tcp, tcpTls), dials: secured },
    start,
  )
  const ports = { http, http2: http, tcp, ...(link === 'plain' ? {} : { tls }) }
  return new Subject({ name, ports, children: [front, back] }).listening()
}

/** Access logs grow by hundreds of megabytes in a long run; the files are opened for appending. */
export function emptyLogs(setting: Setting, subject: Subject): void {
  for (const { name } of subject.children) {
    const file = logFile(setting, name)
    if (existsSync(file)) truncateSync(file)
  }
}

function startHop(setting: Setting, spec: Omit<HopSpec, 'accessLogFile'>, start: HopStarter): Child {
  const folder = join(setting.folder, spec.name)
  mkdirSync(folder, { recursive: true })
  const file = join(folder, 'bootstrap.json')
  const bootstrap = bootstrapOf({ ...spec, accessLogFile: logFile(setting, spec.name) })
  writeFileSync(file, JSON.stringify(bootstrap, null, 2))
  return start({ name: spec.name, file, setting })
}

function logFile(setting: Setting, hop: string): string {
  return join(setting.folder, hop, 'access.log')
}

function way(port: number, nextPort: number): Way {
  return { port, nextPort }
}

function slug(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')
}

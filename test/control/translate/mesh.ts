/**
 * A mesh for tests: documents and pods in shorthand, through the real parser, store and registry, to a snapshot.
 * The first document of a case may be `pods:`, `proxies:` and `show:`; all others are objects.
 */
import { parseAllDocuments } from 'yaml'
import type { Pod, PodUpstream } from '../../../src/client/contract.ts'
import { parseSources } from '../../../src/config/parse.ts'
import { MemoryStore } from '../../../src/control/store/memory.ts'
import { Registry } from '../../../src/control/registry/registry.ts'
import type { Json, Write } from '../../../src/control/store/store.ts'
import type { Snapshot } from '../../../src/control/translate/snapshot.ts'
import { systemClock } from '../../../src/lib/clock.ts'

export interface PodShorthand {
  name: string
  namespace?: string
  labels?: Record<string, string>
  serviceAccount?: string
  sidecar?: boolean
  ready?: boolean
  /** Container ports by name. */
  ports?: Record<string, number>
  advertisedPort?: number
  upstreams?: PodUpstream[]
  /** Mode `ns`. */
  ns?: boolean
  includePorts?: number[]
  /** Mode `env`: ports have a UNIX socket too. */
  pipes?: boolean
  /** The gateway of mode `ns`. */
  egress?: boolean
}

export interface Case {
  pods: Pod[]
  /** `pod.namespace`, or `grpc:pod.namespace`. */
  proxies: string[]
  /** What the golden file holds: `RDS`, or `CDS outbound|8080|v1|...` with `*` at the end for a prefix. */
  show: string[]
  text: string
}

interface Header {
  pods?: PodShorthand[]
  proxies?: string[]
  show?: string[]
}

/** Splits a case's file into its own head and the objects. */
export function parseCase(text: string): Case {
  const [head, ...objects] = text.split(/^--- *$/m)
  const header = parseAllDocuments(head ?? '')[0]?.toJS() as Header | undefined
  const { pods = [], proxies = [], show = [] } = header ?? {}
  return { pods: pods.map(toPod), proxies, show, text: objects.join('\n---\n') }
}

/** Ports follow from the pod's place in the list, so that golden files stay as they are. */
export function toPod(short: PodShorthand, place: number): Pod {
  const { name, namespace = 'default', labels = {}, serviceAccount = 'default', sidecar = true, ready = true } = short
  if (short.ns === true) return transparentPod(short, place)
  const ports = Object.entries(short.ports ?? {}).map(([portName, containerPort], i) => {
    const appPort = 20_000 + 10 * place + i
    const listenPort = sidecar ? appPort + 1000 : appPort
    const advertised = short.advertisedPort === undefined ? {} : { advertisedPort: short.advertisedPort }
    const piped = short.pipes === true ? { pipe: pipeOf(name, containerPort) } : {}
    return { name: portName, containerPort, appPort, listenPort, ...piped, ...advertised }
  })
  const outbound = { capturePort: 22_000 + place, httpProxyPort: 23_000 + place, upstreams: short.upstreams ?? [] }
  return {
    name,
    namespace,
    uid: `uid-${place}`,
    labels,
    serviceAccount,
    workload: name.replace(/-\d+$/, ''),
    sidecar,
    ready,
    terminating: false,
    address: '127.0.0.1',
    ports,
    ...(sidecar ? { outbound } : {}),
    ...(short.egress === true ? { egressPipe: EGRESS_PIPE } : {}),
  }
}

const EGRESS_PIPE = '/mesh/egress.sock'
const pipeOf = (pod: string, port: number): string => `/mesh/pods/${pod}/${port}.sock`

/** The program listens where it likes; callers use the pod's pipes. */
function transparentPod(short: PodShorthand, place: number): Pod {
  const { outbound: _, ...pod } = toPod({ ...short, ns: false, ports: {} }, place)
  const ports = Object.entries(short.ports ?? {}).map(([name, containerPort]) => {
    const pipe = pipeOf(short.name, containerPort)
    return { name, containerPort, appPort: containerPort, listenPort: containerPort, pipe }
  })
  return {
    ...pod,
    address: `10.244.0.${place + 2}`,
    address6: `fd00:10:244::${(place + 2).toString(16)}`,
    ports,
    transparent: { gateway: '169.254.1.1', includePorts: short.includePorts ?? [], egressPipe: EGRESS_PIPE },
  }
}

/** Throws where a document of the case is not valid. */
export function objectWrites(text: string): Write[] {
  const { objects, issues } = parseSources([{ file: 'case.yaml', dir: '/', text }], { namespace: 'default' })
  const errors = issues.filter((issue) => issue.level === 'error')
  if (errors.length > 0) throw new Error(JSON.stringify(errors, null, 1))
  return objects.map((object) => {
    const { kind, metadata } = object
    return { key: `objects/${kind}/${metadata.namespace}/${metadata.name}`, value: object as unknown as Json }
  })
}

export function podWrite(pod: Pod): Write {
  return { key: `pods/${pod.namespace}/${pod.name}`, value: pod as unknown as Json }
}

export interface TestMesh {
  store: MemoryStore
  registry: Registry
  snapshot(): Snapshot
}

/** One commit per object, so that the first in the file is the oldest. */
export async function startMesh({ text, pods }: Pick<Case, 'text' | 'pods'>): Promise<TestMesh> {
  const store = new MemoryStore()
  const registry = new Registry({ store, trustDomain: 'cluster.local', clock: systemClock })
  for (const write of objectWrites(text)) await store.commit([write])
  await store.commit(pods.map(podWrite))
  return { store, registry, snapshot: () => registry.snapshot() }
}

/** What `get` shows of each kind. In: stored objects, pods, the registry's view. Out: heads and rows. Pure. */
import type { Pod, ServiceView, StoredObject } from '../client/contract.ts'
import { age } from './age.ts'
import type { Cell } from './table.ts'

export interface Live {
  pods: readonly Pod[]
  services: readonly ServiceView[]
}

interface Column {
  head: string
  cell(object: StoredObject, live: Live): Cell
}

type Loose = Record<string, unknown>

/** Columns between NAME and AGE; kinds that are not listed have none. */
const COLUMNS: Readonly<Record<string, readonly Column[]>> = {
  VirtualService: [
    { head: 'GATEWAYS', cell: (o) => listCell(spec(o)['gateways']) },
    { head: 'HOSTS', cell: (o) => listCell(spec(o)['hosts']) },
  ],
  DestinationRule: [
    { head: 'HOST', cell: (o) => text(spec(o)['host']) },
    { head: 'SUBSETS', cell: (o) => listCell(list(spec(o)['subsets']).map((s) => asLoose(s)['name'])) },
  ],
  MeshPolicy: [{ head: 'MODE', cell: (o) => meshPolicyMode(spec(o)) }],
  Policy: [{ head: 'MODE', cell: (o) => meshPolicyMode(spec(o)) }],
  PeerAuthentication: [{ head: 'MODE', cell: (o) => text(asLoose(spec(o)['mtls'])['mode'], 'UNSET') }],
  AuthorizationPolicy: [
    { head: 'ACTION', cell: (o) => text(spec(o)['action'], 'ALLOW') },
    { head: 'RULES', cell: (o) => String(list(spec(o)['rules']).length) },
  ],
  Service: [
    { head: 'ADDRESS', cell: (o, live) => viewOf(o, live)?.addresses[0] ?? '-' },
    { head: 'PORTS', cell: (o, live) => portsCell(o, live) },
    { head: 'ENDPOINTS', cell: (o, live) => endpointsCell(viewOf(o, live)) },
    { head: 'PUBLISHED', cell: (o, live) => publishedCell(viewOf(o, live)) },
  ],
  Deployment: [
    { head: 'READY', cell: (o, live) => readyCell(o, live) },
    { head: 'SIDECAR', cell: (o, live) => (podsOf(o, live).some((pod) => pod.sidecar) ? 'yes' : 'no') },
  ],
}

export interface ColumnOptions {
  /** Objects of several namespaces are shown. */
  withNamespace: boolean
  wide: boolean
  nowEpochMs: number
}

export function headsOf(kind: string, { withNamespace, wide }: ColumnOptions): string[] {
  const own = (COLUMNS[kind] ?? []).map((column) => column.head)
  return [
    ...(withNamespace ? ['NAMESPACE'] : []),
    'NAME',
    ...own,
    'AGE',
    ...(wide ? ['APIVERSION', 'REVISION', 'SOURCE'] : []),
  ]
}

export function rowOf(object: StoredObject, live: Live, { withNamespace, wide, nowEpochMs }: ColumnOptions): Cell[] {
  const { namespace, name } = object.metadata
  const { source } = object
  return [
    ...(withNamespace ? [namespace === '' ? '-' : namespace] : []),
    name,
    ...(COLUMNS[object.kind] ?? []).map((column) => column.cell(object, live)),
    age(object.createdAt, nowEpochMs),
    ...(wide
      ? [object.apiVersion, String(object.revision), source === undefined ? '-' : `${source.file}:${source.line}`]
      : []),
  ]
}

type PodColumns = Omit<ColumnOptions, 'nowEpochMs'>

export function podHeads({ withNamespace, wide }: PodColumns): string[] {
  const heads = ['NAME', 'READY', 'SIDECAR', 'WORKLOAD', 'SERVICEACCOUNT', 'PORTS']
  return [...(withNamespace ? ['NAMESPACE'] : []), ...heads, ...(wide ? ['ADDRESS', 'ADDRESS6'] : [])]
}

export function podRow(pod: Pod, { withNamespace, wide }: PodColumns): Cell[] {
  const ready: Cell = pod.terminating
    ? { text: 'ending', tint: 'dim' }
    : pod.ready
      ? 'yes'
      : { text: 'no', tint: 'yellow' }
  // a pod with an address of its own has no other ports
  const shown = pod.ports.map((port) =>
    pod.transparent === undefined ? `${port.containerPort}:${port.listenPort}` : String(port.containerPort),
  )
  const ports = shown.join(',')
  return [
    ...(withNamespace ? [pod.namespace] : []),
    pod.name,
    ready,
    pod.sidecar ? 'yes' : 'no',
    pod.workload,
    pod.serviceAccount,
    ports === '' ? '-' : ports,
    ...(wide ? [pod.address, pod.address6 ?? '-'] : []),
  ]
}

function meshPolicyMode(policy: Loose): string {
  const peers = list(policy['peers'])
  const mtls = peers.map((peer) => asLoose(peer)['mtls']).find((value) => value !== undefined)
  // `mtls: {}` is STRICT (Istio 1.0); no peer method at all is no mutual TLS
  return mtls === undefined ? 'DISABLE' : text(asLoose(mtls)['mode'], 'STRICT')
}

function portsCell(object: StoredObject, live: Live): string {
  const ports = viewOf(object, live)?.ports.map((port) => `${port.port}/${port.protocol}`)
  return ports === undefined || ports.length === 0 ? '-' : ports.join(',')
}

function endpointsCell(view: ServiceView | undefined): Cell {
  const pods = new Set(view?.endpoints.map((endpoint) => `${endpoint.namespace}/${endpoint.pod}`))
  return pods.size === 0 ? { text: '0', tint: 'yellow' } : String(pods.size)
}

function publishedCell(view: ServiceView | undefined): string {
  return view?.publish === undefined ? '-' : `127.0.0.1:${view.publish}`
}

function readyCell(object: StoredObject, live: Live): Cell {
  const { replicas: wanted = 1 } = object.spec as { replicas?: number }
  const ready = podsOf(object, live).filter((pod) => pod.ready && !pod.terminating).length
  const shown = `${ready}/${wanted}`
  return ready === wanted ? shown : { text: shown, tint: 'yellow' }
}

function podsOf(object: StoredObject, live: Live): Pod[] {
  const { namespace, name } = object.metadata
  return live.pods.filter((pod) => pod.workload === name && pod.namespace === namespace)
}

function viewOf(object: StoredObject, live: Live): ServiceView | undefined {
  const { namespace, name } = object.metadata
  return live.services.find((service) => service.name === name && service.namespace === namespace)
}

function spec(object: StoredObject): Loose {
  return asLoose(object.spec)
}

function asLoose(value: unknown): Loose {
  return typeof value === 'object' && value !== null ? (value as Loose) : {}
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : []
}

function text(value: unknown, fallback = '-'): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : fallback
}

function listCell(value: unknown): string {
  const items = list(value)
  return items.length === 0 ? '-' : items.map((item) => text(item)).join(',')
}

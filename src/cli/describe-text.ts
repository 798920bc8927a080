/** Texts of `describe`. In: objects, pods, the registry's view. Out: lines as kubectl lays them out. Pure. */
import type { CertificateStatus, Pod, PodStatus, ProxyStatus, ServiceView, StoredObject } from '../client/contract.ts'
import { ago, left } from './age.ts'
import { renderTable } from './table.ts'

type Loose = Record<string, unknown>

/** `Name:    value`, the values in one column. */
function facts(pairs: readonly (readonly [name: string, value: string])[]): string[] {
  const width = Math.max(...pairs.map(([name]) => name.length)) + 1
  return pairs.map(([name, value]) => `${`${name}:`.padEnd(width)}  ${value}`)
}

/** Which of the mesh's objects name the host of a service. */
export interface ServiceRules {
  virtualServices: readonly StoredObject[]
  destinationRules: readonly StoredObject[]
}

export function describeService(
  view: ServiceView,
  selector: Record<string, string>,
  rules: ServiceRules,
  pods: readonly Pod[],
): string[] {
  const lines = facts([
    ['Name', view.name],
    ['Namespace', view.namespace],
    ['Host', view.host],
    ['Addresses', view.addresses.join(', ')],
    ['Selector', labelsText(selector)],
    [
      'Ports',
      view.ports.map((port) => `${port.name === '' ? '' : `${port.name} `}${port.port}/${port.protocol}`).join(', ') ||
        '<none>',
    ],
    ...(view.publish === undefined ? [] : [['Published', `http://127.0.0.1:${view.publish}`] as const]),
  ])
  lines.push('Endpoints:')
  const rows = view.endpoints.map((e) => [
    e.pod,
    String(e.servicePort),
    `${e.address}:${e.port}`,
    e.sidecar ? 'yes' : 'no',
  ])
  lines.push(
    rows.length === 0
      ? `  none: ${whyNoEndpoint(view, selector, pods)}`
      : renderTable(['POD', 'SERVICE PORT', 'ADDRESS', 'SIDECAR'], rows, { indent: '  ' }),
  )
  lines.push(...subsetLines(view, selector, rules.destinationRules, pods))
  lines.push(...ruleLines('VirtualServices', rules.virtualServices))
  lines.push(...ruleLines('DestinationRules', rules.destinationRules))
  return lines
}

function whyNoEndpoint(view: ServiceView, selector: Record<string, string>, pods: readonly Pod[]): string {
  const selected = selectedPods(view.namespace, selector, pods)
  if (selected.length === 0) return `no pod in namespace "${view.namespace}" has the labels ${labelsText(selector)}`
  return `${selected.length} selected, none is ready (${selected.map((pod) => pod.name).join(', ')})`
}

function subsetLines(
  view: ServiceView,
  selector: Record<string, string>,
  destinationRules: readonly StoredObject[],
  pods: readonly Pod[],
): string[] {
  const subsets = destinationRules.flatMap((rule) => list(loose(rule.spec)['subsets']).map(loose))
  if (subsets.length === 0) return []
  const rows = subsets.map((subset) => {
    const labels = loose(subset['labels']) as Record<string, string>
    const matching = selectedPods(view.namespace, { ...selector, ...labels }, pods)
    const names = matching.map((pod) => pod.name).join(', ')
    return [String(subset['name']), labelsText(labels), names === '' ? 'no pod has these labels' : names]
  })
  return ['Subsets:', renderTable(['NAME', 'LABELS', 'PODS'], rows, { indent: '  ' })]
}

/** Empty selectors select nothing here, as in Kubernetes. */
function selectedPods(namespace: string, selector: Record<string, string>, pods: readonly Pod[]): Pod[] {
  const terms = Object.entries(selector)
  if (terms.length === 0) return []
  return pods.filter((pod) => pod.namespace === namespace && terms.every(([name, value]) => pod.labels[name] === value))
}

function ruleLines(title: string, objects: readonly StoredObject[]): string[] {
  if (objects.length === 0) return [`${title}: <none>`]
  return [`${title}:`, ...objects.map((object) => `  ${nameOf(object)}${sourceText(object)}`)]
}

/** Whether `host` of an object in `namespace` means the service: short names are completed, `*` may lead. */
export function namesHost(host: unknown, namespace: string, serviceHost: string): boolean {
  if (typeof host !== 'string') return false
  if (host === '*') return true
  if (host.startsWith('*.')) return serviceHost.endsWith(host.slice(1))
  return (
    host === serviceHost ||
    `${host}.${namespace}.svc.cluster.local` === serviceHost ||
    serviceHost.startsWith(`${host}.svc.`)
  )
}

/** The objects whose hosts name the service. */
export function rulesFor(
  serviceHost: string,
  virtualServices: readonly StoredObject[],
  destinationRules: readonly StoredObject[],
): ServiceRules {
  return {
    virtualServices: virtualServices.filter((vs) => routesTo(vs, serviceHost)),
    destinationRules: destinationRules.filter((dr) =>
      namesHost(loose(dr.spec)['host'], dr.metadata.namespace, serviceHost),
    ),
  }
}

function routesTo(virtualService: StoredObject, serviceHost: string): boolean {
  return list(loose(virtualService.spec)['hosts']).some((host) =>
    namesHost(host, virtualService.metadata.namespace, serviceHost),
  )
}

export interface PodDetails {
  pod: Pod | undefined
  status: PodStatus | undefined
  certificate: CertificateStatus | undefined
  proxy: ProxyStatus | undefined
  services: readonly ServiceView[]
  nowEpochMs: number
}

export function describePod({ pod, status, certificate, proxy, services, nowEpochMs }: PodDetails): string[] {
  const name = pod?.name ?? status?.name ?? ''
  const lines = facts([
    ['Name', name],
    ['Namespace', pod?.namespace ?? status?.namespace ?? ''],
    ['Workload', pod?.workload ?? status?.workload ?? ''],
    ['Service account', pod?.serviceAccount ?? '<unknown>'],
    ['Address', [pod?.address ?? status?.address, pod?.address6].filter((one) => one !== undefined).join(', ')],
    ['Labels', labelsText(pod?.labels ?? {})],
    [
      'State',
      status === undefined
        ? '<not run by this supervisor>'
        : `${status.state}${status.ready ? ', ready' : ', not ready'}`,
    ],
    ...(status?.reason == null ? [] : [['Reason', status.reason] as const]),
    ['Services', services.length === 0 ? '<none selects it>' : services.map((service) => service.host).join(', ')],
  ])
  lines.push('Containers:')
  lines.push('  app', ...indent(appFacts(pod, status, nowEpochMs)))
  if (pod?.sidecar === true || status?.sidecar != null)
    lines.push('  istio-proxy', ...indent(proxyFacts(pod, status, proxy, certificate, nowEpochMs)))
  return lines
}

function appFacts(pod: Pod | undefined, status: PodStatus | undefined, nowEpochMs: number): string[] {
  const ports = pod?.ports ?? status?.ports ?? []
  const address = pod?.address ?? status?.address ?? ''
  return facts([
    ['PID', String(status?.pid ?? '-')],
    ['Started', ago(status?.startedAt, nowEpochMs)],
    ['Restarts', String(status?.restarts ?? 0)],
    ['Last exit', status?.exit ?? '-'],
    ['Ports', ports.map((port) => `${port.containerPort} at ${address}:${port.appPort}`).join(', ') || '<none>'],
    ['Log', status?.logFile ?? '-'],
  ])
}

function proxyFacts(
  pod: Pod | undefined,
  status: PodStatus | undefined,
  proxy: ProxyStatus | undefined,
  certificate: CertificateStatus | undefined,
  nowEpochMs: number,
): string[] {
  const sidecar = status?.sidecar
  const types = Object.entries(proxy?.types ?? {}).map(([type, { state }]) => `${type} ${state}`)
  return facts([
    ['PID', String(sidecar?.pid ?? '-')],
    ['State', sidecar?.state ?? '-'],
    ['Restarts', String(sidecar?.restarts ?? 0)],
    ['Inbound', pod === undefined ? '<none>' : inboundText(pod)],
    ['Outbound', pod === undefined ? '<none>' : outboundText(pod)],
    [
      'Configuration',
      proxy === undefined
        ? 'not connected'
        : `${types.join(', ')}; revision ${proxy.ackedRevision}, last ACK ${ago(proxy.lastAckAt, nowEpochMs)}`,
    ],
    ['Identity', certificate?.spiffeId ?? '-'],
    [
      'Certificate',
      certificate === undefined
        ? '-'
        : `${left(certificate.notAfter, nowEpochMs)}, serial ${certificate.serial.slice(0, 16)}, rotated ${certificate.issued - 1} times`,
    ],
    ['Log', status?.proxyLogFile ?? '-'],
  ])
}

/** Where a port's listener is: a socket of this machine's files, or a port of its own. */
function inboundText({ ports, address, transparent }: Pod): string {
  const texts = ports.map(({ containerPort, listenPort, pipe }) => {
    const at = pipe === undefined || transparent === undefined ? `${address}:${listenPort}` : `unix://${pipe}`
    return `${containerPort} at ${at}`
  })
  return texts.join(', ') || '<none>'
}

function outboundText({ outbound, transparent }: Pod): string {
  if (transparent !== undefined) return `every address but the pod's own, DNS at ${transparent.gateway}:53`
  if (outbound === undefined) return '<none>'
  return `capture :${outbound.capturePort}, HTTP proxy :${outbound.httpProxyPort}`
}

/** Any other kind: its main facts, then the spec as YAML. */
export function describeObject(object: StoredObject, specYaml: string, nowEpochMs: number): string[] {
  const { name, namespace, labels, annotations } = object.metadata
  return [
    ...facts([
      ['Name', name],
      ...(namespace === '' ? [] : [['Namespace', namespace] as const]),
      ['Kind', `${object.kind} (${object.apiVersion})`],
      ['Labels', labelsText(labels)],
      ['Annotations', labelsText(annotations)],
      ['Created', ago(object.createdAt, nowEpochMs)],
      ['Revision', String(object.revision)],
      ['Source', object.source === undefined ? '-' : `${object.source.file}:${object.source.line}`],
    ]),
    'Spec:',
    ...indent(specYaml.split('\n'), '  '),
  ]
}

function indent(lines: readonly string[], by = '    '): string[] {
  return lines.map((line) => by + line)
}

function nameOf(object: StoredObject): string {
  return `${object.metadata.name}.${object.metadata.namespace}`
}

function sourceText({ source }: StoredObject): string {
  return source === undefined ? '' : `  (${source.file}:${source.line})`
}

function labelsText(labels: Record<string, string>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}=${value}`)
  return pairs.length === 0 ? '<none>' : pairs.join(', ')
}

function loose(value: unknown): Loose {
  return typeof value === 'object' && value !== null ? (value as Loose) : {}
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : []
}

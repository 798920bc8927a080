/**
 * What a Deployment asks for, as the supervisor runs it. In: the stored object, the labels of its namespace, the table
 * of images beside its manifest. Out: a plan, plain data; its hash tells whether a running pod is still what is wanted.
 */
import { createHash } from 'node:crypto'
import { resolve } from 'node:path'
import type { MeshObject } from '../config/object.ts'
import { IMAGES_FILE } from '../lib/images-file.ts'
import { findImage, type ImageTable } from './images.ts'

const COMMAND = 'pocketmesh.dev/command'
const INJECT = 'sidecar.istio.io/inject'
/** Istio's annotation: a comma-separated list. */
const INCLUDE_PORTS = 'traffic.sidecar.istio.io/includeOutboundPorts'
/** The sidecar as `inject` writes it into a Deployment: its container, and the annotation that tells what was added. */
export const SIDECAR_CONTAINER = 'istio-proxy'
export const SIDECAR_IMAGE = 'pocketmesh/sidecar'
export const INJECTION_STATUS = 'sidecar.istio.io/status'
const DEFAULT_GRACE_SECONDS = 30

export interface DeploymentPlan {
  namespace: string
  workload: string
  replicas: number
  template: PodTemplate
  hash: string
}

interface PodTemplate {
  labels: Record<string, string>
  serviceAccount: string
  sidecar: boolean
  containers: ContainerPlan[]
  graceMs: number
  /** Publishes Services instead of running a program. */
  gateway: boolean
  /** Outbound TCP ports to capture beside those of Services (mode `ns`). */
  includePorts: number[]
}

export interface ContainerPlan {
  name: string
  /** A line for `/bin/sh -c`; `null`: it cannot run, for this reason. */
  command: string | null
  reason: string | null
  args: string[]
  cwd: string
  env: EnvVar[]
  ports: { name: string; containerPort: number }[]
  readiness?: Probe
  liveness?: Probe
}

export interface EnvVar {
  name: string
  value?: string
  valueFrom?: { fieldRef?: { fieldPath: string } }
}

export interface Probe {
  httpGet?: { path?: string; port: number | string; scheme?: string; httpHeaders?: { name: string; value: string }[] }
  tcpSocket?: { port: number | string }
  exec?: { command: string[] }
  initialDelaySeconds?: number
  periodSeconds?: number
  timeoutSeconds?: number
  successThreshold?: number
  failureThreshold?: number
}

/** The fields of a Deployment that are read here; the parser has checked their types. */
interface DeploymentFields {
  replicas?: number
  template: {
    metadata?: { labels?: Record<string, string>; annotations?: Record<string, string> }
    spec: {
      serviceAccountName?: string
      serviceAccount?: string
      terminationGracePeriodSeconds?: number
      containers: ContainerFields[]
    }
  }
}

interface ContainerFields {
  name: string
  image?: string
  args?: string[]
  env?: EnvVar[]
  workingDir?: string
  ports?: { name?: string; containerPort: number }[]
  readinessProbe?: Probe
  livenessProbe?: Probe
}

export interface PlanInput {
  /** Labels of the Deployment's namespace. */
  namespaceLabels: Record<string, string>
  images(dir: string): ImageTable
}

export function planDeployment(object: MeshObject, input: PlanInput): DeploymentPlan {
  const spec = object.spec as DeploymentFields
  const { metadata = {}, spec: pod } = spec.template
  const annotations = metadata.annotations ?? {}
  const containers = pod.containers.filter((container) => !isInjected(container))
  const injected = containers.length < pod.containers.length
  const labels = injected ? ownLabels(metadata.labels ?? {}, annotations) : (metadata.labels ?? {})
  const dir = object.source?.dir ?? process.cwd()
  const template: PodTemplate = {
    labels,
    serviceAccount: pod.serviceAccountName ?? pod.serviceAccount ?? 'default',
    sidecar: wantsSidecar(labels, annotations, input.namespaceLabels),
    containers: containers.map((container, i) => planContainer(container, i, annotations, dir, input)),
    graceMs: (pod.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS) * 1000,
    gateway: false,
    includePorts: portsOf(annotations[INCLUDE_PORTS] ?? ''),
  }
  return {
    namespace: object.metadata.namespace,
    workload: object.metadata.name,
    replicas: spec.replicas ?? 1,
    template,
    hash: hashOf(template),
  }
}

/** Istio's order: the pod's own label, then its annotation, then the namespace's. */
function wantsSidecar(
  labels: Record<string, string>,
  annotations: Record<string, string>,
  namespaceLabels: Record<string, string>,
): boolean {
  const own = labels[INJECT] ?? annotations[INJECT]
  if (own !== undefined) return own !== 'false'
  return namespaceLabels['istio-injection'] !== 'disabled'
}

/** Started by the supervisor in any case, and so no program of the pod. */
function isInjected({ name, image = '' }: ContainerFields): boolean {
  return name === SIDECAR_CONTAINER && image.split(/[:@]/, 1)[0] === SIDECAR_IMAGE
}

/** Those that stood there before the injection: a pod is the same with it and without. */
function ownLabels(labels: Record<string, string>, annotations: Record<string, string>): Record<string, string> {
  const added = addedLabels(annotations[INJECTION_STATUS] ?? '')
  return Object.fromEntries(Object.entries(labels).filter(([name]) => !added.includes(name)))
}

function addedLabels(status: string): unknown[] {
  try {
    const { labels } = (JSON.parse(status) ?? {}) as { labels?: unknown }
    return Array.isArray(labels) ? labels : []
  } catch {
    return []
  }
}

function portsOf(list: string): number[] {
  const ports = list.split(',').map((word) => Number(word.trim()))
  return [...new Set(ports)].filter((port) => Number.isInteger(port) && port > 0 && port < 65_536)
}

function planContainer(
  container: ContainerFields,
  index: number,
  annotations: Record<string, string>,
  dir: string,
  input: PlanInput,
): ContainerPlan {
  const { command, reason, workingDir } = commandOf(container, index, annotations, dir, input)
  return {
    name: container.name,
    command,
    reason,
    args: container.args ?? [],
    cwd: resolve(dir, container.workingDir ?? workingDir ?? '.'),
    env: container.env ?? [],
    ports: (container.ports ?? []).map((port) => ({ name: port.name ?? '', containerPort: port.containerPort })),
    ...(container.readinessProbe === undefined ? {} : { readiness: container.readinessProbe }),
    ...(container.livenessProbe === undefined ? {} : { liveness: container.livenessProbe }),
  }
}

function commandOf(
  container: ContainerFields,
  index: number,
  annotations: Record<string, string>,
  dir: string,
  input: PlanInput,
): { command: string | null; reason: string | null; workingDir?: string } {
  const annotated = annotations[`${COMMAND}.${container.name}`] ?? (index === 0 ? annotations[COMMAND] : undefined)
  if (annotated !== undefined) return { command: annotated, reason: null }
  const image = container.image ?? ''
  try {
    const found = findImage(input.images(dir), image)
    if (found !== undefined) return { ...found, reason: null }
  } catch (error) {
    return { command: null, reason: (error as Error).message }
  }
  const annotation = index === 0 ? COMMAND : `${COMMAND}.${container.name}`
  const reason = `no command for container "${container.name}": set the annotation ${annotation} on the pod template, or list image "${image}" under images: in ${resolve(dir, IMAGES_FILE)}`
  return { command: null, reason }
}

/** The sidecar that publishes Services on ports of this machine, in Istio's names. */
export function gatewayPlan(replicas: number): DeploymentPlan {
  const template: PodTemplate = {
    labels: { app: 'istio-ingressgateway', istio: 'ingressgateway' },
    serviceAccount: 'istio-ingressgateway-service-account',
    sidecar: true,
    containers: [],
    graceMs: 0,
    gateway: true,
    includePorts: [],
  }
  return {
    namespace: 'istio-system',
    workload: 'istio-ingressgateway',
    replicas,
    template,
    hash: hashOf(template),
  }
}

function hashOf(template: PodTemplate): string {
  return createHash('sha256').update(JSON.stringify(template)).digest('hex').slice(0, 10)
}

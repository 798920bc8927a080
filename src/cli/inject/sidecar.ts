/**
 * The sidecar as a part of a pod template, in Istio's names. In: a Deployment, its plan, the mesh's home, the way of
 * interception. Out: a container, labels and annotations, plain data. What the supervisor tells a sidecar in its
 * bootstrap file is shown as environment. Source: Istio's injection template and `rewriteAppHTTPProbers`.
 */
import type { InterceptMode } from '../../client/contract.ts'
import { VERSION } from '../../client/version.ts'
import type { MeshObject } from '../../config/object.ts'
import { podDir, type Home } from '../../lib/home.ts'
import { GATEWAY4 } from '../../supervisor/ns/addresses.ts'
import {
  INJECTION_STATUS,
  SIDECAR_CONTAINER,
  SIDECAR_IMAGE,
  type ContainerPlan,
  type DeploymentPlan,
  type EnvVar,
  type Probe,
} from '../../supervisor/plan.ts'
import { defaultProbe } from '../../supervisor/probe.ts'

const TRUST_DOMAIN = 'cluster.local'
const MAX_LABEL = 63
/** Names its value below the container's own variables. */
const POD_NAME = '$(POD_NAME)'

export interface InjectOptions {
  home: Home
  intercept: InterceptMode
}

export interface Injection {
  container: { name: string; image: string; args: string[]; env: EnvVar[] }
  labels: Record<string, string>
  annotations: Record<string, string>
}

export function injectionFor(object: MeshObject, plan: DeploymentPlan, options: InjectOptions): Injection {
  const labels = addedLabels(plan)
  const status = { version: VERSION, containers: [SIDECAR_CONTAINER], labels: Object.keys(labels) }
  return {
    container: {
      name: SIDECAR_CONTAINER,
      image: `${SIDECAR_IMAGE}:${VERSION}`,
      args: ['sidecar', '--bootstrap', `${podDir(options.home, object.metadata.namespace, POD_NAME)}/bootstrap.json`],
      env: environment(plan, options),
    },
    labels,
    annotations: {
      [INJECTION_STATUS]: JSON.stringify(status),
      'pocketmesh.dev/interception': INTERCEPTION[options.intercept],
    },
  }
}

/** What stands in place of Istio's container `istio-init`; the supervisor sees to it before the first program runs. */
const INTERCEPTION: Record<InterceptMode, string> = {
  ns: `ns: the pod has a network namespace of its own, with an address of its own, joined by a veth pair to that of the sidecar; its default route leads there, where every address is local, so that each connection and each DNS question (to ${GATEWAY4}) meets the sidecar; programs run without capabilities`,
  env: 'env: programs are given NODE_OPTIONS (--import of a hook that leads connections of Node through the sidecar), HTTP_PROXY and HTTPS_PROXY (the sidecar at 127.0.0.1), POCKETMESH_UPSTREAM_NAME (its port for each Service) and PORT (where to listen); the ports are chosen when the pod starts',
}

/** The template's own labels stay as they are. */
function addedLabels({ workload, template: { labels } }: DeploymentPlan): Record<string, string> {
  const wanted = {
    'security.istio.io/tlsMode': 'istio',
    'service.istio.io/canonical-name': labels['app.kubernetes.io/name'] ?? labels['app'] ?? asLabel(workload),
    'service.istio.io/canonical-revision': labels['app.kubernetes.io/version'] ?? labels['version'] ?? 'latest',
  }
  return Object.fromEntries(Object.entries(wanted).filter(([name]) => labels[name] === undefined))
}

/** Names of objects may be longer than labels. */
function asLabel(name: string): string {
  return name.slice(0, MAX_LABEL).replace(/[^A-Za-z0-9]+$/, '')
}

function environment(plan: DeploymentPlan, { home, intercept }: InjectOptions): EnvVar[] {
  const { namespace, workload, template } = plan
  const probers = intercept === 'ns' ? appProbers(template.containers) : {}
  const facts: Record<string, string> = {
    ISTIO_META_WORKLOAD_NAME: workload,
    TRUST_DOMAIN,
    SPIFFE_ID: `spiffe://${TRUST_DOMAIN}/ns/${namespace}/sa/${template.serviceAccount}`,
    XDS_ADDR: `unix:${home.xdsSocket}`,
    CA_ADDR: `unix:${home.caSocket}`,
    CA_ROOT_CA: home.rootCertFile,
    ...(intercept === 'ns' ? { DNS_PROXY_ADDR: `${GATEWAY4}:53` } : {}),
    ...(Object.keys(probers).length === 0 ? {} : { ISTIO_KUBE_APP_PROBERS: JSON.stringify(probers) }),
  }
  return [
    field('POD_NAME', 'metadata.name'),
    field('POD_NAMESPACE', 'metadata.namespace'),
    field('SERVICE_ACCOUNT', 'spec.serviceAccountName'),
    ...Object.entries(facts).map(([name, value]) => ({ name, value })),
  ]
}

function field(name: string, fieldPath: string): EnvVar {
  return { name, valueFrom: { fieldRef: { fieldPath } } }
}

/** Path at the sidecar -> what it then asks of the program. A probe that is a command needs no sidecar. */
function appProbers(containers: readonly ContainerPlan[]): Record<string, Probe> {
  const probes = containers.flatMap((container): [string, Probe | undefined][] => [
    [`/app-health/${container.name}/readyz`, asked(container, container.readiness ?? defaultProbe(container))],
    [`/app-health/${container.name}/livez`, asked(container, container.liveness)],
  ])
  return Object.fromEntries(probes.filter((entry): entry is [string, Probe] => entry[1] !== undefined))
}

function asked({ ports }: ContainerPlan, probe: Probe | undefined): Probe | undefined {
  const { httpGet, tcpSocket, timeoutSeconds = 1 } = probe ?? {}
  const number = (port: number | string): number | string =>
    ports.find(({ name }) => name === port)?.containerPort ?? port
  if (httpGet !== undefined) {
    const { path = '/', scheme = 'HTTP', port, httpHeaders } = httpGet
    const get = { path, port: number(port), scheme, ...(httpHeaders === undefined ? {} : { httpHeaders }) }
    return { httpGet: get, timeoutSeconds }
  }
  return tcpSocket === undefined ? undefined : { tcpSocket: { port: number(tcpSocket.port) }, timeoutSeconds }
}

/**
 * The file that a sidecar is started with. In: its text. Out: the checked bootstrap (xds/bootstrap.ts), and what
 * follows from it: this workload as telemetry names it, the node of ADS. Owns nothing.
 */
import { isIP } from 'node:net'
import type { SidecarBootstrap } from '../xds/bootstrap.ts'
import type { envoy, google } from '../xds/generated/xds.js'
import { parseNodeId } from '../xds/names.ts'
import type { Workload } from './workload.ts'

/** A bootstrap that cannot be used; the message says where and why. */
export class BootstrapError extends Error {
  readonly code = 'BAD_BOOTSTRAP'
}

type Check = (value: unknown) => string | undefined

const optional =
  (check: Check): Check =>
  (v) =>
    v === undefined ? undefined : check(v)

const text: Check = (v) => (typeof v === 'string' ? undefined : 'must be a string')
const filled: Check = (v) => (typeof v === 'string' && v !== '' ? undefined : 'must be a string that is not empty')
const flag: Check = (v) => (typeof v === 'boolean' ? undefined : 'must be true or false')
const object: Check = (v) =>
  typeof v === 'object' && v !== null && !Array.isArray(v) ? undefined : 'must be an object'
const duration: Check = (v) => (Number.isFinite(v) && Number(v) >= 0 ? undefined : 'must be a number of ms from 0 on')
const address: Check = (v) => (typeof v === 'string' && isIP(v) !== 0 ? undefined : 'must be an IP address')
const node: Check = (v) =>
  parseNodeId(String(v)) === undefined ? 'must be a node ID (sidecar~IP~POD.NS~NS.svc.DOMAIN)' : undefined

const CHECKS: Record<string, Check> = {
  node: object,
  'node.id': node,
  'node.cluster': text,
  'node.metadata': object,
  'node.metadata.NAMESPACE': filled,
  'node.metadata.NAME': filled,
  'node.metadata.WORKLOAD_NAME': filled,
  'node.metadata.SERVICE_ACCOUNT': filled,
  'node.metadata.LABELS': object,
  trustDomain: filled,
  spiffeId: filled,
  podDir: filled,
  xdsSocket: filled,
  caSocket: filled,
  adminSocket: filled,
  rootCertFile: filled,
  tokenFile: text,
  namesFile: text,
  accessLogFile: text,
  exitWithStdin: flag,
  drainMs: duration,
  dnsAddress: optional(address),
  dnsUpstream: optional(filled),
  dnsRelay: optional(filled),
  appProbes: optional(object),
}

/** Throws BootstrapError with all faults. */
export function parseBootstrap(json: string): SidecarBootstrap {
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch (error) {
    throw new BootstrapError(`not JSON: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  }
  const faults: string[] = []
  for (const [path, check] of Object.entries(CHECKS)) {
    const fault = check(
      path.split('.').reduce<unknown>((at, key) => (at as Record<string, unknown> | null)?.[key], value),
    )
    if (fault !== undefined) faults.push(`${path} ${fault}`)
  }
  if (faults.length > 0) throw new BootstrapError(faults.join('; '))
  return value as SidecarBootstrap
}

/** This workload, by Istio's rules for canonical names. */
export function workloadOf({ node: { metadata } }: SidecarBootstrap): Workload {
  const { LABELS: labels, WORKLOAD_NAME: workload, NAMESPACE: namespace } = metadata
  const app = labels['app.kubernetes.io/name'] ?? labels['app']
  const version = labels['app.kubernetes.io/version'] ?? labels['version']
  return Object.freeze({
    workload,
    namespace,
    app: labels['app'] ?? 'unknown',
    version: labels['version'] ?? 'unknown',
    canonicalService: labels['service.istio.io/canonical-name'] ?? app ?? workload,
    canonicalRevision: labels['service.istio.io/canonical-revision'] ?? version ?? 'latest',
    cluster: 'Kubernetes',
  })
}

/** The node as ADS wants it. */
export function xdsNode({ node: { id, cluster, metadata } }: SidecarBootstrap): envoy.config.core.v3.Node {
  return { id, cluster, userAgentName: 'pocketmesh', metadata: { fields: structFields({ ...metadata }) } }
}

function structFields(value: Record<string, unknown>): Record<string, google.protobuf.Value> {
  const fields: Record<string, google.protobuf.Value> = {}
  for (const [key, v] of Object.entries(value)) {
    if (typeof v === 'string') fields[key] = { stringValue: v }
    else if (typeof v === 'object' && v !== null) fields[key] = { structValue: { fields: structFields({ ...v }) } }
  }
  return fields
}

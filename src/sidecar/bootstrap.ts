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
const list: Check = (v) => (Array.isArray(v) ? undefined : 'must be a list')
const scheme: Check = (v) => (v === 'http' || v === 'https' ? undefined : 'must be http or https')
const port: Check = (v) =>
  Number.isInteger(v) && Number(v) > 0 && Number(v) < 65_536 ? undefined : 'must be a port from 1 to 65535'
const limit: Check = (v) => (Number.isFinite(v) && Number(v) > 0 ? undefined : 'must be a number of ms above 0')
const duration: Check = (v) => (Number.isFinite(v) && Number(v) >= 0 ? undefined : 'must be a number of ms from 0 on')
const address: Check = (v) => (typeof v === 'string' && isIP(v) !== 0 ? undefined : 'must be an IP address')
const node: Check = (v) =>
  parseNodeId(String(v)) === undefined ? 'must be a node ID (sidecar~IP~POD.NS~NS.svc.DOMAIN)' : undefined

type Checks = Record<string, Check>

const CHECKS: Checks = {
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

const PROBE_PATH = /^\/app-health\/[^/]+\/(readyz|livez|startupz)$/
const PROBE_CHECKS: Checks = { host: address, port, timeoutMs: limit, http: optional(object) }
const GET_CHECKS: Checks = { scheme, path: text, headers: list }
const HEADER_CHECKS: Checks = { name: filled, value: text }

/** Throws BootstrapError with all faults. */
export function parseBootstrap(json: string): SidecarBootstrap {
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch (error) {
    throw new BootstrapError(`not JSON: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  }
  const faults = [...faultsOf(value, CHECKS), ...probeFaults(at(value, 'appProbes'))]
  if (faults.length > 0) throw new BootstrapError(faults.join('; '))
  return value as SidecarBootstrap
}

/** The value at a path in dots. */
function at(value: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((v, key) => (v as Record<string, unknown> | null | undefined)?.[key], value)
}

function faultsOf(value: unknown, checks: Checks, prefix = ''): string[] {
  return Object.entries(checks).flatMap(([path, check]) => {
    const fault = check(at(value, path))
    return fault === undefined ? [] : [`${prefix}${path} ${fault}`]
  })
}

function probeFaults(probes: unknown): string[] {
  if (object(probes) !== undefined) return []
  return Object.entries(probes as Record<string, unknown>).flatMap(([path, probe]) => {
    const prefix = `appProbes[${path}]`
    const faults = faultsOf(probe, PROBE_CHECKS, `${prefix}.`)
    if (!PROBE_PATH.test(path)) faults.push(`${prefix} must be at /app-health/NAME/readyz, livez or startupz`)
    const get = at(probe, 'http')
    if (object(get) !== undefined) return faults
    faults.push(...faultsOf(get, GET_CHECKS, `${prefix}.http.`))
    const headers = at(get, 'headers')
    if (Array.isArray(headers))
      headers.forEach((one, i) => faults.push(...faultsOf(one, HEADER_CHECKS, `${prefix}.http.headers[${i}].`)))
    return faults
  })
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

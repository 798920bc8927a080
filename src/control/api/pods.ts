/**
 * Pods as the supervisor reports them. They lie in the store, so that a control plane that comes back hands out the
 * very same endpoints. A report that changes nothing makes no revision.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Pod, PodList, PodPort, WriteResponse } from '../../client/contract.ts'
import type { Json, Write } from '../store/store.ts'
import { asArray, asBoolean, asInteger, asName, asObject, asString, asStringMap, type JsonObject } from './body.ts'
import type { ApiContext } from './context.ts'
import { PODS, podKey } from './keys.ts'
import { matchesLabels, parseLabels } from './labels.ts'
import { ProblemError } from './problem.ts'
import type { ApiRequest, Route } from './router.ts'

export const podRoutes: readonly Route[] = [
  { method: 'GET', path: '/v1/pods', query: ['namespace', 'labels'], handle: listPods },
  { method: 'PUT', path: '/v1/pods', handle: replacePods },
  { method: 'PUT', path: '/v1/pods/:namespace/:name', handle: putPod },
  { method: 'DELETE', path: '/v1/pods/:namespace/:name', query: ['uid'], handle: deletePod },
]

function listPods({ query }: ApiRequest, { store }: ApiContext): PodList {
  const namespace = query.get('namespace')
  const labels = parseLabels(query.get('labels') ?? '')
  const items = store
    .list(PODS)
    .map((entry) => entry.value as unknown as Pod)
    .filter((pod) => namespace === undefined || pod.namespace === namespace)
    .filter((pod) => matchesLabels(labels, pod.labels))
  return { items }
}

async function replacePods(request: ApiRequest, context: ApiContext): Promise<WriteResponse> {
  const pods = asArray(asObject(request.body)['items'], 'items').map((pod, i) => parsePod(pod, `items[${i}]`))
  const wanted = new Map(pods.map((pod) => [podKey(pod.namespace, pod.name), pod]))
  const gone = context.store.list(PODS).filter((entry) => !wanted.has(entry.key))
  const writes: Write[] = gone.map((entry) => ({ key: entry.key, value: undefined }))
  for (const [key, pod] of wanted) writes.push(...changeOf(context, key, pod))
  return commit(context, writes)
}

async function putPod({ params, body }: ApiRequest, context: ApiContext): Promise<WriteResponse> {
  const pod = parsePod(body, '')
  if (pod.name !== params['name'] || pod.namespace !== params['namespace'])
    throw new ProblemError('bad_request', `the body is pod ${pod.namespace}/${pod.name}, the path names another`)
  return commit(context, changeOf(context, podKey(pod.namespace, pod.name), pod))
}

async function deletePod({ params, query }: ApiRequest, context: ApiContext): Promise<WriteResponse> {
  const key = podKey(params['namespace'] ?? '', params['name'] ?? '')
  const entry = context.store.get(key)
  if (entry === undefined) throw new ProblemError('not_found', `there is no pod ${key.slice(PODS.length)}`)
  const uid = query.get('uid')
  // the report is about an earlier start of the pod: nothing to do
  if (uid !== undefined && (entry.value as unknown as Pod).uid !== uid) return { revision: context.store.revision }
  return commit(context, [{ key, value: undefined, ifRevision: entry.modRevision }])
}

function changeOf({ store }: ApiContext, key: string, pod: Pod): Write[] {
  const value = pod as unknown as Json
  return isDeepStrictEqual(store.get(key)?.value, value) ? [] : [{ key, value }]
}

async function commit({ store }: ApiContext, writes: readonly Write[]): Promise<WriteResponse> {
  if (writes.length === 0) return { revision: store.revision }
  const result = await store.commit(writes)
  if (!result.ok) throw new ProblemError('conflict', `${result.key} was changed meanwhile`)
  return { revision: result.revision }
}

function parsePod(value: unknown, path: string): Pod {
  const at = (name: string): string => (path === '' ? name : `${path}.${name}`)
  const pod = asObject(value, path)
  return {
    name: asName(pod['name'], at('name')),
    namespace: asName(pod['namespace'], at('namespace')),
    uid: asString(pod['uid'], at('uid')),
    labels: asStringMap(pod['labels'], at('labels')),
    serviceAccount: asName(pod['serviceAccount'], at('serviceAccount')),
    workload: asName(pod['workload'], at('workload')),
    sidecar: asBoolean(pod['sidecar'], at('sidecar')),
    ready: asBoolean(pod['ready'], at('ready')),
    terminating: asBoolean(pod['terminating'], at('terminating')),
    address: asString(pod['address'], at('address')),
    ports: asArray(pod['ports'], at('ports')).map((port, i) => parsePort(asObject(port), `${at('ports')}[${i}]`)),
    ...optional(pod, 'address6', at, asString),
    ...optional(pod, 'outbound', at, (field, where) => parseOutbound(asObject(field), where)),
    ...optional(pod, 'transparent', at, (field, where) => parseTransparent(asObject(field), where)),
    ...optional(pod, 'egressPipe', at, asString),
  }
}

function parsePort(port: JsonObject, path: string): PodPort {
  const at = (name: string): string => `${path}.${name}`
  return {
    name: asString(port['name'], `${path}.name`),
    containerPort: asPort(port['containerPort'], `${path}.containerPort`),
    appPort: asPort(port['appPort'], `${path}.appPort`),
    listenPort: asPort(port['listenPort'], `${path}.listenPort`),
    ...optional(port, 'pipe', at, asString),
    ...optional(port, 'advertisedPort', at, asPort),
    ...optional(port, 'advertisedPipe', at, asString),
  }
}

/** A field that may be absent, and then stays so. */
function optional<K extends string, T>(
  from: JsonObject,
  key: K,
  at: (name: string) => string,
  parse: (value: unknown, path: string) => T,
): Partial<Record<K, T>> {
  return from[key] === undefined ? {} : ({ [key]: parse(from[key], at(key)) } as Partial<Record<K, T>>)
}

function parseTransparent(field: JsonObject, path: string): NonNullable<Pod['transparent']> {
  return {
    gateway: asString(field['gateway'], `${path}.gateway`),
    includePorts: asArray(field['includePorts'], `${path}.includePorts`).map((port, i) =>
      asPort(port, `${path}.includePorts[${i}]`),
    ),
    egressPipe: asString(field['egressPipe'], `${path}.egressPipe`),
  }
}

function parseOutbound(outbound: JsonObject, path: string): NonNullable<Pod['outbound']> {
  return {
    capturePort: asPort(outbound['capturePort'], `${path}.capturePort`),
    httpProxyPort: asPort(outbound['httpProxyPort'], `${path}.httpProxyPort`),
    upstreams: asArray(outbound['upstreams'], `${path}.upstreams`).map((entry, i) => {
      const where = `${path}.upstreams[${i}]`
      const upstream = asObject(entry, where)
      return {
        host: asName(upstream['host'], `${where}.host`),
        port: asPort(upstream['port'], `${where}.port`),
        listenPort: asPort(upstream['listenPort'], `${where}.listenPort`),
      }
    }),
  }
}

function asPort(value: unknown, path: string): number {
  return asInteger(value, path, 1, 65_535)
}

/** Istio's own tables, where $POCKETMESH_SHARED has them. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parseAllDocuments } from 'yaml'
import { portProtocol } from '../../../src/control/registry/protocol.ts'
import { MtlsModes } from '../../../src/control/translate/authn.ts'
import { portAccess } from '../../../src/control/translate/authz.ts'
import { hostIsSubsetOf, hostsMatch } from '../../../src/control/translate/hosts.ts'
import { DEFAULT_RETRY_POLICY, retryPolicy } from '../../../src/control/translate/retry.ts'
import type { ConfigObject } from '../../../src/control/translate/snapshot.ts'
import type { HttpRetry } from '../../../src/control/translate/spec.ts'

const folder = join(process.env['POCKETMESH_SHARED'] ?? '', 'corpus/istio-translate')
const skip =
  process.env['POCKETMESH_SHARED'] !== undefined && existsSync(folder)
    ? false
    : 'POCKETMESH_SHARED is not set: no corpus to try'

function rows<T>(file: string): (T & { id: string })[] {
  return readFileSync(join(folder, file), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as T & { id: string })
}

t.test('hosts match as in Istio', { skip }, (t) => {
  for (const { id, op, a, b, expected } of rows<{ op: string; a: string; b: string; expected: boolean }>(
    'host-matching.jsonl',
  )) {
    t.equal(op === 'matches' ? hostsMatch(a, b) : hostIsSubsetOf(a, b), expected, id)
  }
  t.end()
})

interface PeerRow {
  objects: { metadata: { name: string; namespace: string; creationTimestamp?: string }; spec: object }[]
  workload: { namespace: string; labels: Record<string, string> }
  expected: { mode: string; perPort?: Record<string, string> }
}

t.test('the mode of a workload is that of Istio', { skip }, (t) => {
  for (const { id, objects, workload, expected } of rows<PeerRow>('peer-authentication.jsonl')) {
    const made = objects.map(({ metadata, spec }, i): ConfigObject => {
      const age = metadata.creationTimestamp === undefined ? 0 : Date.parse(metadata.creationTimestamp)
      return {
        apiVersion: '',
        kind: 'PeerAuthentication',
        metadata: { ...metadata, labels: {}, annotations: {} },
        spec,
        createRevision: age + i / 100,
      }
    })
    const modes = new MtlsModes(
      made.sort((x, y) => x.createRevision - y.createRevision),
      [],
      'istio-system',
    )
    t.equal(modes.modeOf(workload, 8080), expected.mode, id)
    for (const [port, mode] of Object.entries(expected.perPort ?? {}))
      t.equal(modes.modeOf(workload, Number(port)), mode, `${id}: ${port}`)
  }
  t.end()
})

t.test('access rules are those of Istio', { skip }, (t) => {
  // ports are settled when a listener is built: the port that the case asks for
  const PORTS: Record<string, number> = { 'authz-tcp-allow-both-http-tcp': 80 }
  const SAID = [
    'authz-http-allow-empty-rule',
    'authz-http-deny-empty-rule',
    'authz-tcp-allow-only-http',
    'authz-tcp-allow-both-http-tcp',
  ]
  interface Rules {
    action?: string
    policies?: Record<string, { permissions: object[]; principals: object[] }>
  }
  const cases = rows<{ input: string; expected: string[]; layer: string }>('authz/cases.jsonl')
  for (const { id, input, expected, layer } of cases.filter((c) => SAID.includes(c.id))) {
    const read = (file: string): unknown[] =>
      parseAllDocuments(readFileSync(join(folder, file), 'utf8')).map((doc) => doc.toJS() as unknown)
    const objects = read(input).map((object) => {
      const { metadata, spec } = object as ConfigObject
      return { ...(object as ConfigObject), spec, metadata: { ...metadata, labels: {}, annotations: {} } }
    })
    const [access] = portAccess(objects, { number: PORTS[id] ?? 8080, http: layer === 'http' })
    const wanted = (read(expected[0] ?? '')[0] as { typedConfig: { rules: Rules } }).typedConfig.rules
    const rules = access?.rules
    t.equal(rules?.action === 1 ? 'DENY' : undefined, wanted.action, id)
    t.same(Object.keys(rules?.policies ?? {}), Object.keys(wanted.policies ?? {}), id)
    for (const [name, policy] of Object.entries(wanted.policies ?? {})) {
      t.same(rules?.policies?.[name]?.principals, policy.principals, `${id}: ${name}`)
      if (PORTS[id] === undefined) t.same(rules?.policies?.[name]?.permissions, policy.permissions, `${id}: ${name}`)
    }
  }
  t.end()
})

t.test('retries are those of Istio', { skip }, (t) => {
  interface Expected {
    default?: boolean
    retryOn?: string
    numRetries?: number
    perTryTimeout?: string | null
    retriableStatusCodes?: number[]
    hostSelectionRetryMaxAttempts?: number
    retryHostPredicate?: string[]
    retryBackOff?: { baseInterval: string }
  }
  for (const { id, input, expected_envoy: expected } of rows<{ input: HttpRetry | null; expected_envoy: Expected }>(
    'retries.jsonl',
  )) {
    const policy = retryPolicy(input ?? undefined, 0)
    if (expected.default === true) t.equal(policy, DEFAULT_RETRY_POLICY, id)
    if (expected.retryOn !== undefined) t.equal(policy?.retryOn, expected.retryOn, id)
    if (expected.numRetries !== undefined) t.equal(policy?.numRetries?.value, expected.numRetries, id)
    if (expected.perTryTimeout !== undefined)
      t.equal(policy?.perTryTimeout ? `${policy.perTryTimeout.seconds}s` : null, expected.perTryTimeout, id)
    if (expected.retriableStatusCodes !== undefined)
      t.same(policy?.retriableStatusCodes ?? [], expected.retriableStatusCodes, id)
    if (expected.hostSelectionRetryMaxAttempts !== undefined)
      t.equal(policy?.hostSelectionRetryMaxAttempts, expected.hostSelectionRetryMaxAttempts, id)
    if (expected.retryHostPredicate !== undefined)
      t.same(
        policy?.retryHostPredicate?.map((p) => p.name),
        expected.retryHostPredicate,
        id,
      )
    if (expected.retryBackOff !== undefined)
      t.equal(`${policy?.retryBackOff?.baseInterval?.seconds}s`, expected.retryBackOff.baseInterval, id)
  }
  t.end()
})

t.test('port names mean the protocols of Istio', { skip }, (t) => {
  const ours: Record<string, string> = {
    HTTP: 'http',
    HTTP2: 'http2',
    TCP: 'tcp',
    'grpc-web': 'http',
    '(sniff)': 'auto',
  }
  for (const row of rows<{
    port: number | null
    portName: string | null
    appProtocol: string | null
    expected: string
  }>('port-protocol.jsonl')) {
    const { id, port, portName, appProtocol, expected } = row
    t.equal(portProtocol(portName ?? '', appProtocol ?? undefined, port ?? 0), ours[expected] ?? expected, id)
  }
  t.end()
})

import { statSync } from 'node:fs'
import { request } from 'node:http'
import t from 'tap'
import { homeLayout } from '../../../src/lib/home.ts'
import { ControlClient } from '../../../src/client/control.ts'
import { UnreachableError } from '../../../src/client/errors.ts'
import type { WatchEvent } from '../../../src/client/contract.ts'
import { StoreUnavailableError } from '../../../src/control/store/store.ts'
import { pod, ROUTE, SERVICE, source, startHarness } from './api-harness.ts'

/** tap's types know no further fields of an error; its matching does. */
const problem = (status: number): Error => ({ status }) as unknown as Error

const h = await startHarness()
t.teardown(() => h.close())

interface Answer {
  status: number
  headers: Record<string, unknown>
  body: { code?: string; detail?: string; status?: number }
}

function raw(method: string, path: string, body?: string, headers: Record<string, string> = {}): Promise<Answer> {
  return new Promise((done, fail) => {
    const req = request({ socketPath: h.home.controlSocket, method, path, headers }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
      response.on('end', () =>
        done({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: text === '' ? {} : JSON.parse(text),
        }),
      )
    })
    req.on('error', fail)
    req.end(body)
  })
}

const JSON_TYPE = { 'content-type': 'application/json' }

t.test('every wrong request gets the status that says what is wrong, as a problem', async (t) => {
  const apply = (body: unknown): [string, string, string, Record<string, string>] => [
    'POST',
    '/v1/apply',
    JSON.stringify(body),
    JSON_TYPE,
  ]
  const rows: [what: string, request: Parameters<typeof raw>, status: number, detail: RegExp][] = [
    ['unknown path', ['GET', '/v1/nothing'], 404, /nothing at \/v1\/nothing/],
    ['other version', ['GET', '/v2/info'], 404, /nothing/],
    ['unknown object', ['GET', '/v1/objects/Service/default/x'], 404, /no Service "x"/],
    ['method', ['PATCH', '/v1/apply'], 405, /allowed: POST/],
    ['method of an object', ['POST', '/v1/objects/Service/default/x', '{}', JSON_TYPE], 405, /allowed: GET, DELETE/],
    [
      'unknown query',
      ['GET', '/v1/objects/Service?namspace=a'],
      400,
      /unknown query parameter "namspace"; known: namespace, labels/,
    ],
    ['query twice', ['GET', '/v1/watch?from=1&from=2'], 400, /given twice/],
    ['query number', ['GET', '/v1/delivery?revision=x'], 400, /whole number/],
    ['future revision', ['GET', '/v1/delivery?revision=99999'], 400, /does not exist yet/],
    ['broken escape', ['GET', '/v1/objects/%zz'], 400, /percent-encoding/],
    [
      'not JSON by type',
      ['POST', '/v1/apply', 'a: b', { 'content-type': 'application/yaml' }],
      415,
      /application\/json/,
    ],
    ['no type', ['POST', '/v1/apply', '{}'], 415, /untyped/],
    ['not JSON', ['POST', '/v1/apply', '{', JSON_TYPE], 400, /not JSON/],
    ['empty body', ['POST', '/v1/apply', '', JSON_TYPE], 400, /not JSON/],
    ['no list', apply({ namespace: 'default' }), 400, /sources must be a list/],
    ['namespace', apply({ sources: [], namespace: 'A b' }), 400, /namespace must be a name/],
    ['dryRun', apply({ sources: [], namespace: 'a', dryRun: 1 }), 400, /dryRun must be true or false/],
    ['pod of another name', ['PUT', '/v1/pods/default/b', JSON.stringify(pod('a')), JSON_TYPE], 400, /names another/],
    [
      'pod port',
      [
        'PUT',
        '/v1/pods/default/a',
        JSON.stringify({ ...pod('a'), ports: [{ name: '', containerPort: 0 }] }),
        JSON_TYPE,
      ],
      400,
      /containerPort/,
    ],
    [
      'token',
      ['POST', '/v1/tokens', '{"pod":"../x","namespace":"a","serviceAccount":"b"}', JSON_TYPE],
      400,
      /pod must be a name/,
    ],
    [
      'lists deeper than the stack',
      ['POST', '/v1/apply', '['.repeat(100_000) + ']'.repeat(100_000), JSON_TYPE],
      400,
      /must be an object, not a list/,
    ],
    [
      'token of the control plane itself',
      ['POST', '/v1/tokens', '{"pod":"x","namespace":"istio-system","serviceAccount":"istiod"}', JSON_TYPE],
      400,
      /own identity/,
    ],
    ['invalid document', apply({ sources: [source('kind: Nope')], namespace: 'a' }), 422, /nothing was applied/],
  ]
  for (const [what, args, status, detail] of rows) {
    const answer = await raw(...args)
    t.equal(answer.status, status, `${what}: status`)
    t.match(answer.body.detail, detail, `${what}: detail`)
    t.equal(answer.body.status, status, `${what}: status in the body`)
    t.match(answer.headers['content-type'], /application\/problem\+json/)
  }
  t.equal((await raw('DELETE', '/v1/info')).headers['allow'], 'GET')
})

t.test('a body over 4 MiB is refused, with and without its length announced', async (t) => {
  const body = JSON.stringify({ text: 'x'.repeat(4 * 1024 * 1024) })
  t.equal((await raw('POST', '/v1/apply', body, JSON_TYPE)).status, 413)
  t.equal((await raw('POST', '/v1/apply', body, { ...JSON_TYPE, 'transfer-encoding': 'chunked' })).status, 413)
  t.equal((await raw('GET', '/v1/info')).status, 200, 'the server is well after it')
})

t.test(
  'a body far over the limit is read to its end, so that the client sees why and not a broken connection',
  async (t) => {
    const text = 'x'.repeat(24 * 1024 * 1024)
    await t.rejects(h.client.apply({ sources: [source(text)], namespace: 'default' }), problem(413))
  },
)

t.test('a store that cannot write is told as unavailable, and reads go on', async (t) => {
  const commit = h.store.commit.bind(h.store)
  h.store.commit = () => Promise.reject(new StoreUnavailableError('the store cannot write to its disk'))
  const service = { sources: [source(SERVICE)], namespace: 'full-disk' }
  await t.rejects(h.client.apply(service), problem(503))
  t.equal((await raw('GET', '/v1/objects/Service')).status, 200)
  h.store.commit = commit
  await h.client.apply(service)
})

t.test('the socket is this user’s only', (t) => {
  t.equal(statSync(h.home.controlSocket).mode & 0o777, 0o600)
  t.end()
})

t.test('pods are put, replaced as a set and removed, without a revision for nothing', async (t) => {
  const first = await h.client.putPod(pod('a'))
  t.equal((await h.client.putPod(pod('a'))).revision, first.revision)
  await h.client.putPods({ items: [pod('b', { uid: 'u2' }), pod('c', { sidecar: false })] })
  t.same(
    (await h.client.pods()).items.map((p) => p.name),
    ['b', 'c'],
  )
  const before = h.store.revision
  t.equal((await h.client.deletePod('default', 'b', 'u1')).revision, before, 'a late report about an earlier start')
  t.equal((await h.client.deletePod('default', 'b', 'u2')).revision, before + 1)
  await t.rejects(h.client.deletePod('default', 'b'), problem(404))
})

t.test('pods of mode ns are kept with all that they say, and each wrong field is named', async (t) => {
  const ports = [
    {
      name: '',
      containerPort: 9000,
      appPort: 9000,
      listenPort: 9000,
      pipe: '/p/9000.sock',
      advertisedPipe: '/r/1.sock',
    },
  ]
  const transparent = { gateway: '169.254.1.1', includePorts: [25, 7777], egressPipe: '/p/egress.sock' }
  const { outbound: _, ...plain } = pod('ns-0', {
    address: '10.244.0.2',
    address6: 'fd00:10:244::2',
    ports,
    transparent,
  })
  const gateway = pod('gateway-0', { egressPipe: '/p/egress.sock' })
  for (const one of [plain, { ...plain, name: 'ns-1', sidecar: false }, gateway]) {
    await h.client.putPod(one)
    t.same(h.store.get(`pods/default/${one.name}`)?.value, one, one.name)
  }
  const rows: [change: object, detail: RegExp][] = [
    [{ address6: 6 }, /^address6 must be text/],
    [{ egressPipe: true }, /^egressPipe must be text/],
    [{ transparent: [] }, /must be an object/],
    [{ transparent: { ...transparent, gateway: undefined } }, /^transparent.gateway/],
    [{ transparent: { ...transparent, includePorts: [70_000] } }, /^transparent.includePorts\[0\]/],
    [{ transparent: { ...transparent, egressPipe: 1 } }, /^transparent.egressPipe/],
    [{ ports: [{ ...ports[0], pipe: {} }] }, /^ports\[0\].pipe/],
    [{ ports: [{ ...ports[0], advertisedPipe: 1 }] }, /^ports\[0\].advertisedPipe/],
  ]
  for (const [change, detail] of rows) {
    const answer = await raw('PUT', '/v1/pods/default/ns-0', JSON.stringify({ ...plain, ...change }), JSON_TYPE)
    t.equal(answer.status, 400, JSON.stringify(change))
    t.match(answer.body.detail, detail)
  }
})

t.test('tokens, delivery, proxies, certificates and info are handed through', async (t) => {
  t.same(await h.client.token({ pod: 'a', namespace: 'default', serviceAccount: 'default' }), { token: 'token-1' })
  t.equal(h.tokens[0]?.pod, 'a')
  t.equal((await h.client.delivery(h.store.revision, 10)).ms?.max, 4.2)
  t.same((await h.client.proxies()).items, [])
  t.equal((await h.client.certificates()).root.serial, '01')
  t.equal((await h.client.info()).pid, process.pid)
})

t.test('a question about access is answered from the store', async (t) => {
  const harness = await startHarness()
  const { client } = harness
  t.teardown(() => harness.close())
  await client.apply({
    namespace: 'default',
    sources: [
      source(`${SERVICE}---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: p}
spec: {rules: [{to: [{operation: {paths: [/open]}}]}]}
`),
    ],
  })
  await client.putPod(pod('checkout-v1-0'))
  const ask = { from: 'checkout-v1', to: 'checkout-service' }
  t.match(await client.authzCheck({ ...ask, path: '/x/../%6fpen' }), { items: [{ allowed: true }] })
  t.match(await client.authzCheck({ ...ask, path: '/open/' }), { items: [{ allowed: false }] })
  await t.rejects(client.authzCheck({ ...ask, to: 'nobody' }), { code: 'not_found' })
  await t.rejects(client.authzCheck({ ...ask, path: 'open' }), { code: 'bad_request' })
  await t.rejects(client.authzCheck({ ...ask, port: 7 }), { code: 'not_found' })
})

t.test('a watch goes on over a restart of the server, from the last revision, and misses nothing', async (t) => {
  const seen: WatchEvent[] = []
  const ended = new AbortController()
  let connections = 0
  let connected: () => void
  const next = (): Promise<void> => new Promise((done) => (connected = done))
  let waiting = next()
  const reading = (async () => {
    const onConnect = (): void => {
      connections++
      connected()
    }
    for await (const event of h.client.watch({ signal: ended.signal, onConnect })) {
      seen.push(event)
      if (event.key.endsWith('/last')) ended.abort()
    }
  })()
  await waiting
  await h.client.apply({ sources: [source(SERVICE), source(ROUTE(10))], namespace: 'w' })
  waiting = next()
  await h.stopServer()
  await h.store.commit([
    { key: 'objects/Service/w/while-away', value: {} },
    { key: 'addresses/w/x', value: 1 },
  ])
  await h.restart()
  await waiting
  await h.store.commit([{ key: 'objects/Service/w/while-away', value: undefined }])
  await h.store.commit([{ key: 'pods/w/last', value: {} }])
  await reading
  t.ok(connections >= 2)
  const unique = [...new Set(seen.map((e) => `${e.type} ${e.collection} ${e.key}`))]
  t.same(unique, [
    'put objects Service/w/checkout-service',
    'put objects VirtualService/w/checkout-route',
    'put objects Service/w/while-away',
    'delete objects Service/w/while-away',
    'put pods w/last',
  ])
})

t.test('a watch from before the kept history says so', async (t) => {
  const short = await startHarness(2)
  t.teardown(() => short.close())
  for (let i = 0; i < 5; i++) await short.store.commit([{ key: 'objects/a', value: i }])
  await t.rejects(short.client.watch({ from: 1 }).next(), { code: 'compacted', status: 410 })
})

t.test('without a control plane the error names the home and what to do, with exit code 69', async (t) => {
  const nobody = new ControlClient(homeLayout('/tmp/pm-no-such-home'))
  const error = await nobody.info().catch((e: unknown) => e)
  await nobody.close()
  t.ok(error instanceof UnreachableError)
  t.match(error, { exitCode: 69, message: /pm-no-such-home.*pocketmesh up.*--home/ })
})

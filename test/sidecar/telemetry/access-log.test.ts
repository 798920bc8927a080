import t from 'tap'
import { execFileSync } from 'node:child_process'
import { closeSync, constants, openSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Exchange } from '../../../src/sidecar/exchange.ts'
import { AccessLog } from '../../../src/sidecar/telemetry/access-log.ts'
import { compileJsonFormat, compileTextFormat, type PutLine } from '../../../src/sidecar/telemetry/log-format.ts'

const START = Date.UTC(2026, 0, 31, 12, 0, 0, 7)

/** The lines written for these exchanges. */
async function lines(file: string, exchanges: Partial<Exchange>[], putLine?: PutLine): Promise<string[]> {
  const log = new AccessLog(file, putLine)
  for (const fields of exchanges) log.write(Object.assign(new Exchange(), { startEpochMs: START }, fields))
  await log.close()
  const text = readFileSync(file, 'latin1')
  t.ok(text.endsWith('\n'))
  return text.slice(0, -1).split('\n')
}

const REQUEST: Partial<Exchange> = {
  method: 'GET',
  path: '/version?x=1',
  httpVersion: 'HTTP/1.1',
  responseCode: 200,
  responseCodeDetails: 'via_upstream',
  bytesReceived: 0,
  bytesSent: 1024,
  durationMs: 12.9,
  upstreamServiceMs: 11.2,
  forwardedFor: '10.0.0.1',
  userAgent: 'curl/8.5.0',
  requestId: '5b1b2a0e-0000-4000-9000-000000000000',
  authority: 'checkout-service:8080',
  upstreamHost: '127.0.0.1:21001',
  clusterName: 'outbound|8080|v1|checkout-service.default.svc.cluster.local',
  upstreamLocalAddress: '127.0.0.1:40000',
  downstreamLocalAddress: '240.240.0.5:8080',
  downstreamRemoteAddress: '127.0.0.1:40001',
  routeName: 'default',
}

const golden: [string, Partial<Exchange>, string][] = [
  [
    'a request has all its fields in the order of the Istio format',
    REQUEST,
    '[2026-01-31T12:00:00.007Z] "GET /version?x=1 HTTP/1.1" 200 - via_upstream - "-" 0 1024 12 11 "10.0.0.1" "curl/8.5.0" "5b1b2a0e-0000-4000-9000-000000000000" "checkout-service:8080" "127.0.0.1:21001" outbound|8080|v1|checkout-service.default.svc.cluster.local 127.0.0.1:40000 240.240.0.5:8080 127.0.0.1:40001 - default',
  ],
  [
    'a TCP connection has dashes where a request has its head',
    {
      protocol: 'tcp',
      bytesReceived: 3,
      bytesSent: 70_000,
      durationMs: 1000,
      requestedServerName: 'outbound_.5432_._.db',
    },
    '[2026-01-31T12:00:00.007Z] "- - -" 0 - - - "-" 3 70000 1000 - "-" "-" "-" "-" "-" - - - - outbound_.5432_._.db -',
  ],
  [
    'a rewritten path is logged as it came, with flags and the transport failure',
    {
      ...REQUEST,
      path: '/new',
      originalPath: '/old',
      responseCode: 503,
      responseFlags: 'UF,URX',
      responseCodeDetails: 'upstream_reset_before_response_started{connection timeout}',
      upstreamTransportFailure: 'delayed connect error: ECONNREFUSED',
      upstreamServiceMs: -1,
    },
    '[2026-01-31T12:00:00.007Z] "GET /old HTTP/1.1" 503 UF,URX upstream_reset_before_response_started{connection\\x20timeout} - "delayed connect error: ECONNREFUSED" 0 1024 12 - "10.0.0.1" "curl/8.5.0" "5b1b2a0e-0000-4000-9000-000000000000" "checkout-service:8080" "127.0.0.1:21001" outbound|8080|v1|checkout-service.default.svc.cluster.local 127.0.0.1:40000 240.240.0.5:8080 127.0.0.1:40001 - default',
  ],
  [
    'no header can end its field or its line',
    { ...REQUEST, userAgent: 'x"\n[2026] "GET / \\', requestId: '\t\x7f\x85é', routeName: 'a b' },
    '[2026-01-31T12:00:00.007Z] "GET /version?x=1 HTTP/1.1" 200 - via_upstream - "-" 0 1024 12 11 "10.0.0.1" "x\\x22\\x0A[2026] \\x22GET / \\x5C" "\\x09\\x7F\\x85\\xE9" "checkout-service:8080" "127.0.0.1:21001" outbound|8080|v1|checkout-service.default.svc.cluster.local 127.0.0.1:40000 240.240.0.5:8080 127.0.0.1:40001 - a\\x20b',
  ],
]

for (const [sentence, fields, expected] of golden) {
  t.test(sentence, async (t) => {
    t.same(await lines(join(t.testdir(), 'access.log'), [fields]), [expected])
  })
}

t.test('long values are cut, so that a line has a greatest length', async (t) => {
  const long = '"'.repeat(100_000)
  const fields = { ...REQUEST, path: long, userAgent: long, authority: long, requestId: long, forwardedFor: long }
  const [line = ''] = await lines(join(t.testdir(), 'access.log'), [fields])
  t.ok(line.length < 5 * 2048 + 600, `${line.length} bytes`)
})

t.test('times of one second and of the next are both right', async (t) => {
  const times = [START, START + 990, START + 993, START + 60_000.6]
  const got = await lines(
    join(t.testdir(), 'access.log'),
    times.map((startEpochMs) => ({ startEpochMs })),
  )
  t.same(
    got.map((line) => line.slice(12, 25)),
    ['12:00:00.007Z', '12:00:00.997Z', '12:00:01.000Z', '12:01:00.007Z'],
  )
})

t.test('more than one buffer of lines arrives whole, in a file of its own mode', async (t) => {
  const file = join(t.testdir(), 'made', 'access.log')
  const got = await lines(
    file,
    Array.from({ length: 2000 }, (_, i) => ({ ...REQUEST, bytesSent: i })),
  )
  t.same(
    got.map((line) => Number(line.split(' ')[10])),
    Array.from({ length: 2000 }, (_, i) => i),
  )
  t.equal(statSync(file).mode & 0o777, 0o600)
})

t.test('a sink that does not keep up costs lines, which are counted, and no time', async (t) => {
  const fifo = join(t.testdir(), 'fifo')
  execFileSync('/bin/sh', ['-c', 'mkfifo "$0"', fifo])
  const reader = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK)
  const log = new AccessLog(fifo)
  const x = Object.assign(new Exchange(), { startEpochMs: START }, REQUEST)
  for (let i = 0; i < 20_000; i++) log.write(x)
  log.flush()
  t.ok(log.dropped > 10_000 && log.dropped < 20_000, `${log.dropped} dropped`)
  await log.close()
  closeSync(reader)
})

t.test('a file that cannot be opened costs lines only', async (t) => {
  const log = new AccessLog(join(t.testdir({ file: '' }), 'file', 'access.log'))
  await new Promise((resolve) => setImmediate(resolve))
  log.write(new Exchange())
  log.flush()
  await log.close()
  log.write(new Exchange())
  t.ok(log.dropped >= 1)
})

t.test('a format of its own: text', async (t) => {
  const line = async (format: string, fields: Partial<Exchange> = REQUEST): Promise<string> => {
    const [first = ''] = await lines(join(t.testdir(), 'a.log'), [fields], compileTextFormat(`${format}\n`))
    return first
  }
  t.equal(
    await line('[%START_TIME%] %REQ(:METHOD)% %REQ(x-envoy-original-path?:path)% %RESPONSE_CODE% 100 %% ü'),
    `[2026-01-31T12:00:00.007Z] GET /version?x=1 200 100 % ${Buffer.from('ü').toString('latin1')}`,
  )
  t.equal(await line('%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %REQ(USER-AGENT):4%'), '127.0.0.1 curl')
  t.equal(await line('%ROUTE_NAME%|%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%', {}), '-|-', 'what is not there')
  t.equal(await line('"%REQ(USER-AGENT)%"', { userAgent: 'a"\n' }), '"a\\x22\\x0A"', 'no value ends a line')
})

t.test('a format of its own: JSON, with types', async (t) => {
  const format = compileJsonFormat({
    fields: {
      at: { stringValue: '%START_TIME%' },
      code: { stringValue: '%RESPONSE_CODE%' },
      route: { stringValue: '%ROUTE_NAME%' },
      to: { stringValue: '%REQ(:METHOD)% → "%REQ(:PATH)%"' },
      'ü"': {
        structValue: { fields: { fixed: { boolValue: true }, n: { numberValue: 1.5 }, none: { nullValue: 0 } } },
      },
      took: { stringValue: '%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%' },
      agent: { stringValue: '%REQ(USER-AGENT)%' },
    },
  })
  const fields = { ...REQUEST, routeName: '', upstreamServiceMs: -1, userAgent: 'a"\\\n\xe9' }
  const [first = '', ...more] = await lines(join(t.testdir(), 'a.log'), [fields], format)
  t.same(more, [])
  t.same(JSON.parse(first), {
    at: '2026-01-31T12:00:00.007Z',
    code: 200,
    route: null,
    to: 'GET → "/version?x=1"',
    'ü"': { fixed: true, n: 1.5, none: null },
    took: null,
    agent: fields.userAgent,
  })
})

t.test('lines of JSON arrive whole, however much of them has to be escaped', async (t) => {
  const names = ['method', 'path', 'authority', 'forwardedFor', 'userAgent', 'requestId'] as const
  const fields = Object.fromEntries(names.map((name) => [name, '\xff'.repeat(4000)]))
  const operators = ['REQ(:METHOD)', 'REQ(:PATH)', 'REQ(:AUTHORITY)', 'REQ(X-FORWARDED-FOR)', 'REQ(USER-AGENT)']
  const all = [...operators, ...operators, 'REQ(X-REQUEST-ID)'].map((name, i) => [i, { stringValue: `%${name}%` }])
  const format = compileJsonFormat({ fields: Object.fromEntries(all) })
  const found = await lines(join(t.testdir(), 'a.log'), [fields, fields, fields], format)
  for (const line of found) t.match(Object.keys(JSON.parse(line)), { length: all.length })
  t.equal(found.length, 3)
})

t.test('a format that cannot be filled in is refused', (t) => {
  for (const [format, why] of [
    ['%REQ(X-OTHER)%', /^%REQ\(X-OTHER\)% is not supported; there are START_TIME, REQ\(:METHOD\)/],
    ['%START_TIME(%s)%', /a "%" by itself is written "%%"/],
    ['50 %', /"50 %": a "%" by itself/],
    ['%DURATION%'.repeat(21), /more than 20 operators/],
    ['x'.repeat(5000), /more than 4096 bytes/],
  ] as const)
    t.throws(() => compileTextFormat(format), { message: why })
  t.throws(() => compileJsonFormat({ fields: { a: { listValue: { values: [] } } } }), /lists are not supported/)
  t.end()
})

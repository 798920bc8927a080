import t from 'tap'
import type { Picture } from '../../src/demo/picture.ts'
import { commandLines } from '../../src/demo/command-lines.ts'
import { oneLine, screen, type ViewOptions } from '../../src/demo/view.ts'

const picture: Picture = {
  ps: {
    mesh: {
      home: '/h',
      intercept: 'env',
      supervisorPid: 1,
      startedAt: '',
      control: { pid: 4711, state: 'running', restarts: 0 },
    },
    published: [{ service: 'frontend-service', namespace: 'default', url: 'http://127.0.0.1:18080/' }],
    pods: [],
  },
  split: [
    { version: 'v1', asked: 0.9, count: 899, band: { low: 868, high: 930 }, inBand: true },
    { version: 'v2', asked: 0.1, count: 101, band: { low: 70, high: 132 }, inBand: true },
  ],
  edges: [
    {
      source: 'frontend',
      destination: 'checkout-v1',
      requestsPerSecond: 18,
      errorShare: 0,
      p50Ms: 3.21,
      p99Ms: 12.6,
      mtlsShare: 1,
    },
    {
      source: '(outside)',
      destination: 'checkout-v1',
      requestsPerSecond: 1,
      errorShare: 0,
      p50Ms: undefined,
      p99Ms: undefined,
      mtlsShare: 0,
    },
  ],
  certificates: [
    {
      spiffeId: 's',
      pod: 'checkout-v1-0',
      namespace: 'default',
      serial: '1',
      notBefore: '',
      notAfter: '2026-01-01T00:01:10Z',
      issued: 5,
      rotations: 2,
    },
  ],
  lastChange: 'VirtualService/checkout-route: acked by 9/9 proxies in 4.2 ms',
  outsider: '',
  upMs: 72_000,
}
const options = {
  paint: (_: string, text: string) => text,
  nowEpochMs: Date.UTC(2026, 0, 1),
  tryNext: [['half', ['apply', '-f', 'half.yaml']]] as const,
}

t.test('the screen shows the split, the edges with their lock, and the certificates', async (t) => {
  const lines = screen(picture, options)
  const has = (...parts: string[]): void => {
    const found = lines.some((line) => parts.every((part) => line.includes(part)))
    t.ok(found, parts.join(' + '))
  }
  has('up 1m12s')
  has('running (PID 4711)')
  has('http://127.0.0.1:18080/')
  has('1,000 requests')
  has('v1', '90 %', '89.9 %', '899', '868..930', 'inside')
  has('frontend', 'checkout-v1', '18.0', '0 %', '3.2 ms', '13 ms', 'mTLS 100 %')
  has('(outside)', 'plaintext')
  has('checkout-v1-0', '1m10s', '2×')
  has('CHANGED', 'acked by 9/9 proxies in 4.2 ms')
  has('    apply -f half.yaml')
})

t.test('each terminal shows all of the shop, in lines that fit', async (t) => {
  const program = ['node', 'dist/pocketmesh.js', '--home', '.pocketmesh/demo']
  const route = (name: string): string[] => [...program, 'apply', '-f', `examples/shop/routes/${name}.yaml`]
  const tryNext: ViewOptions['tryNext'] = [
    ['half', route('canary-50-50')],
    ['strict', route('mesh-strict')],
    ['kill', [...program, 'kill', 'control', '--for', '10s']],
  ]
  const edges = Array.from({ length: 13 }, (_, i) => ({ ...picture.edges[0]!, destination: `service-${i}` }))
  const certificates = Array.from({ length: 9 }, (_, i) => ({ ...picture.certificates[0]!, pod: `checkout-v1-${i}` }))
  const shop = { ...picture, edges, certificates, outsider: '2026-01-01T00:00:00.000Z refused ECONNRESET' }
  const rows: [columns: number, rows: number, eachCertificate: boolean, explained: boolean][] = [
    [80, 24, false, false],
    [100, 30, false, false],
    [80, 36, true, false],
    [120, 40, true, true],
    [80, 50, true, true],
  ]
  for (const [columns, height, eachCertificate, explained] of rows) {
    const lines = screen(shop, { ...options, tryNext, rows: height, columns })
    const text = lines.join('\n')
    const size = `${columns}x${height}`
    t.ok(lines.length <= height, `${size} has ${lines.length} lines`)
    // a lock takes two cells, as it does UTF-16 units
    t.same(
      lines.filter((line) => line.length > columns),
      [],
      size,
    )
    for (const { destination } of edges) t.match(text, destination, size)
    for (const part of ['899', '89.9 %', 'running', '127.0.0.1:18080', '1m10s', '4.2 ms', 'legacy-cron', 'ECONNRESET'])
      t.ok(text.includes(part), `${size}: ${part}`)
    t.equal(text.includes('checkout-v1-8'), eachCertificate, size)
    t.equal(text.includes('  strict\n'), explained, size)
    const pasted = text.replaceAll(/ \\\n +/g, ' ')
    for (const [, words] of tryNext) t.ok(pasted.includes(words.join(' ')), `${size}: ${words.join(' ')}`)
  }
  const [, , , ...short] = screen(shop, { ...options, tryNext, rows: 16, columns: 80 })
  t.equal(short.length, 13)
  t.ok(
    short.some((line) => line.includes('... and 9 more')),
    'a very small one says what it left out',
  )
})

t.test('words that a shell would split are quoted', async (t) => {
  const words = ['node', 'p.js', '--home', "/a b/it's"]
  t.same(commandLines(words, 80, '  '), ["  node p.js --home '/a b/it'\\''s'"])
  t.same(commandLines(words, 20, '  '), ['  node p.js --home \\', "    '/a b/it'\\''s'"])
})

t.test('without a control plane the screen says what the sidecars do', async (t) => {
  const control = { pid: null, state: 'backoff', restarts: 1 } as const
  const lines = screen({ ...picture, ps: { ...picture.ps, mesh: { ...picture.ps.mesh, control } } }, options)
  t.ok(lines.some((line) => line.includes('sidecars serve on')))
})

t.test('one line holds the same figures', async (t) => {
  t.equal(
    oneLine(picture),
    '1m12s  checkout v1 89.9 % v2 10.1 %  19 calls/s, 0.0 errors/s  2 rotations  control plane running',
  )
})

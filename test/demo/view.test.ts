import t from 'tap'
import type { Picture } from '../../src/demo/picture.ts'
import { oneLine, screen } from '../../src/demo/view.ts'

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
  lastChange: 'VirtualService/default/checkout-route: 9 of 9 proxies acknowledged in 4.2 ms',
  outsider: '',
  upMs: 72_000,
}
const options = {
  paint: (_: string, text: string) => text,
  nowEpochMs: Date.UTC(2026, 0, 1),
  tryNext: [['half', 'apply']] as const,
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
  has('checkout-v1-0', '1m10s left', '2 rotated')
  has('LAST CHANGE', '9 of 9 proxies acknowledged in 4.2 ms')
  has('    apply')
})

t.test('a small terminal keeps what to try next, and says what it left out', async (t) => {
  const edges = Array.from({ length: 13 }, (_, i) => ({ ...picture.edges[0]!, destination: `service-${i}` }))
  const lines = screen({ ...picture, edges }, { ...options, rows: 23 })
  t.equal(lines.length, 23)
  t.ok(lines.some((line) => line.includes('1 sidecars, the next expires in 1m10s, 2 to 2 rotations each')))
  t.ok(lines.some((line) => line.includes('more')))
  t.equal(lines.at(-1), '    apply')
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

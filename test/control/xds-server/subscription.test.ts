import t, { type Test } from 'tap'
import { Subscription, versionOf } from '../../../src/control/xds-server/subscription.ts'
import type { XdsType } from '../../../src/xds/type-urls.ts'
import { resources } from './resources.ts'

/** One line of a dialogue. `>` lines are the client's, `<` what is sent in answer ('' is nothing). */
type Row =
  | { names?: string[]; nonce?: string; error?: string; version?: string; kind?: string }
  | { sub?: string[]; unsub?: string[]; have?: Record<string, string>; nonce?: string; error?: string; kind?: string }
  | { wanted: Record<string, string>; keep?: boolean; sends: string }

function play(type: XdsType, rows: Row[], t: Test, variant: 'sotw' | 'delta'): void {
  const s = new Subscription(type)
  for (const [i, row] of rows.entries()) {
    if ('wanted' in row) {
      const push = s.plan(resources(row.wanted), row.keep !== true)
      const text =
        push === undefined
          ? ''
          : [...push.resources.map((r) => `${r.name}=${r.version}`), ...push.removed.map((n) => `-${n}`)]
              .sort()
              .join(' ')
      t.equal(push === undefined ? '' : `(${text})`, row.sends, `row ${i}`)
      if (push !== undefined) s.sent(push)
      continue
    }
    const nonce = row.nonce ?? ''
    const error = row.error
    const kind =
      variant === 'sotw'
        ? s.onSotwRequest({
            names: 'names' in row ? (row.names ?? []) : [],
            version: 'version' in row ? (row.version ?? '') : '',
            nonce,
            error,
          })
        : s.onDeltaRequest({
            subscribe: 'sub' in row ? (row.sub ?? []) : [],
            unsubscribe: 'unsub' in row ? (row.unsub ?? []) : [],
            initialVersions: 'have' in row ? (row.have ?? {}) : {},
            nonce,
            error,
          })
    if (row.kind !== undefined) t.equal(kind, row.kind, `row ${i}`)
  }
}

const SOTW: [string, XdsType, Row[]][] = [
  [
    'a wildcard gets all, and nothing twice',
    'CDS',
    [
      { names: [], kind: 'subscribe' },
      { wanted: { a: '1', b: '1' }, sends: '(a=1 b=1)' },
      { nonce: '1', kind: 'ack' },
      { wanted: { a: '1', b: '1' }, sends: '' },
      { wanted: { a: '2', b: '1' }, sends: '(a=2 b=1)' },
      { nonce: '2', kind: 'ack' },
      { wanted: { a: '2' }, sends: '(a=2)' },
    ],
  ],
  [
    'an empty whole state is said once',
    'LDS',
    [{ names: [] }, { wanted: {}, sends: '()' }, { nonce: '1', kind: 'ack' }, { wanted: {}, sends: '' }],
  ],
  [
    'what is gone is kept where removal has to wait',
    'CDS',
    [
      { names: [] },
      { wanted: { a: '1' }, sends: '(a=1)' },
      { nonce: '1' },
      { wanted: { b: '1' }, keep: true, sends: '(a=1 b=1)' },
      { nonce: '2' },
      { wanted: { b: '1' }, keep: true, sends: '' },
      { wanted: { b: '1' }, sends: '(b=1)' },
    ],
  ],
  [
    'a stale nonce changes nothing',
    'EDS',
    [
      { names: ['a'] },
      { wanted: { a: '1', b: '1' }, sends: '(a=1)' },
      { names: ['a', 'b'], nonce: '', kind: 'stale' },
      { names: ['a', 'b'], nonce: '7', kind: 'stale' },
      { wanted: { a: '1', b: '1' }, sends: '' },
      { names: ['a', 'b'], nonce: '1', kind: 'ack' },
      { wanted: { a: '1', b: '1' }, sends: '(b=1)' },
    ],
  ],
  [
    'a refused version is not sent again, a new one is',
    'RDS',
    [
      { names: ['a'] },
      { wanted: { a: 'bad' }, sends: '(a=bad)' },
      { names: ['a'], nonce: '1', error: 'no', kind: 'nack' },
      { wanted: { a: 'bad' }, sends: '' },
      { wanted: { a: '2' }, sends: '(a=2)' },
      { names: ['a'], nonce: '2', kind: 'ack' },
    ],
  ],
  [
    'endpoints and routes: only what changed, absence says nothing',
    'EDS',
    [
      { names: ['a', 'b', 'b'] },
      { wanted: { a: '1', b: '1', c: '1' }, sends: '(a=1 b=1)' },
      { names: ['a', 'b'], nonce: '1' },
      { wanted: { a: '1', b: '2' }, sends: '(b=2)' },
      { names: ['a', 'b'], nonce: '2' },
      { wanted: { a: '1' }, sends: '' },
      { wanted: { a: '1', b: '2' }, sends: '(b=2)' },
    ],
  ],
  [
    'no names means none, once one was named',
    'CDS',
    [
      { names: ['a'] },
      { wanted: { a: '1', b: '1' }, sends: '(a=1)' },
      { names: [], nonce: '1', kind: 'ack' },
      { wanted: { a: '2', b: '1' }, sends: '' },
      { names: ['*'], nonce: '1' },
      { wanted: { a: '2', b: '1' }, sends: '(a=2 b=1)' },
    ],
  ],
  ['no names is no wildcard for endpoints', 'EDS', [{ names: [] }, { wanted: { a: '1' }, sends: '' }]],
  [
    'a listener that is not there is answered once',
    'LDS',
    [
      { names: ['x'] },
      { wanted: { a: '1' }, sends: '()' },
      { names: ['x'], nonce: '1' },
      { wanted: { a: '2' }, sends: '' },
      { wanted: { a: '2', x: '1' }, sends: '(x=1)' },
      { names: ['x'], nonce: '2' },
      { wanted: { a: '2' }, sends: '()' },
      { names: ['x'], nonce: '3' },
      { wanted: { a: '2' }, sends: '' },
    ],
  ],
  [
    'a new stream with the current version gets nothing',
    'CDS',
    [
      { names: [], version: versionOf(resources({ a: '1', b: '1' })) },
      { wanted: { a: '1', b: '1' }, sends: '' },
      { wanted: { a: '1', b: '2' }, sends: '(a=1 b=2)' },
    ],
  ],
  [
    'a new stream with an old version gets all',
    'CDS',
    [
      { names: [], version: 'old' },
      { wanted: { a: '1' }, sends: '(a=1)' },
    ],
  ],
]

for (const [name, type, rows] of SOTW) t.test(`state of the world: ${name}`, async (t) => play(type, rows, t, 'sotw'))

const DELTA: [string, XdsType, Row[]][] = [
  [
    'a wildcard gets what changed and what is gone',
    'CDS',
    [
      { kind: 'subscribe' },
      { wanted: { a: '1', b: '1' }, sends: '(a=1 b=1)' },
      { nonce: '1', kind: 'ack' },
      { wanted: { a: '2', b: '1' }, sends: '(a=2)' },
      { nonce: '2' },
      { wanted: { a: '2' }, keep: true, sends: '' },
      { wanted: { a: '2' }, sends: '(-b)' },
      { nonce: '3' },
      { wanted: { a: '2' }, sends: '' },
    ],
  ],
  [
    'what the client has from before is not sent again',
    'LDS',
    [{ have: { a: '1', b: '0', gone: '1' } }, { wanted: { a: '1', b: '1' }, sends: '(-gone b=1)' }],
  ],
  ['all the same: nothing', 'LDS', [{ have: { a: '1' } }, { wanted: { a: '1' }, sends: '' }]],
  ['an empty world is said once', 'LDS', [{}, { wanted: {}, sends: '()' }, { nonce: '1' }, { wanted: {}, sends: '' }]],
  [
    'names come and go in spontaneous requests',
    'EDS',
    [
      { sub: ['a'] },
      { wanted: { a: '1', b: '1' }, sends: '(a=1)' },
      { sub: ['b'], kind: 'subscribe' },
      { nonce: '1', kind: 'ack' },
      { wanted: { a: '1', b: '1' }, sends: '(b=1)' },
      { nonce: '2', unsub: ['a'] },
      { wanted: { a: '2', b: '1' }, sends: '' },
    ],
  ],
  [
    'a name without a resource is answered as removed, once',
    'RDS',
    [
      { sub: ['x'] },
      { wanted: {}, sends: '(-x)' },
      { nonce: '1' },
      { wanted: {}, sends: '' },
      { wanted: { x: '1' }, sends: '(x=1)' },
      { nonce: '2' },
      { wanted: {}, sends: '(-x)' },
    ],
  ],
  [
    'who asks again is answered again',
    'EDS',
    [
      { sub: ['a'] },
      { wanted: { a: '1' }, sends: '(a=1)' },
      { nonce: '1' },
      { sub: ['a'] },
      { wanted: { a: '1' }, sends: '(a=1)' },
    ],
  ],
  [
    'an answer to an overtaken response is stale, its names count',
    'EDS',
    [
      { sub: ['a'] },
      { wanted: { a: '1' }, sends: '(a=1)' },
      { wanted: { a: '2' }, sends: '(a=2)' },
      { nonce: '1', sub: ['b'], kind: 'stale' },
      { wanted: { a: '2', b: '1' }, sends: '(b=1)' },
    ],
  ],
  [
    'a refused version is not sent again',
    'CDS',
    [
      {},
      { wanted: { a: 'bad', b: '1' }, sends: '(a=bad b=1)' },
      { nonce: '1', error: 'a: no', kind: 'nack' },
      { wanted: { a: 'bad', b: '1' }, sends: '' },
      { wanted: { a: '2', b: '1' }, sends: '(a=2)' },
    ],
  ],
  [
    'leaving a name under a wildcard says it again',
    'CDS',
    [
      { sub: ['*', 'a'] },
      { wanted: { a: '1', b: '1' }, sends: '(a=1 b=1)' },
      { nonce: '1', unsub: ['a'] },
      { wanted: { a: '1', b: '1' }, sends: '(a=1)' },
      { nonce: '2', unsub: ['*'] },
      { wanted: { a: '2', b: '2' }, sends: '' },
    ],
  ],
]

for (const [name, type, rows] of DELTA) t.test(`delta: ${name}`, async (t) => play(type, rows, t, 'delta'))

t.test('the version of a set depends on its content only', async (t) => {
  t.equal(versionOf(resources({ a: '1', b: '2' })), versionOf(resources({ b: '2', a: '1' })))
  t.not(versionOf(resources({ a: '1' })), versionOf(resources({ a: '2' })))
})

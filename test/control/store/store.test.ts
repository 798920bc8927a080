import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { LmdbStore } from '../../../src/control/store/lmdb.ts'
import { MemoryStore } from '../../../src/control/store/memory.ts'
import type { Store, StoreEvent } from '../../../src/control/store/store.ts'

const folder = mkdtempSync(join(tmpdir(), 'pm-store-'))
t.teardown(() => rmSync(folder, { recursive: true, force: true }))
let made = 0
const newDir = (): string => join(folder, String(made++))

const implementations: [string, (maxHistory: number) => Store][] = [
  ['memory', (maxHistory) => new MemoryStore({ maxHistory })],
  ['lmdb', (maxHistory) => new LmdbStore({ dir: newDir(), maxHistory })],
]

for (const [name, openStore] of implementations) {
  t.test(`${name}: a store`, async (t) => {
    const withStore = (title: string, run: (t: Test, store: Store) => Promise<void>): void => {
      void t.test(title, async (t) => {
        const store = openStore(5)
        await run(t, store)
        await store.close()
      })
    }

    withStore('starts empty at revision 0', async (t, store) => {
      t.equal(store.revision, 0)
      t.equal(store.get('a'), undefined)
      t.same(store.list(''), [])
      t.same(await store.commit([]), { ok: true, revision: 0 }, 'no writes, no revision')
    })

    withStore('gives each commit one revision, and keeps the one that made a key', async (t, store) => {
      t.same(
        await store.commit([
          { key: 'a', value: 1 },
          { key: 'b', value: { x: [true, null, 'ü'] } },
        ]),
        { ok: true, revision: 1 },
      )
      t.same(await store.commit([{ key: 'a', value: 2 }]), { ok: true, revision: 2 })
      t.same(store.get('a'), { key: 'a', value: 2, createRevision: 1, modRevision: 2 })
      t.same(store.get('b'), { key: 'b', value: { x: [true, null, 'ü'] }, createRevision: 1, modRevision: 1 })
      await store.commit([{ key: 'a', value: undefined }])
      await store.commit([{ key: 'a', value: 3 }])
      t.same(store.get('a'), { key: 'a', value: 3, createRevision: 4, modRevision: 4 }, 'made anew after a delete')
    })

    withStore('lists by prefix in key order', async (t, store) => {
      await store.commit(
        ['pods/b', 'objects/1', 'pods/a', 'pods', 'pods/a/c', 'podt'].map((key) => ({ key, value: key })),
      )
      t.same(
        store.list('pods/').map((e) => e.key),
        ['pods/a', 'pods/a/c', 'pods/b'],
      )
      await store.commit([
        { key: 'pods/a', value: undefined },
        { key: 'pods/0', value: 1 },
      ])
      t.same(
        store.list('pods/').map((e) => e.key),
        ['pods/0', 'pods/a/c', 'pods/b'],
      )
      t.same(store.list('zzz'), [])
    })

    withStore('writes all of a commit or nothing', async (t, store) => {
      await store.commit([{ key: 'a', value: 1 }])
      const stale = await store.commit([
        { key: 'b', value: 1 },
        { key: 'a', value: 2, ifRevision: 7 },
      ])
      t.same(stale, { ok: false, key: 'a', modRevision: 1 })
      t.equal(store.get('b'), undefined)
      t.equal(store.revision, 1)
      t.same(
        await store.commit([{ key: 'a', value: 2, ifRevision: 0 }]),
        { ok: false, key: 'a', modRevision: 1 },
        '0: only if absent',
      )
      t.same(await store.commit([{ key: 'c', value: 2, ifRevision: 0 }]), { ok: true, revision: 2 })
      t.same(await store.commit([{ key: 'a', value: undefined, ifRevision: 1 }]), { ok: true, revision: 3 })
      t.same(await store.commit([{ key: 'gone', value: undefined }]), { ok: true, revision: 3 }, 'nothing to delete')
    })

    withStore('lets one of many concurrent compare-and-sets win', async (t, store) => {
      const results = await Promise.all(
        [1, 2, 3, 4].map((value) => store.commit([{ key: 'lock', value, ifRevision: 0 }])),
      )
      t.same(
        results.map((r) => r.ok),
        [true, false, false, false],
      )
      t.same(store.get('lock')?.value, 1)
      t.same(results[3], { ok: false, key: 'lock', modRevision: 1 })
    })

    withStore('shows a commit only once it is acknowledged, watchers first', async (t, store) => {
      const order: string[] = []
      store.watch(0, (events) => order.push(`event ${events.length}`))
      await store
        .commit([
          { key: 'a', value: 1 },
          { key: 'b', value: 1 },
        ])
        .then(() => order.push('acknowledged'))
      t.same(order, ['event 2', 'acknowledged'])
    })

    withStore('replays history to a watcher, then goes on live', async (t, store) => {
      await store.commit([{ key: 'a', value: 1 }])
      await store.commit([{ key: 'a', value: 2 }])
      const seen: (readonly StoreEvent[])[] = []
      const stop = store.watch(1, (events) => seen.push(events))
      await store.commit([
        { key: 'a', value: undefined },
        { key: 'b', value: 3 },
      ])
      stop()
      await store.commit([{ key: 'a', value: 4 }])
      t.same(seen, [
        [{ type: 'put', key: 'a', value: 2, revision: 2 }],
        [
          { type: 'delete', key: 'a', value: 2, revision: 3 },
          { type: 'put', key: 'b', value: 3, revision: 3 },
        ],
      ])
    })

    withStore('refuses to watch from history that is gone', async (t, store) => {
      for (let i = 1; i <= 8; i++) await store.commit([{ key: 'a', value: i }])
      t.throws(() => store.watch(2, () => undefined), { code: 'COMPACTED', oldestRevision: 3 })
      const seen: number[] = []
      store.watch(3, (events) => seen.push(...events.map((e) => e.revision)))
      t.same(seen, [4, 5, 6, 7, 8], 'the five that are kept')
    })

    withStore('keeps its values from being changed by a caller', async (t, store) => {
      const value = { labels: { a: '1' } }
      await store.commit([{ key: 'a', value }])
      value.labels.a = '2'
      t.same(store.get('a')?.value, { labels: { a: '1' } })
      t.throws(() => Object.assign(store.get('a')?.value as object, { b: 1 }))
    })
  })
}

t.test('lmdb: a store opened again has its entries, its revision and its history', async (t) => {
  const dir = newDir()
  const first = new LmdbStore({ dir })
  await first.commit([{ key: 'a', value: { n: 1 } }])
  await Promise.all([first.commit([{ key: 'b', value: 2 }]), first.commit([{ key: 'a', value: { n: 2 } }])])
  await first.close()
  await t.rejects(first.commit([{ key: 'c', value: 1 }]), /closed/)
  const second = new LmdbStore({ dir })
  t.equal(second.revision, 3)
  t.same(second.list(''), [
    { key: 'a', value: { n: 2 }, createRevision: 1, modRevision: 3 },
    { key: 'b', value: 2, createRevision: 2, modRevision: 2 },
  ])
  t.throws(() => Object.assign(second.get('a')?.value as object, { b: 1 }), 'frozen')
  const seen: number[] = []
  second.watch(0, (events) => seen.push(...events.map((e) => e.revision)))
  t.same(seen, [1, 2, 3])
  t.same(await second.commit([{ key: 'c', value: 1 }]), { ok: true, revision: 4 })
  await second.close()
})

t.test('lmdb: a key that is empty or too long is refused', async (t) => {
  const store = new LmdbStore({ dir: newDir() })
  for (const key of ['', 'k'.repeat(1025)]) t.throws(() => void store.commit([{ key, value: 1 }]), RangeError)
  await store.close()
})

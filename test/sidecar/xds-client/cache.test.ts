import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { systemClock } from '../../../src/lib/clock.ts'
import { ConfigCache, decodeCache, encodeCache } from '../../../src/sidecar/xds-client/cache.ts'
import { XDS_TYPES } from '../../../src/xds/type-urls.ts'
import { log, world } from '../../control/xds-server/rig.ts'

const all = world()
const held = (type: (typeof XDS_TYPES)[number]) => all[type].values()
const bytes = encodeCache('node', held)

t.test('what was written is read again', async (t) => {
  const saved = decodeCache(bytes, 'node')
  if ('reason' in saved) throw new Error(saved.reason)
  for (const type of XDS_TYPES) {
    const names = saved.get(type)?.map((h) => [h.name, h.version, Buffer.from(h.any.value ?? []).toString('hex')])
    t.same(
      names,
      [...held(type)].map((r) => [r.name, r.version, Buffer.from(r.any.value ?? []).toString('hex')]),
    )
  }
})

t.test('a file cut at any byte, or with any bit flipped, is as good as none', async (t) => {
  for (let at = 0; at < bytes.length; at++) {
    if (!('reason' in decodeCache(bytes.subarray(0, at), 'node'))) t.fail(`cut at ${at}`)
    const flipped = Buffer.from(bytes)
    flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 8))
    if (!('reason' in decodeCache(flipped, 'node'))) t.fail(`flipped at ${at}`)
  }
  t.match(decodeCache(bytes, 'other'), { reason: /it is of node node/ })
})

t.test('the file is 0600, replaced as a whole, and missing or broken files start from nothing', async (t) => {
  const dir = t.testdir()
  const file = join(dir, 'last-good.xds')
  let whole = false
  const cache = new ConfigCache({ file, nodeId: 'node', clock: systemClock, log, held, isWhole: () => whole })
  t.equal(cache.read(), undefined)
  await cache.flush()
  t.same(readdirSync(dir), [], 'nothing has changed: nothing is written')
  cache.changed()
  await cache.flush()
  t.same(readdirSync(dir), [], 'part of a first configuration is not kept')
  whole = true
  cache.changed()
  cache.changed()
  await cache.flush()
  t.same(readdirSync(dir), ['last-good.xds'])
  t.equal(statSync(file).mode & 0o777, 0o600)
  t.ok(readFileSync(file).equals(bytes))
  t.not(cache.read(), undefined)
  writeFileSync(file, bytes.subarray(0, 100))
  t.equal(cache.read(), undefined)
})

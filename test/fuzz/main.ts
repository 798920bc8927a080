/**
 * `npm run fuzz [-- --short --seed N --h1 1000000 --h2 100000 --json FILE]`: mutated HTTP/1.1 messages through two
 * proxies before llhttp, and HTTP/2 frame sequences. The same seed makes the same bytes. Finds are shrunk and written to
 * a folder that is printed; ends with 1 when there are any, or when the heap grew.
 * The proxies are two data planes in this process, over real sockets: so a million messages pass in minutes.
 */
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startChain } from './chain.ts'
import { liveHeapBytes } from './heap.ts'
import { fuzzHttp1 } from './http1.ts'

const { values } = parseArgs({
  options: {
    short: { type: 'boolean', default: false },
    seed: { type: 'string', default: String(Date.now() % 1_000_000_000) },
    h1: { type: 'string' },
    json: { type: 'string' },
  },
})
const seed = Number(values.seed)
const h1 = Number(values.h1 ?? (values.short ? 50_000 : 1_000_000))
/** Tables of names and of seen methods fill at first; what grows after that is a leak. */
const WARM_MESSAGES = 5000
const MAX_GROWTH_BYTES = 16 * 1024 * 1024
const folder = mkdtempSync(join(tmpdir(), 'pm-fuzz-'))
const say = (line: string): void => void process.stdout.write(`${line}\n`)

say(`seed ${seed}; finds go to ${folder}`)
const chain = await startChain()
await fuzzHttp1(chain, { seed: seed + 1_000_000_007, messages: WARM_MESSAGES, finds: folder, directEvery: 4 })
const before = liveHeapBytes()
let told = 0
const http1 = await fuzzHttp1(chain, {
  seed,
  messages: h1,
  finds: folder,
  directEvery: 4,
  progress: (done) => {
    if (done < told + 100_000) return
    told = done
    say(`  ${done} messages, heap ${Math.round(liveHeapBytes() / 1e6)} MB`)
  },
})
const grown = liveHeapBytes() - before
const open = chain.openConnections()
await chain.close()

say(
  `HTTP/1.1: ${http1.messages} messages in ${http1.conversations} connections, ${Math.round(http1.messages / http1.seconds)} a second`,
)
say(`  ${http1.arrived} arrived, ${http1.refused} answered by the proxy, ${http1.finds.length} finds`)
say(`  heap after it ${(grown / 1e6).toFixed(1)} MB more, ${open} connections left open`)
for (const find of http1.finds) say(`  find: ${find}`)
const ok = http1.finds.length === 0 && grown < MAX_GROWTH_BYTES && open === 0
if (values.json !== undefined)
  writeFileSync(values.json, `${JSON.stringify({ seed, http1, grownBytes: grown, open, ok }, null, 2)}\n`)
say(ok ? 'ok' : 'FAIL')
process.exit(ok ? 0 : 1)

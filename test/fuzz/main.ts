/**
 * `npm run fuzz [-- --short --seed N --h1 1000000 --h2 100000 --json FILE]`: mutated HTTP/1.1 messages through two
 * proxies before llhttp; HTTP/2 frame sequences into sessions, and against running proxies. The same seed makes the same
 * bytes. Finds are shrunk and written to a folder that is printed; ends with 1 when there are any, or when the heap grew.
 * The proxies are two data planes in this process, over real sockets: so a million messages pass in minutes.
 */
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { flagsOf, wholeFlag } from '../helpers/flags.ts'
import { type Chain, startChain } from './chain.ts'
import { liveHeapBytes } from './heap.ts'
import { fuzzHttp1 } from './http1.ts'
import { fuzzLive } from './http2-live.ts'
import { fuzzSessions } from './http2-session.ts'

const USAGE = `npm run fuzz -- [FLAGS]

  --short       50,000 messages and 5,000 frame sequences, not 1,000,000 and 100,000
  --h1 N        so many HTTP/1.1 messages
  --h2 N        so many HTTP/2 frame sequences
  --seed N      the same seed makes the same bytes (default: by the time)
  --json FILE   the figures, for programs
`

const values = flagsOf(USAGE, {
  short: { type: 'boolean', default: false },
  seed: { type: 'string', default: String(Date.now() % 1_000_000_000) },
  h1: { type: 'string' },
  h2: { type: 'string' },
  json: { type: 'string' },
})
const seed = wholeFlag(USAGE, '--seed', values.seed)
const h1 = wholeFlag(USAGE, '--h1', values.h1 ?? (values.short ? '50000' : '1000000'))
const h2 = wholeFlag(USAGE, '--h2', values.h2 ?? (values.short ? '5000' : '100000'))
/** Of the frame sequences, so many go against proxies that run, over sockets. */
const LIVE_SHARE = 0.1
/** Tables of names and of seen methods fill at first; what grows after that is a leak. */
const WARM_MESSAGES = 5000
const MAX_GROWTH_BYTES = 16 * 1024 * 1024
const CLOSED_LIMIT_MS = 5000
const folder = mkdtempSync(join(tmpdir(), 'pm-fuzz-'))
const say = (line: string): void => void process.stdout.write(`${line}\n`)
const heapMb = (): string => `heap ${Math.round(liveHeapBytes() / 1e6)} MB`

/** Tells now and then how far it is. */
function progress(every: number, what: string): (done: number) => void {
  let told = 0
  return (done) => {
    if (done < told + every) return
    told = done
    say(`  ${done} ${what}, ${heapMb()}`)
  }
}

async function allClosed(chain: Chain): Promise<number> {
  const untilMs = performance.now() + CLOSED_LIMIT_MS
  while (chain.openConnections() > 0 && performance.now() < untilMs)
    await new Promise((resolve) => setTimeout(resolve, 20))
  return chain.openConnections()
}

say(`seed ${seed}; finds go to ${folder}`)
const chain = await startChain()
await fuzzHttp1(chain, { seed: seed + 1_000_000_007, messages: WARM_MESSAGES, finds: folder, directEvery: 4 })
await fuzzLive(chain, { seed: seed + 1_000_000_007, sequences: 200 })
fuzzSessions({ seed: seed + 1_000_000_007, sequences: 1000, finds: folder })
const before = liveHeapBytes()
const http1 = await fuzzHttp1(chain, {
  seed,
  messages: h1,
  finds: folder,
  directEvery: 4,
  progress: progress(100_000, 'messages'),
})
say(
  `HTTP/1.1: ${http1.messages} messages in ${http1.conversations} connections, ${Math.round(http1.messages / http1.seconds)} a second`,
)
say(`  ${http1.arrived} arrived, ${http1.refused} answered by the proxy, ${http1.finds.length} finds`)
const sessions = fuzzSessions({
  seed,
  sequences: Math.ceil(h2 * (1 - LIVE_SHARE)),
  finds: folder,
  progress: progress(10_000, 'frame sequences'),
})
say(
  `HTTP/2, sessions: ${sessions.sequences} sequences of ${sessions.frames} steps, whole and cut, ${Math.round(sessions.sequences / sessions.seconds)} a second`,
)
say(`  ${sessions.finds.length} finds`)
const live = await fuzzLive(chain, { seed, sequences: Math.floor(h2 * LIVE_SHARE) })
say(
  `HTTP/2, running proxies: ${live.sequences} sequences, ${live.arrived} requests arrived, ${live.answered} answered, ${live.whole} connections whole`,
)
say(`  slowest plain request beside them ${Math.round(live.slowestCanaryMs)} ms, ${live.finds.length} finds`)
const open = await allClosed(chain)
const grown = liveHeapBytes() - before
await chain.close()
say(`heap ${(grown / 1e6).toFixed(1)} MB more than before, ${open} connections left open`)

const finds = [...http1.finds, ...sessions.finds, ...live.finds]
for (const find of finds) say(`  find: ${find}`)
const ok = finds.length === 0 && grown < MAX_GROWTH_BYTES && open === 0
if (values.json !== undefined)
  writeFileSync(
    values.json,
    `${JSON.stringify({ seed, http1, sessions, live, grownBytes: grown, open, ok }, null, 2)}\n`,
  )
say(ok ? 'ok' : 'FAIL')
process.exit(ok ? 0 : 1)

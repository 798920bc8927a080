/** Row 14: the fuzzer, see test/fuzz/main.ts. */
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startChain } from '../../fuzz/chain.ts'
import { fuzzHttp1 } from '../../fuzz/http1.ts'
import { fuzzLive } from '../../fuzz/http2-live.ts'
import { fuzzSessions } from '../../fuzz/http2-session.ts'
import { atLeast, exactly, type Row, told } from '../row.ts'

/** Of the frame sequences, so many go over sockets. */
const LIVE_SHARE = 0.1

export const fuzz: Row = {
  number: 14,
  title: 'mutated messages and frame sequences through two proxies',
  async run({ short, seed }) {
    const chain = await startChain()
    try {
      const messages = short ? 30_000 : 1_000_000
      const finds = join(tmpdir(), 'pm-fuzz-finds')
      const report = await fuzzHttp1(chain, { seed, messages, finds, directEvery: 4 })
      const sequences = short ? 4000 : 100_000
      const sessions = fuzzSessions({ seed, sequences: sequences * (1 - LIVE_SHARE), finds })
      const live = await fuzzLive(chain, { seed, sequences: sequences * LIVE_SHARE })
      for (const find of [...report.finds, ...sessions.finds, ...live.finds])
        process.stderr.write(`  row 14: ${find}\n`)
      return [
        told('seed', seed),
        atLeast('HTTP/1.1 messages', report.messages, messages),
        told('HTTP/1.1 messages that arrived', report.arrived),
        exactly('HTTP/1.1 finds: counts that differ, hangs, crashes', report.finds.length, 0),
        atLeast('HTTP/2 frame sequences into sessions', sessions.sequences, sequences * (1 - LIVE_SHARE)),
        atLeast('HTTP/2 frame sequences against proxies', live.sequences, sequences * LIVE_SHARE),
        told('HTTP/2 requests that arrived', live.arrived),
        exactly('HTTP/2 finds', sessions.finds.length + live.finds.length, 0),
      ]
    } finally {
      await chain.close()
    }
  },
}

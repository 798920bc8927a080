/** Row 14: the fuzzer, see test/fuzz/main.ts. */
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startChain } from '../../fuzz/chain.ts'
import { fuzzHttp1 } from '../../fuzz/http1.ts'
import { atLeast, exactly, type Row, told } from '../row.ts'

export const fuzz: Row = {
  number: 14,
  title: 'mutated messages through two proxies',
  async run({ short, seed }) {
    const chain = await startChain()
    try {
      const messages = short ? 30_000 : 1_000_000
      const report = await fuzzHttp1(chain, { seed, messages, finds: join(tmpdir(), 'pm-fuzz-finds'), directEvery: 4 })
      for (const find of report.finds) process.stderr.write(`  row 14: ${find}\n`)
      return [
        told('seed', seed),
        atLeast('HTTP/1.1 messages', report.messages, messages),
        told('HTTP/1.1 messages that arrived', report.arrived),
        exactly('HTTP/1.1 finds: counts that differ, hangs, crashes', report.finds.length, 0),
      ]
    } finally {
      await chain.close()
    }
  },
}

/** Row 13: hostile messages, whole, byte by byte and split at random, while others work. */
import { readFileSync } from 'node:fs'
import { METHODS } from 'node:http'
import { answersIn, converse } from '../../fuzz/chain.ts'
import { ProxyChain } from '../chain.ts'
import { isSound } from '../checker.ts'
import { type HostileMessage, hostileMessages } from '../hostile-messages.ts'
import { Load, tellFailures } from '../load.ts'
import { atLeast, atMost, exactly, type Row, told } from '../row.ts'

const AT_ONCE = 20
const CANARY = Buffer.from('GET /canary HTTP/1.1\r\nHost: server\r\nConnection: close\r\n\r\n')
/** What the application's parser may say when the proxy gives a message up in its middle, or of a method it does not know. */
const EXCUSED = new Set(['HPE_INVALID_METHOD', 'HPE_INVALID_EOF_STATE', 'HPE_INVALID_VERSION', 'ECONNRESET', 'EPIPE'])

export const hostile: Row = {
  number: 13,
  title: 'hostile HTTP/1.1 messages beside others',
  async run({ short }) {
    const messages = hostileMessages()
    const chain = await ProxyChain.start()
    const load = new Load({ port: chain.httpPort, ratePerSecond: 100, seconds: 600, connections: 16 })
    try {
      chain.watch()
      const wrong = { must: [] as string[], policy: [] as string[] }
      const answered = new Set<string>()
      const tries = messages.flatMap((m, i) =>
        (['whole', 'bytes', 'random'] as const)
          .filter((how, j) => !short || how === 'whole' || (i + j) % 2 === 0)
          .map((how) => ({ m, how })),
      )
      let canaries = 0
      let lost = 0
      const worker = async (): Promise<void> => {
        for (let one = tries.pop(); one !== undefined; one = tries.pop()) {
          const { m, how } = one
          const text = await converse(chain.httpPort, pieces(m, how))
          const numbers = [...(text ?? '').matchAll(/\r\nx-n: ([\d.]+)\r\n/gi)].map((match) => match[1]!)
          for (const n of numbers) answered.add(n)
          const why = text === undefined ? 'hung' : misjudged(m, numbers.length)
          if (why !== '') wrong[m.level].push(`${m.id} (${how}): ${why}`)
          const canary = answersIn((await converse(chain.httpPort, [CANARY])) ?? '')
          canaries++
          const n = canary?.[0]?.n
          if (canary?.length !== 1 || canary[0]?.status !== 200 || n === undefined) lost++
        }
      }
      const total = tries.length
      await Promise.all(Array.from({ length: AT_ONCE }, worker))
      load.stop()
      await load.done
      const { lagP99Ms, idleLagP99Ms, grownMb, filesMore } = await chain.vitals()
      tellFailures(load.log)
      const verdict = chain.check(load.log)
      const lines = chain.apps.flatMap((app) => readFileSync(app.ledger, 'utf8').split('\n'))
      const faults = lines.filter((line) => line.startsWith('#fault ') && !EXCUSED.has(line.slice(7)))
      const arrived = lines.filter((line) => line.startsWith('#') && !line.startsWith('#fault '))
      for (const line of [...wrong.must, ...wrong.policy, ...faults]) process.stderr.write(`  row 13: ${line}\n`)
      return [
        told('messages', messages.length),
        atLeast('tries', total, 1),
        exactly('otherwise than RFC 9112 demands', wrong.must.length, 0),
        exactly('otherwise than the strict policy', wrong.policy.length, 0),
        exactly("bytes that the application's parser refused", faults.length, 0),
        // canaries are numbered and answered too
        exactly('arrived and were answered to nobody', arrived.length - answered.size - (canaries - lost), 0),
        exactly('canaries without exactly their own answer', lost, 0),
        exactly('requests of others that failed', load.log.filter((e) => e.outcome !== 'ok').length, 0),
        exactly('lost, changed or acted on twice', isSound(verdict) ? 0 : 1, 0),
        atMost("answer of the admin port, p99, over an idle process's", lagP99Ms - idleLagP99Ms, 100, 'ms'),
        atMost('grown', grownMb, 50, 'MB'),
        atMost('open files more than before', filesMore, 5 + 2 * (AT_ONCE + 16)),
      ]
    } finally {
      load.stop()
      await chain.close()
    }
  },
}

function pieces(m: HostileMessage, how: 'whole' | 'bytes' | 'random'): Buffer[] {
  const bytes = Buffer.from(m.base64, 'base64')
  if (how === 'whole' || bytes.length === 0) return [bytes]
  // of long ones the beginning byte by byte
  if (how === 'bytes')
    return [...Array.from(bytes.subarray(0, 600), (byte) => Buffer.of(byte)), bytes.subarray(600)].filter(
      (b) => b.length > 0,
    )
  const cuts = Array.from({ length: 4 }, () => Math.floor(Math.random() * bytes.length)).sort((a, b) => a - b)
  return [0, ...cuts].map((from, i) => bytes.subarray(from, cuts[i] ?? bytes.length)).filter((b) => b.length > 0)
}

function misjudged({ base64, verdict, requests, reason }: HostileMessage, arrived: number): string {
  // the application's parser takes only the methods that it knows, the proxy takes any
  const method = Buffer.from(base64, 'base64').toString('latin1').trimStart().split(' ', 1)[0]!
  if (verdict === 'accept' && !METHODS.includes(method)) return ''
  const right = verdict === 'either' || (verdict === 'accept' ? arrived === requests : arrived <= requests)
  return right ? '' : `${reason}: ${verdict}, ${arrived} of ${requests} arrived`
}

/** Row 16: attacks on HTTP/2, and thousands of calls that are cancelled in good faith. */
import http2 from 'node:http2'
import { ATTACKS, runAttack } from '../../helpers/h2-attacks.ts'
import { ENHANCE_YOUR_CALM } from '../../helpers/h2-wire.ts'
import { ProxyChain } from '../chain.ts'
import { isSound } from '../checker.ts'
import { Load, quantileMs, tellFailures, tellSlow } from '../load.ts'
import { atMost, exactly, type Figure, type Row, told } from '../row.ts'

const CALLS = 5000
const AT_ONCE = 50

export const http2Attacks: Row = {
  number: 16,
  title: 'HTTP/2: floods, resets and bombs; 5,000 cancelled calls',
  async run({ short, ratePerSecond }) {
    const chain = await ProxyChain.start()
    const load = new Load({ port: chain.httpPort, ratePerSecond, seconds: 600, connections: 64 })
    try {
      chain.watch()
      const figures: Figure[] = []
      for (const attack of ATTACKS) {
        const { endedMs, code, framesSent } = await runAttack(chain.plainPort, attack, short ? 3000 : 30_000)
        figures.push(told(`${attack.name}: frames sent`, framesSent))
        figures.push(atMost(`${attack.name}: GOAWAY or end after`, endedMs, 1000, 'ms'))
        if (code >= 0) figures.push(told(`${attack.name}: code (calm is ${ENHANCE_YOUR_CALM})`, code))
      }
      const cancelled = await cancelledCalls(chain.httpPort)
      load.stop()
      await load.done
      const { maxRssMb } = await chain.vitals()
      tellFailures(load.log)
      tellSlow(load.log, 150)
      const verdict = chain.check(load.log)
      return [
        ...figures,
        exactly('cancelled calls that ended otherwise', cancelled.wrong, 0),
        exactly('calls beside them that failed', cancelled.failed, 0),
        atMost('base load, p99', quantileMs(load.log, 0.99), 150, 'ms'),
        told('base load, lag of the generator itself, p99', load.ownLagP99Ms, 'ms'),
        exactly('base load, failed', load.log.filter((e) => e.outcome !== 'ok').length, 0),
        exactly('lost, changed or acted on twice', isSound(verdict) ? 0 : 1, 0),
        atMost('memory of a proxy', maxRssMb, 300, 'MB'),
      ]
    } finally {
      load.stop()
      await chain.close()
    }
  },
}

/** Calls as gRPC clients make and cancel them, over as few connections as the client's proxy keeps to the server's. */
export async function cancelledCalls(port: number): Promise<{ wrong: number; failed: number }> {
  const count = { wrong: 0, failed: 0 }
  // the application's side: a client's sessions are renewed, what is under test is the link between the proxies
  let session = http2.connect(`http://127.0.0.1:${port}`)
  session.on('error', () => {})
  let calls = 0
  const call = (cancel: boolean): Promise<void> =>
    new Promise((resolve) => {
      const stream = session.request({
        ':method': 'POST',
        ':path': '/pkg.Service/Call',
        te: 'trailers',
        'content-type': 'application/grpc',
      })
      stream.on('error', () => {})
      stream.resume()
      if (cancel) {
        stream.write(Buffer.alloc(100))
        setImmediate(() => stream.close(http2.constants.NGHTTP2_CANCEL))
      } else stream.end()
      let status = 0
      stream.on('response', (fields) => (status = Number(fields[':status'])))
      stream.on('close', () => {
        if (cancel && stream.rstCode !== http2.constants.NGHTTP2_CANCEL && status !== 200) count.wrong++
        if (!cancel && status !== 200) count.failed++
        resolve()
      })
    })
  const worker = async (): Promise<void> => {
    while (calls < CALLS) {
      const n = calls++
      if (n % 500 === 499) {
        session.close()
        session = http2.connect(`http://127.0.0.1:${port}`)
        session.on('error', () => {})
      }
      await call(true)
      if (n % 50 === 0) await call(false)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  session.close()
  return count
}

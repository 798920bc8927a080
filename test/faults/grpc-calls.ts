/**
 * Calls of a gRPC client (grpc-js) through the proxies, most of them cancelled as soon as they have left, as clients do
 * whose users go on. The link between the proxies carries them all. In: a port, how many. Out: how many ended otherwise.
 */
import * as grpc from '@grpc/grpc-js'

const AT_ONCE = 50
/** Of so many cancelled calls one is followed by one that must succeed. */
const SOUND_EVERY = 50
/** Node 20's own HTTP/2 client cannot be told to bear more cancelled streams on one session. */
const RENEW_EVERY = 500

export interface CallsResult {
  /** Cancelled ones that ended as something else. */
  wrong: number
  /** Others that failed. */
  failed: number
  /** The slowest cancellation, from the call of `cancel` to its event. */
  slowestCancelMs: number
}

export async function cancelledCalls(port: number, calls: number): Promise<CallsResult> {
  const result: CallsResult = { wrong: 0, failed: 0, slowestCancelMs: 0 }
  const bytes = (text: string): Buffer => Buffer.from(text)
  const open = (): grpc.Client =>
    new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 })
  let client = open()
  const call = (cancel: boolean): Promise<void> =>
    new Promise((resolve) => {
      let cancelledMs = 0
      const options = { deadline: Date.now() + 20_000 }
      const one = client.makeUnaryRequest('/pkg.Service/Call', bytes, String, 'x'.repeat(100), options, (error) => {
        const code = error?.code ?? grpc.status.OK
        if (cancel && code !== grpc.status.CANCELLED && code !== grpc.status.OK) result.wrong++
        if (cancelledMs > 0) result.slowestCancelMs = Math.max(result.slowestCancelMs, performance.now() - cancelledMs)
        if (!cancel && code !== grpc.status.OK) result.failed++
        resolve()
      })
      // two turns: its head and message have left by then
      if (cancel)
        setImmediate(() =>
          setImmediate(() => {
            cancelledMs = performance.now()
            one.cancel()
          }),
        )
    })
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < calls) {
      const n = next++
      if (n % RENEW_EVERY === RENEW_EVERY - 1) {
        client.close() // what is under way finishes
        client = open()
      }
      await call(true)
      if (n % SOUND_EVERY === 0) await call(false)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  client.close()
  return result
}

/**
 * grpc-js as a client: unary calls, so many at once over one channel, for so long. In: `PORT AT_ONCE SECONDS BYTES` as
 * arguments. Out: one line of JSON: calls, errors, its own CPU time.
 */
import { Client, credentials } from '@grpc/grpc-js'
import { GRPC_METHOD_PATH } from './method.ts'

const [port = 0, atOnce = 1, seconds = 1, bytes = 0] = process.argv.slice(2).map(Number)
const same = (message: Buffer): Buffer => message
const message = Buffer.alloc(bytes, 'x')
const WARM_UP_SECONDS = 0.5

const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), { 'grpc.default_authority': 'echo' })

function call(): Promise<boolean> {
  return new Promise((done) => {
    client.makeUnaryRequest(GRPC_METHOD_PATH, same, same, message, (error, answer) =>
      done(error === null && answer?.length === bytes),
    )
  })
}

async function callFor(forSeconds: number): Promise<{ calls: number; errors: number }> {
  const endMs = performance.now() + forSeconds * 1000
  let [calls, errors] = [0, 0]
  const oneAfterAnother = async (): Promise<void> => {
    while (performance.now() < endMs)
      if (await call()) calls++
      else errors++
  }
  await Promise.all(Array.from({ length: atOnce }, oneAfterAnother))
  return { calls, errors }
}

await callFor(WARM_UP_SECONDS)
process.send?.('warm')
const cpu = process.cpuUsage()
const counts = await callFor(seconds)
const { user, system } = process.cpuUsage(cpu)
process.stdout.write(`${JSON.stringify({ ...counts, cpuMs: (user + system) / 1000 })}\n`)
client.close()

/**
 * A program that sends load from inside a pod, with plain HTTP to names of Services: whatever the mode, it is the mesh
 * that leads it. In: options (JSON) as its argument. Out: a report per line (JSON) on standard output, several a
 * second, at each line of its input, and last. Ends when its standard input closes, or when all that it was to send is
 * answered.
 */
import { createInterface } from 'node:readline'
import { Load, type LoadOptions, type LoadReport } from './load.ts'
import { RecordingRelay, occurrences } from './relay.ts'

export interface WorkerOptions extends LoadOptions {
  /** Absent: until the input closes. */
  requests?: number
  /** Sent with each request as `x-word`, and looked for in what passes in plaintext. */
  word?: string
}

export interface WorkerReport extends LoadReport {
  /** How often `word` passed between this program and the mesh. */
  wordsInPlain: number
}

const REPORT_EVERY_MS = 200

const options = JSON.parse(process.argv[2] ?? '{}') as WorkerOptions
const { word, requests } = options
const relay = word === undefined ? undefined : await RecordingRelay.open(serverOf(options.url))
const load = new Load({
  ...options,
  ...(relay === undefined ? {} : { relayPort: relay.port }),
  ...(word === undefined ? {} : { headers: { ...options.headers, 'x-word': word } }),
})
const input = createInterface({ input: process.stdin })
input.on('line', report)
const closed = new Promise<void>((done) => input.once('close', () => done()))
const timer = setInterval(report, REPORT_EVERY_MS)
if (requests === undefined) load.start()
await (requests === undefined ? closed : Promise.race([load.run(requests), closed]))
clearInterval(timer)
await load.stop()
report()
await relay?.close()
input.close()
process.stdin.destroy()

function report(): void {
  const wordsInPlain = relay === undefined || word === undefined ? 0 : occurrences(relay, word)
  const line: WorkerReport = { ...load.report(), wordsInPlain }
  process.stdout.write(`${JSON.stringify(line)}\n`)
}

function serverOf(url: string): { host: string; port: number } {
  const { hostname, port } = new URL(url)
  return { host: hostname, port: Number(port) }
}

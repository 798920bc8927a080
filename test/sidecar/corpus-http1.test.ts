/** Other people's HTTP/1.1 requests, friendly and hostile, through a whole data plane with a strict upstream. */
import { existsSync, readFileSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { BodyReader, Framing } from '../../src/sidecar/codec/http1/framing.ts'
import { HeadReader } from '../../src/sidecar/codec/http1/head.ts'
import { DONE, MORE } from '../../src/sidecar/codec/http1/verdict.ts'
import { createPlane, forward, httpListener, listen, routes, staticCluster } from '../helpers/data-plane.ts'

interface Row {
  id: string
  base64: string
  verdict: 'accept' | 'reject' | 'either'
  level: 'must' | 'policy'
  phase: 'head' | 'body' | 'incomplete' | null
  requests: number
  reason: string
}

const shared = process.env['POCKETMESH_SHARED']
const file = shared === undefined ? '' : join(shared, 'corpus/http1/requests.jsonl')

/** Counts complete requests; anything not strictly well formed is an anomaly. */
function strictUpstream(): { server: net.Server; seen: { complete: number; anomalies: string[] } } {
  const seen = { complete: 0, anomalies: [] as string[] }
  const server = net.createServer((socket) => {
    const reader = new HeadReader('request')
    const framing = new Framing()
    const body = new BodyReader()
    let inBody = false
    socket.on('error', () => {})
    socket.on('data', (chunk: Buffer) => {
      let at = 0
      while (at < chunk.length || inBody) {
        if (!inBody) {
          const verdict = reader.read(chunk, at, chunk.length)
          if (verdict === MORE) return
          if (verdict !== DONE || framing.readRequest(reader.head) !== DONE) {
            seen.anomalies.push(chunk.toString('latin1').slice(0, 200))
            socket.destroy()
            return
          }
          at = reader.next
          body.start(framing)
          inBody = true
        }
        const verdict = body.read(chunk, at, chunk.length, { onBody: () => {} })
        if (verdict === MORE) return
        if (verdict !== DONE) {
          seen.anomalies.push('body')
          socket.destroy()
          return
        }
        at = body.next
        inBody = false
        seen.complete++
        reader.reset()
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
      }
    })
  })
  return { server, seen }
}

/** All bytes, then a half-close; resolves when the proxy is through with the connection. */
function send(port: number, bytes: Buffer): Promise<string> {
  return new Promise((resolve) => {
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true }, () => socket.end(bytes))
    let text = ''
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')))
    socket.on('error', () => {})
    socket.on('end', () => socket.end())
    socket.on('close', () => resolve(text))
  })
}

void t.test('requests', { skip: existsSync(file) ? false : 'POCKETMESH_SHARED is not set' }, async (t) => {
  const { server, seen } = strictUpstream()
  const app = await listen(server)
  const { plane, port } = createPlane()
  plane.setClusters([staticCluster('app', app)])
  plane.setRoutes([routes('all', forward('app'))])
  await plane.setListeners([httpListener('http', { rds: 'all' })])
  t.teardown(async () => {
    await plane.drain(0)
    server.close()
  })
  const rows = readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Row)
  const wrong: string[] = []
  let policy = 0
  for (const row of rows) {
    seen.complete = 0
    seen.anomalies.length = 0
    const bytes = Buffer.from(row.base64, 'base64')
    const answer = await send(port('http'), bytes)
    const arrived = seen.complete
    const right =
      seen.anomalies.length === 0 &&
      (row.verdict === 'accept' ? arrived === row.requests : row.verdict === 'either' || arrived <= row.requests)
    if (right) continue
    const line = `${row.level} ${row.id} (${row.reason}): ${row.verdict}, ${arrived} of ${row.requests} arrived, ${answer.slice(0, 30)} ${seen.anomalies.join()} ${JSON.stringify(bytes.toString('latin1').slice(0, 120))}`
    if (row.level === 'must') wrong.push(line)
    else policy++
    t.comment(line)
  }
  t.same(wrong, [])
  t.comment(`${rows.length} requests, ${policy} otherwise than the policy`)
})

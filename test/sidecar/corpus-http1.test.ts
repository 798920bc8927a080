/** Other people's HTTP/1.1 requests, friendly and hostile, through a whole data plane with a strict upstream. */
import { existsSync, readFileSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { BodyReader, Framing } from '../../src/sidecar/codec/http1/framing.ts'
import { HeadReader } from '../../src/sidecar/codec/http1/head.ts'
import { DONE, MORE } from '../../src/sidecar/codec/verdict.ts'
import {
  createPlane,
  exchangeBytes,
  forward,
  httpListener,
  listen,
  routes,
  staticCluster,
} from '../helpers/data-plane.ts'

interface Row {
  id: string
  base64: string
  verdict: 'accept' | 'reject' | 'either'
  level: 'must' | 'policy'
  phase: 'head' | 'body' | 'incomplete' | null
  requests: number
  reason: string
}

interface ResponseRow {
  id: string
  base64: string
  request_method: string
  verdict: 'forward' | 'reject' | 'abort' | 'either'
  client_status: number
  level: 'must' | 'policy'
  reuse: boolean
  reason: string
}

const shared = process.env['POCKETMESH_SHARED']
const file = shared === undefined ? '' : join(shared, 'corpus/http1/requests.jsonl')
const responseFile = shared === undefined ? '' : join(shared, 'corpus/http1/responses.jsonl')

function readRows<T>(path: string): T[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T)
}

/** Counts complete requests; anything not strictly well formed is an anomaly. */
function strictUpstream(): { server: net.Server; seen: { complete: number; anomalies: string[] } } {
  const seen = { complete: 0, anomalies: [] as string[] }
  const server = net.createServer((socket) => {
    const reader = new HeadReader('request')
    const framing = new Framing()
    const body = new BodyReader('request')
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
  const rows = readRows<Row>(file)
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

void t.test('responses', { skip: existsSync(responseFile) ? false : 'POCKETMESH_SHARED is not set' }, async (t) => {
  let answer = Buffer.alloc(0)
  let connections = 0
  let ends = false
  const server = net.createServer((socket) => {
    connections++
    socket.on('error', () => {})
    socket.on('data', () => {
      socket.write(answer)
      if (ends) socket.end()
    })
  })
  const app = await listen(server)
  const { plane, port } = createPlane()
  plane.setClusters([staticCluster('app', app)])
  plane.setRoutes([routes('all', forward('app'))])
  await plane.setListeners([httpListener('http', { rds: 'all' })])
  t.teardown(async () => {
    await plane.drain(0)
    server.close()
  })
  const wrong: string[] = []
  for (const row of readRows<ResponseRow>(responseFile)) {
    answer = Buffer.from(row.base64, 'base64')
    const before = connections
    ends = !row.reuse
    const got = await exchangeBytes(
      port('http'),
      `${row.request_method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
    ).catch(() => '')
    ends = true // no idle connection is left for the next row
    answer = Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
    await exchangeBytes(port('http'), 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    const reused = connections === before + 1
    const status = Number(/(?:^|\r\n\r\n)HTTP\/1\.1 ([2-5]\d\d) /.exec(got)?.[1])
    const right =
      (row.verdict === 'either' || status === (row.verdict === 'reject' ? 502 : row.client_status)) &&
      (row.verdict !== 'abort' || !got.endsWith('0\r\n\r\n')) &&
      (row.reuse || !reused)
    if (right) continue
    const line = `${row.level} ${row.id} (${row.reason}): ${row.verdict} ${row.client_status}, got ${status}, reused ${reused}`
    if (row.level === 'must') wrong.push(line)
    t.comment(line)
  }
  t.same(wrong, [])
})

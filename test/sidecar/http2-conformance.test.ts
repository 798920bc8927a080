/** The conformance table of the codec, over sockets: against a listener of a whole data plane with an application. */
import http from 'node:http'
import net from 'node:net'
import t from 'tap'
import type { ConformanceCase } from './codec/http2/cases.ts'
import { CONFORMANCE } from './codec/http2/conformance.ts'
import { frame, parseFrames, PREFACE, settings, T } from './codec/http2/frames.ts'
import { judge, LAST_PING } from './codec/http2/judge.ts'
import { createPlane, forward, httpListener, listen, routes, staticCluster } from '../helpers/data-plane.ts'

/** A case that is not as expected by then is not going to be. */
const PATIENCE_MS = 15_000
const AT_ONCE = 8

/** A listener that speaks both versions takes what is no preface for HTTP/1.1. */
const OTHER_VERSION = new Set(['a wrong preface', 'HTTP/1.1 instead of a preface'])

const cases = CONFORMANCE.filter((c) => c.role === 'server' && !c.codecOnly && !OTHER_VERSION.has(c.title))

/** The application of the table's first comment. */
function answer(request: http.IncomingMessage, response: http.ServerResponse): void {
  const { url = '' } = request
  if (url === '/never' || url === '/hold') return
  const bytes = Number(/^\/bytes\/(\d+)$/.exec(url)?.[1] ?? 0)
  request.resume()
  request.on('end', () => response.end(Buffer.alloc(bytes, 'x')))
}

function play(c: ConformanceCase, port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const pieces: Buffer[] = []
    const socket = net.connect(port, '127.0.0.1')
    const verdict = (): string | null => judge(parseFrames(Buffer.concat(pieces)), c.expect)
    const done = (): void => {
      clearTimeout(timer)
      resolve(verdict())
      socket.destroy()
    }
    const timer = setTimeout(done, PATIENCE_MS)
    socket.on('data', (piece) => {
      pieces.push(piece)
      if (verdict() === null) done()
    })
    socket.on('error', done)
    socket.on('close', done)
    socket.write(Buffer.concat([...(c.raw ? [] : [PREFACE, settings()]), ...c.input, frame(T.PING, 0, 0, LAST_PING)]))
  })
}

t.test('what a listener answers is what RFC 9113 asks', async (t) => {
  const app = http.createServer(answer)
  t.teardown(() => {
    app.closeAllConnections()
    app.close()
  })
  const plane = createPlane()
  plane.plane.setClusters([staticCluster('app', await listen(app))])
  plane.plane.setRoutes([routes('8080', forward('app'))])
  t.same(await plane.plane.setListeners([httpListener('in', { rds: '8080', inbound: true })]), [])
  t.teardown(() => plane.plane.drain(0))
  const port = plane.port('in')
  const wrong: string[] = []
  const queue = [...cases]
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let c = queue.shift(); c !== undefined; c = queue.shift()) {
        const fault = await play(c, port)
        if (fault !== null) wrong.push(`${c.section} ${c.title}: ${fault}`)
      }
    }),
  )
  t.same(wrong, [])
  t.ok(cases.length > 150, `${cases.length} cases`)
})

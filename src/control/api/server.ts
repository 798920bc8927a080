/**
 * The control API: HTTP/1.1 with JSON on a UNIX socket, mode 0600. In: requests. Out: what the route's handler
 * returns, or a problem. Owns the socket file and its connections. node:http is fine here: no mesh traffic passes.
 */
import { chmodSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { ApiContext } from './context.ts'
import { objectRoutes } from './objects.ts'
import { authzRoutes } from './authz.ts'
import { applyRoutes } from './apply.ts'
import { podRoutes } from './pods.ts'
import { StoreUnavailableError } from '../store/store.ts'
import { ProblemError } from './problem.ts'
import { matchRoute, type Route } from './router.ts'
import { scaleRoutes } from './scale.ts'
import { statusRoutes } from './status.ts'
import { watchRoutes } from './watch.ts'

/** Larger bodies are refused, and no more of them is kept: configuration of one machine is far smaller. */
const MAX_BODY_BYTES = 4 * 1024 * 1024
/** How long the rest of a refused body is read and thrown away. */
const DISCARD_MS = 1000

const ROUTES: readonly Route[] = [
  ...applyRoutes,
  ...objectRoutes,
  ...scaleRoutes,
  ...podRoutes,
  ...statusRoutes,
  ...authzRoutes,
  ...watchRoutes,
]

export interface ApiServer {
  /** Ends every connection, watches too, and removes the socket. */
  close(): Promise<void>
}

/** Listens on `socket`; resolves once it accepts. A stale socket file there is removed: the store's lock is ours. */
export async function startApi(socket: string, context: ApiContext): Promise<ApiServer> {
  const server = createServer((request, response) => {
    void answer(request, response, context)
  })
  rmSync(socket, { force: true })
  await new Promise<void>((done, fail) => {
    server.once('error', fail)
    server.listen(socket, () => {
      server.removeListener('error', fail)
      done()
    })
  })
  chmodSync(socket, 0o600)
  return {
    close: () =>
      new Promise<void>((done) => {
        server.close(() => done())
        server.closeAllConnections()
      }),
  }
}

async function answer(request: IncomingMessage, response: ServerResponse, context: ApiContext): Promise<void> {
  try {
    const { route, params, query } = matchRoute(ROUTES, request.method ?? '', request.url ?? '')
    const takesBody = route.method === 'POST' || route.method === 'PUT'
    const body = takesBody ? await readJson(request) : undefined
    const apiRequest = { params, query, body, raw: request }
    if (route.stream !== undefined) route.stream(apiRequest, response, context)
    else send(response, 200, 'application/json', await route.handle?.(apiRequest, context))
  } catch (error) {
    if (response.headersSent || response.destroyed) {
      response.destroy()
      return
    }
    const problem = asProblem(error, context)
    if (problem.allow !== undefined) response.setHeader('allow', problem.allow)
    if (!request.complete) {
      response.setHeader('connection', 'close')
      await discardBody(request)
    }
    send(response, problem.status, 'application/problem+json', problem.toProblem())
  }
}

/** A client that still sends when the connection ends meets a reset instead of the answer: hear it out, for a while. */
function discardBody(request: IncomingMessage): Promise<void> {
  return new Promise((done) => {
    const timer = setTimeout(done, DISCARD_MS)
    request.once('close', () => {
      clearTimeout(timer)
      done()
    })
    request.resume()
  })
}

function asProblem(error: unknown, context: ApiContext): ProblemError {
  if (error instanceof ProblemError) return error
  if (error instanceof StoreUnavailableError) return new ProblemError('unavailable', error.message)
  context.log.error({ err: error }, 'a request of the control API failed')
  return new ProblemError('internal', error instanceof Error ? error.message : String(error))
}

function send(response: ServerResponse, status: number, type: string, body: unknown): void {
  const bytes = Buffer.from(JSON.stringify(body ?? null))
  response.writeHead(status, { 'content-type': type, 'content-length': bytes.length, 'cache-control': 'no-store' })
  response.end(bytes)
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const type = request.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase()
  if (type !== 'application/json')
    throw new ProblemError('unsupported_media_type', `the body must be application/json, not ${type ?? 'untyped'}`)
  const tooLarge = `the body is larger than ${MAX_BODY_BYTES} bytes`
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) throw new ProblemError('too_large', tooLarge)
  const chunks: Buffer[] = []
  let size = 0
  // taken by events, not by iteration: leaving a loop would destroy the socket before the answer is out
  await new Promise<void>((done, fail) => {
    request.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size > MAX_BODY_BYTES) fail(new ProblemError('too_large', tooLarge))
      else chunks.push(chunk)
    })
    request.once('end', done)
    request.once('error', fail)
  })
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new ProblemError('bad_request', `the body is not JSON: ${reason}`)
  }
}

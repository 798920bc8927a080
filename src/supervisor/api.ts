/**
 * The supervisor's API on its UNIX socket (0600): HTTP/1.1 with JSON, paths and messages of client/contract.ts.
 * In: requests of this user's CLI. Out: answers, problems (RFC 9457). Owns the socket.
 */
import { chmodSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { EnvResponse, KillRequest, Problem, PsResponse, RestartRequest } from '../client/contract.ts'

const MAX_BODY_BYTES = 64 * 1024

/** What the API asks of the supervisor; `undefined` is "there is nothing of that name". */
export interface SupervisorSource {
  ps(): PsResponse
  refresh(): Promise<void>
  env(target: string, namespace: string, container?: string): EnvResponse | undefined
  restart(request: RestartRequest): Promise<string | undefined>
  kill(request: KillRequest): string | undefined
  stop(): Promise<void>
}

export interface SupervisorApi {
  close(): Promise<void>
}

export async function startSupervisorApi(socket: string, source: SupervisorSource): Promise<SupervisorApi> {
  const server = createServer((request, response) => {
    answer(request, response, source).catch((error: unknown) => {
      if (error instanceof BadRequest) problem(response, 400, 'bad_request', error.message)
      else problem(response, 500, 'internal', (error as Error).message)
    })
  })
  rmSync(socket, { force: true })
  await new Promise<void>((done, fail) => {
    server.once('error', fail)
    server.listen(socket, done)
  })
  chmodSync(socket, 0o600)
  return {
    close: () =>
      new Promise((done) => {
        server.close(() => {
          rmSync(socket, { force: true })
          done()
        })
        server.closeIdleConnections()
        setTimeout(() => server.closeAllConnections(), 100).unref()
      }),
  }
}

class BadRequest extends Error {}

async function answer(request: IncomingMessage, response: ServerResponse, source: SupervisorSource): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://supervisor')
  const [, version, verb, name, ...rest] = url.pathname.split('/').map(decode)
  if (version !== 'v1' || rest.length > 0) return problem(response, 404, 'not_found', `there is no ${url.pathname}`)
  switch (`${request.method} ${verb}`) {
    case 'GET ps':
      return json(response, source.ps())
    case 'POST refresh':
      await source.refresh()
      return json(response, { message: 'the store and the tables of images were read' })
    case 'GET env': {
      const namespace = url.searchParams.get('namespace') ?? 'default'
      const container = url.searchParams.get('container') ?? undefined
      const env = source.env(name ?? '', namespace, container)
      const what = container === undefined ? (name ?? '') : `${name} -c ${container}`
      return env === undefined ? notFound(response, what, namespace) : json(response, env)
    }
    case 'POST restart': {
      const body = parseTarget(await readBody(request))
      const message = await source.restart(body)
      return message === undefined ? notFound(response, body.target, body.namespace) : json(response, { message })
    }
    case 'POST kill': {
      const body = parseTarget(await readBody(request))
      const message = source.kill(body)
      return message === undefined ? notFound(response, body.target, body.namespace) : json(response, { message })
    }
    case 'POST down':
      // the answer first: the connection ends with the mesh
      response.once('finish', () => void source.stop())
      return json(response, { message: 'the mesh is being ended' })
    default:
      return problem(response, 404, 'not_found', `there is no ${request.method} ${url.pathname}`)
  }
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    throw new BadRequest(`"${segment}" in the path is not valid percent-encoding`)
  }
}

function parseTarget(body: unknown): KillRequest {
  const { target, namespace, forMs } = (body ?? {}) as Record<string, unknown>
  if (typeof target !== 'string' || target === '') throw new BadRequest('target: the name of a pod or workload')
  if (forMs !== undefined && (typeof forMs !== 'number' || !(forMs >= 0))) throw new BadRequest('forMs: milliseconds')
  const request: KillRequest = { target, namespace: typeof namespace === 'string' ? namespace : 'default' }
  return forMs === undefined ? request : { ...request, forMs }
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  let text = ''
  for await (const chunk of request.setEncoding('utf8')) {
    text += chunk
    if (text.length > MAX_BODY_BYTES) throw new BadRequest('the body is too long')
  }
  try {
    return JSON.parse(text)
  } catch {
    throw new BadRequest('the body is not JSON')
  }
}

function notFound(response: ServerResponse, target: string, namespace: string): void {
  problem(response, 404, 'not_found', `there is no pod or workload "${target}" running in namespace ${namespace}`)
}

function problem(response: ServerResponse, status: number, code: string, detail: string): void {
  const title = status === 404 ? 'Not Found' : status === 400 ? 'Bad Request' : 'Internal Error'
  const body: Problem = { type: 'about:blank', title, status, code, detail }
  json(response, body, status, 'application/problem+json')
}

function json(response: ServerResponse, body: unknown, status = 200, type = 'application/json'): void {
  response.writeHead(status, { 'content-type': type })
  response.end(JSON.stringify(body))
}

/**
 * JSON over HTTP/1.1 on a UNIX socket. In: a path and a body. Out: the parsed answer, or one of errors.ts.
 * Owns a pool of connections, made at the first call; undici is loaded then too, so that programs that call nothing
 * start without it.
 */
import type { Dispatcher, Pool } from 'undici'
import type { Problem } from './contract.ts'
import { ApiError, ApiTimeoutError, UnreachableError } from './errors.ts'

export interface ApiOptions {
  socketPath: string
  /** The sentence for "nobody listens there". */
  unreachable: string
}

export interface CallOptions {
  query?: Record<string, string | number | boolean | undefined>
  body?: unknown
  /** Longest wait for the answer; default 30 s. */
  timeoutMs?: number
  headers?: Record<string, string>
  signal?: AbortSignal
}

const DEFAULT_TIMEOUT_MS = 30_000
/** Calls that wait (watch, delivery) each hold one. */
const MAX_CONNECTIONS = 16

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE'

export class ApiConnection {
  readonly #options: ApiOptions
  #pool: Promise<Pool> | undefined

  constructor(options: ApiOptions) {
    this.#options = options
  }

  /** One call; the answer's JSON is taken to be what the contract says of this path. */
  async call<T>(method: Method, path: string, options: CallOptions = {}): Promise<T> {
    const response = await this.#send(method, path, options)
    const text = await this.#guard(response.body.text())
    if (response.statusCode >= 400) throw problemOf(response.statusCode, text)
    return JSON.parse(text) as T
  }

  /** A GET whose body is read as it comes: text chunks, until the server or `signal` ends it. */
  async stream(path: string, options: CallOptions = {}): Promise<AsyncIterable<string>> {
    const response = await this.#send('GET', path, { ...options, timeoutMs: options.timeoutMs ?? 0 })
    if (response.statusCode >= 400) throw problemOf(response.statusCode, await this.#guard(response.body.text()))
    response.body.setEncoding('utf8')
    return response.body
  }

  /** Ends the connections; calls in flight fail. */
  async close(): Promise<void> {
    const pool = await this.#pool
    this.#pool = undefined
    await pool?.destroy()
  }

  async #send(method: Method, path: string, options: CallOptions): Promise<Dispatcher.ResponseData> {
    const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS
    this.#pool ??= openPool(this.#options.socketPath)
    const pool = await this.#pool
    const headers: Record<string, string> = { accept: 'application/json', ...options.headers }
    if (options.body !== undefined) headers['content-type'] = 'application/json'
    return this.#guard(
      pool.request({
        method,
        path: withQuery(path, options.query),
        headers,
        body: options.body === undefined ? null : JSON.stringify(options.body),
        headersTimeout: timeoutMs,
        bodyTimeout: timeoutMs,
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      }),
    )
  }

  async #guard<T>(work: Promise<T>): Promise<T> {
    try {
      return await work
    } catch (error) {
      throw this.#explain(error)
    }
  }

  #explain(error: unknown): unknown {
    const code = (error as { code?: unknown } | null)?.code
    switch (code) {
      case 'ENOENT':
      case 'ECONNREFUSED':
      case 'ECONNRESET':
      case 'EPIPE':
      case 'UND_ERR_SOCKET':
        return new UnreachableError(this.#options.unreachable, error)
      case 'EACCES':
        return new UnreachableError(
          `no permission to use ${this.#options.socketPath}: it is another user's mesh`,
          error,
        )
      case 'UND_ERR_HEADERS_TIMEOUT':
      case 'UND_ERR_BODY_TIMEOUT':
      case 'UND_ERR_CONNECT_TIMEOUT':
        return new ApiTimeoutError(`no answer in time on ${this.#options.socketPath}`, error)
      default:
        return error
    }
  }
}

async function openPool(socketPath: string): Promise<Pool> {
  const undici = await import('undici')
  return new undici.Pool('http://pocketmesh', { connect: { socketPath }, connections: MAX_CONNECTIONS })
}

/** `path?name=value`, without those that are undefined. */
export function withQuery(path: string, query: CallOptions['query']): string {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(query ?? {})) if (value !== undefined) search.set(name, String(value))
  return search.size === 0 ? path : `${path}?${search.toString()}`
}

function problemOf(status: number, text: string): ApiError {
  let body: Partial<Problem> = {}
  try {
    body = JSON.parse(text) as Partial<Problem>
  } catch {
    // an answer that is no problem document is shown as it came
  }
  return new ApiError({
    type: body.type ?? 'about:blank',
    title: body.title ?? `HTTP ${status}`,
    status,
    code: body.code ?? 'unknown',
    detail: body.detail ?? text.slice(0, 500),
    ...(body.issues === undefined ? {} : { issues: body.issues }),
  })
}

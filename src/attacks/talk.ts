/**
 * How attacks speak: raw sockets, so that no library sets right what is meant to be wrong. In: where, and bytes.
 * Out: what came back, or the error's code; always within a bound.
 */
import { connect, type NetConnectOpts, type Socket } from 'node:net'
import { connect as connectTls, type ConnectionOptions } from 'node:tls'
import { refused, succeeded, type Outcome } from './attack.ts'

export type Where = { host: string; port: number } | { path: string }

export interface Answer {
  connected: boolean
  text: string
  /** `ECONNREFUSED`, `timeout`, ...; '' where the other side closed. */
  error: string
}

export interface Speech {
  /** Sent at once, in the clear. */
  first?: Buffer | string
  /** Then a handshake, and this inside it. */
  tls?: ConnectionOptions
  inside?: string
}

const WITHIN_MS = 2000
/** An answer that has begun is over after this silence. */
const SILENCE_MS = 150
const MAX_BODY_SHOWN = 50

/** Connects, speaks, and reads until the other side closes, falls silent after an answer, or time is up. */
export function talk(where: Where, { first = '', tls, inside = '' }: Speech): Promise<Answer> {
  return new Promise((done) => {
    const answer: Answer = { connected: false, text: '', error: '' }
    const raw = connect(where as NetConnectOpts)
    let silence: NodeJS.Timeout | undefined
    const end = (error: string): void => {
      clearTimeout(deadline)
      clearTimeout(silence)
      answer.error ||= error
      raw.destroy()
      done(answer)
    }
    const deadline = setTimeout(() => end(answer.text === '' ? 'timeout' : ''), WITHIN_MS)
    const listen = (socket: Socket): void => {
      socket.on('data', (chunk: Buffer) => {
        answer.text += chunk.toString('latin1')
        clearTimeout(silence)
        silence = setTimeout(() => end(''), SILENCE_MS)
      })
    }
    const watch = (socket: Socket): void => {
      socket.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message))
      socket.on('close', () => end(''))
    }
    watch(raw)
    if (tls === undefined) listen(raw)
    raw.once('connect', () => {
      answer.connected = true
      if (first.length > 0) raw.write(first)
      if (tls === undefined) return
      const secure = connectTls({ ...tls, socket: raw, rejectUnauthorized: false })
      watch(secure)
      listen(secure)
      secure.once('secureConnect', () => secure.write(inside))
    })
  })
}

export interface HttpRequest {
  path?: string
  host: string
  headers?: readonly string[]
}

/** A request for the secret, with nothing added. */
export function httpText({ path = '/users?id=1', host, headers = [] }: HttpRequest): string {
  return [`GET ${path} HTTP/1.1`, `host: ${host}`, ...headers, 'connection: close', '', ''].join('\r\n')
}

/** Succeeded where the secret is in the answer. */
export function judged(answer: Answer, secret: string, what = ''): Outcome {
  const how = answer.text.includes(secret) ? 'the secret was read' : reasonOf(answer)
  const text = what === '' ? how : `${what}: ${how}`
  return answer.text.includes(secret) ? succeeded(text) : refused(text)
}

export function reasonOf({ text, error, connected }: Answer): string {
  const statuses = [...text.matchAll(/HTTP\/1\.[01] (\d{3})/g)].map(([, status]) => status)
  if (statuses.length > 0) {
    if (text.includes('RBAC: access denied')) return `${statuses.join(', ')} RBAC: access denied`
    const body = text.slice(text.indexOf('\r\n\r\n') + 4).split(/\r?\n/)[0] ?? ''
    return `${statuses.join(', ')} ${body.slice(0, MAX_BODY_SHOWN)}`.trim()
  }
  if (error !== '') return error
  return connected ? 'closed without an answer' : 'no connection'
}

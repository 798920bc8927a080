/**
 * One message of the corpus and what a proxy must make of it, in the fields that such corpora share; and a short way to
 * write many. In: bytes as text, one character each. Out: rows. The sections are those of RFC 9112 and RFC 9110.
 */

/**
 * accept: exactly `requests` arrive at the upstream. reject: at most `requests`, those before the offending one; of it
 * nothing (phase head), or never a whole one (body, incomplete). either: what arrives is strictly well formed.
 */
export interface RequestRow {
  id: string
  base64: string
  verdict: 'accept' | 'reject' | 'either'
  reason: string
  /** must: RFC 9112 leaves no choice. policy: it does, and this is the strict one. */
  level: 'must' | 'policy'
  phase: 'head' | 'body' | 'incomplete' | null
  /** Of the answer to the offending request. */
  status: number | null
  requests: number
  /** What arrives, each as `METHOD path host body`. */
  seen?: string[]
  /** Field names, lower case, that may not arrive; or `name: value`, where the proxy has a value of its own. */
  absent?: string[]
  /** Field names, lower case, that must. */
  kept?: string[]
}

export const HOST = 'example.test'
export const H = `Host: ${HOST}\r\n`
/** What an attacker would like to be taken for a request of its own. */
export const SMUGGLED = `GET /smuggled HTTP/1.1\r\n${H}\r\n`
/** A body that is a whole request, as chunks. */
export const CHUNKED_SMUGGLED = `${SMUGGLED.length.toString(16)}\r\n${SMUGGLED}\r\n0\r\n\r\n`
export const TE = 'Transfer-Encoding: chunked\r\n'

export const get = (fields = '', after = ''): string => `GET /x HTTP/1.1\r\n${H}${fields}\r\n${after}`
export const post = (fields = '', body = ''): string => `POST /x HTTP/1.1\r\n${H}${fields}\r\n${body}`
export const length = (body: string): string => `Content-Length: ${body.length}\r\n`

/** A byte as people write it. */
export const byteName = (char: string): string => `0x${char.charCodeAt(0).toString(16).padStart(2, '0')}`

/** All that may not stand in a token, but CR and LF, which are cases of their own. */
export const NO_TOKEN = '"(),/:;<=>?@[\\]{}\0\x01\t\x0b\x0c\x1f\x7f\x80\xff'.split('')
/** Control characters but CR, LF, NUL and HTAB. */
export const CONTROLS = Array.from({ length: 32 }, (_, i) => String.fromCharCode(i))
  .filter((c) => !'\0\t\r\n'.includes(c))
  .concat('\x7f')

type More = Partial<Omit<RequestRow, 'id' | 'base64' | 'verdict'>>

/** Rows of one family, numbered. */
export class Family {
  readonly rows: RequestRow[] = []
  readonly #name: string
  constructor(name: string) {
    this.#name = name
  }

  /** All of it is well formed. */
  accept(text: string, reason: string, more: More = {}): void {
    this.#add('accept', text, reason, { phase: null, status: null, requests: 1, ...more })
  }
  /** The head of a request is bad, and RFC 9112 says so. */
  refuse(text: string, reason: string, more: More = {}): void {
    this.#add('reject', text, reason, more)
  }
  /** The head of a request is bad, and a lenient reader might take it. */
  strict(text: string, reason: string, more: More = {}): void {
    this.#add('reject', text, reason, { level: 'policy', ...more })
  }
  /** The body is bad. */
  broken(text: string, reason: string, more: More = {}): void {
    this.#add('reject', text, reason, { phase: 'body', ...more })
  }
  /** The connection ends before the message does. */
  cut(text: string, reason: string, more: More = {}): void {
    this.#add('reject', text, reason, { phase: 'incomplete', status: null, ...more })
  }
  either(text: string, reason: string, more: More = {}): void {
    this.#add('either', text, reason, { level: 'policy', ...more })
  }

  #add(verdict: RequestRow['verdict'], text: string, reason: string, more: More): void {
    const id = `${this.#name}-${String(this.rows.length + 1).padStart(3, '0')}`
    const base64 = Buffer.from(text, 'latin1').toString('base64')
    this.rows.push({ id, base64, verdict, reason, level: 'must', phase: 'head', status: 400, requests: 0, ...more })
  }
}

/**
 * Server-sent events (WHATWG HTML, section 9.2): text chunks in, messages out. Owns no socket and no timer.
 * Only what /v1/watch uses: `id` and `data`. A message without data is not given out, yet its id counts.
 */
export interface ServerEvent {
  data: string
}

export class EventParser {
  #rest = ''
  #data: string[] = []
  #pendingId: string | undefined
  /** The id to come back with, after a broken connection. */
  lastId: string | undefined

  constructor(lastId?: string) {
    this.lastId = lastId
  }

  /** Messages that `chunk` completes. */
  push(chunk: string): ServerEvent[] {
    const lines = (this.#rest + chunk).split('\n')
    this.#rest = lines.pop() ?? ''
    const out: ServerEvent[] = []
    for (const raw of lines) {
      const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw
      if (line === '') this.#dispatch(out)
      else this.#field(line)
    }
    return out
  }

  #field(line: string): void {
    const colon = line.indexOf(':')
    if (colon === 0) return
    const name = colon === -1 ? line : line.slice(0, colon)
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (name === 'data') this.#data.push(value)
    else if (name === 'id') this.#pendingId = value
  }

  #dispatch(out: ServerEvent[]): void {
    if (this.#pendingId !== undefined) this.lastId = this.#pendingId
    this.#pendingId = undefined
    if (this.#data.length > 0) out.push({ data: this.#data.join('\n') })
    this.#data = []
  }
}

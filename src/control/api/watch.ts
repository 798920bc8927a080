/**
 * GET /v1/watch: server-sent events from a revision on. In: the store's commits. Out: one message for each key, and
 * `id:` with a commit's last one only, so that a client that comes back from the last id gets whole commits.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { WatchEvent } from '../../client/contract.ts'
import { CompactedError, type StoreEvent } from '../store/store.ts'
import { queryInteger } from './body.ts'
import type { ApiContext } from './context.ts'
import { OBJECTS, PODS } from './keys.ts'
import { ProblemError } from './problem.ts'
import type { ApiRequest, Route } from './router.ts'

/** A reader that is this far behind is cut off; it comes back from its last id. */
const MAX_BEHIND_BYTES = 1024 * 1024

export const watchRoutes: readonly Route[] = [{ method: 'GET', path: '/v1/watch', query: ['from'], stream: watch }]

function watch(request: ApiRequest, response: ServerResponse, { store }: ApiContext): void {
  const from = startOf(request) ?? store.revision
  let stop: (() => void) | undefined
  let opened = false
  const early: string[] = []
  const write = (text: string): void => {
    if (!opened) early.push(text)
    else if (response.writableLength > MAX_BEHIND_BYTES) response.destroy()
    else response.write(text)
  }
  try {
    stop = store.watch(from, (events) => write(eventText(events)))
  } catch (error) {
    if (error instanceof CompactedError) throw new ProblemError('compacted', error.message)
    throw error
  }
  response.on('close', stop)
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
  opened = true
  // a message without data: tells the client where it stands before anything happens
  response.write(`id: ${from}\n\n${early.join('')}`)
}

function startOf(request: ApiRequest): number | undefined {
  const header = lastEventId(request.raw)
  const query = header === undefined ? request.query : new Map([['from', header]])
  return queryInteger(query, 'from', Number.MAX_SAFE_INTEGER)
}

function lastEventId(raw: IncomingMessage): string | undefined {
  const value = raw.headers['last-event-id']
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** The messages of one commit; '' when it touches nothing that is watched. */
export function eventText(events: readonly StoreEvent[]): string {
  const shown = events.map(toWatchEvent).filter((e) => e !== undefined)
  return shown
    .map((event, i) => {
      const id = i === shown.length - 1 ? `id: ${event.revision}\n` : ''
      return `${id}data: ${JSON.stringify(event)}\n\n`
    })
    .join('')
}

function toWatchEvent(event: StoreEvent): WatchEvent | undefined {
  if (!event.key.startsWith(OBJECTS) && !event.key.startsWith(PODS)) return undefined
  const slash = event.key.indexOf('/')
  return {
    type: event.type,
    collection: event.key.slice(0, slash),
    key: event.key.slice(slash + 1),
    revision: event.revision,
  }
}

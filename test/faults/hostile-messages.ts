/**
 * HTTP/1.1 requests, friendly and hostile, each with what must become of it. In: our own corpus, and one of other
 * people's where POCKETMESH_SHARED names one. Out: rows. Which verdicts: `accept` all arrive; `reject` at most those before the fault.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { requests } from '../corpus/http1/requests.ts'

export interface HostileMessage {
  id: string
  base64: string
  verdict: 'accept' | 'reject' | 'either'
  level: 'must' | 'policy'
  requests: number
  reason: string
}

export function hostileMessages(): HostileMessage[] {
  const shared = process.env['POCKETMESH_SHARED']
  const file = shared === undefined ? '' : join(shared, 'corpus/http1/requests.jsonl')
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : []
  return [...requests, ...lines.filter((line) => line !== '').map((line) => JSON.parse(line) as HostileMessage)]
}

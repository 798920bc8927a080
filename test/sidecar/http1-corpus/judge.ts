/**
 * Whether what came of a message is right. In: its row, what the client got, what the upstream saw. Out: complaints.
 * reject: nothing of the offending request (head), or never a whole one (body, incomplete). accept: exactly what was
 * sent. All: what arrives is strictly well formed, and the client got one answer for each request that arrived.
 */
import { normalizePath } from '../../../src/lib/normalize-path.ts'
import { type RequestRow } from '../../corpus/http1/row.ts'
import { answered, statuses } from './client.ts'
import type { SeenRequest, Segment } from './upstream.ts'

export interface Outcome {
  text: string
  hangs: boolean
  seen: SeenRequest[]
  anomalies: string[]
  segments: Segment[]
  unknownMethod: boolean
}

/** Fields of one hop, and look-alikes of what frames or routes. */
const NEVER = /^(?:keep-alive|proxy-connection|proxy-authorization|trailer|http2-settings|.*_.*)$/
const LOOK_ALIKE = /^(?:transfer|content|proxy|keep)_|^x_(?:forwarded|envoy)|_(?:length|encoding|metadata)$/

/** Complaints about a request as the upstream saw it, whatever the row says. */
function malformed({ method, url, fields }: SeenRequest): string[] {
  const out: string[] = []
  const count = (name: string): number => fields.filter(([n]) => n === name).length
  if (count('host') !== 1) out.push(`${count('host')} Host fields`)
  if (count('content-length') + count('transfer-encoding') > 1) out.push('two framings')
  for (const [name, value] of fields) {
    if (NEVER.test(name) && (!name.includes('_') || LOOK_ALIKE.test(name))) out.push(`${name} arrived`)
    if (name === 'content-length' && !/^(?:0|[1-9]\d{0,15})$/.test(value)) out.push(`content-length: ${value}`)
    if (name === 'transfer-encoding' && value !== 'chunked') out.push(`transfer-encoding: ${value}`)
    if (name === 'te' && value !== 'trailers') out.push(`te: ${value}`)
  }
  if (!url.startsWith('/') && !(url === '*' && method === 'OPTIONS')) out.push(`target ${url}`)
  return out
}

const hostOf = (request: SeenRequest): string => request.fields.find(([name]) => name === 'host')?.[1] ?? ''

/** A request as rows write it. */
export const told = (r: SeenRequest): string => `${r.method} ${r.url} ${hostOf(r)} ${r.body}`

/** `exact`: the very status that the row says; else any that refuses. */
export function judge(row: RequestRow, outcome: Outcome, exact: boolean): string[] {
  const { seen, anomalies, text } = outcome
  const out = anomalies.map((anomaly) => `upstream: ${anomaly}`)
  if (outcome.hangs) out.push('nothing ended')
  for (const request of seen) out.push(...malformed(request))
  const whole = seen.filter((request) => request.complete)
  const answers = answered(text)
  if (answers.join(' ') !== whole.map((request) => request.url).join(' '))
    out.push(
      `the client got answers for [${answers.join(' ')}], the upstream saw [${whole.map((r) => r.url).join(' ')}]`,
    )
  const names = new Set(seen.flatMap(({ fields }) => fields.flatMap(([name, value]) => [name, `${name}: ${value}`])))
  for (const name of row.absent ?? []) if (names.has(name)) out.push(`${name} arrived`)
  for (const name of row.kept ?? []) if (!names.has(name)) out.push(`${name} did not arrive`)
  if (row.verdict === 'accept' && outcome.unknownMethod) {
    if (statuses(text).at(-1) !== 501) out.push('the answer of the upstream did not come')
  } else if (row.verdict === 'accept') {
    if (whole.length !== row.requests) out.push(`${whole.length} of ${row.requests} arrived`)
    const got = whole.map(told)
    for (const [i, line] of (row.seen ?? []).entries())
      if (got[i] !== line) out.push(`arrived: ${JSON.stringify(got[i])}, not ${JSON.stringify(line)}`)
  } else if (row.verdict === 'reject') {
    if (whole.length > row.requests) out.push(`${whole.length} arrived, ${row.requests} might`)
    const begun = seen.length - whole.length
    if (row.phase === 'head' && begun > 0) out.push('a part of it arrived')
    if (row.phase === 'head' && row.requests === 0 && outcome.segments.length > 0) out.push('bytes of it arrived')
    const last = statuses(text).at(-1)
    if (exact && row.status !== null && last !== row.status) out.push(`answered ${last}, not ${row.status}`)
    if (row.phase !== 'incomplete' && last !== undefined && last < 400) out.push(`answered ${last}`)
  }
  return out
}

/** What llhttp made of the bytes without a proxy, and with: the same, but for what a proxy must change. */
export function differs(direct: SeenRequest[], relayed: SeenRequest[]): string[] {
  return direct.flatMap((sent, i) => {
    const got = relayed[i]
    if (got === undefined) return [] // counted elsewhere
    const origin = /^https?:\/\/[^/?]*(.*)$/i.exec(sent.url)?.[1] ?? sent.url
    const path = origin.startsWith('/') ? normalizePath(origin) : origin
    const out: string[] = []
    if (got.method !== sent.method) out.push(`method ${got.method}, not ${sent.method}`)
    if (got.body !== sent.body) out.push(`body ${JSON.stringify(got.body)}, not ${JSON.stringify(sent.body)}`)
    if (origin === sent.url && got.url !== path) out.push(`target ${got.url}, not ${path}`)
    return out
  })
}

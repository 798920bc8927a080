/**
 * Sends each request of a corpus through a rig, in each of the splits, and judges. After each message an ordinary
 * request follows on a connection of its own: it must get its own answer, whatever the message left behind.
 */
import type { RequestRow } from '../../corpus/http1/row.ts'
import { answered, cut, send, type Split } from './client.ts'
import type { Reading, SecondOpinion } from './h11.ts'
import { differs, judge, type Outcome } from './judge.ts'
import type { Rig } from './rig.ts'
import type { SeenRequest, StrictUpstream } from './upstream.ts'

export interface Wrong {
  id: string
  level: string
  line: string
}

/** A line of `row.seen`. */
function readingOf(line: string): Reading {
  const [method = '', url = '', , ...body] = line.split(' ')
  return { method, url, body: body.join(' '), complete: true }
}

const known = new Map<string, SeenRequest[]>()

/** What the upstream makes of the bytes as they are; nothing where it alone would not read them so. */
async function withoutProxy(row: RequestRow, bytes: Buffer, upstream: StrictUpstream): Promise<SeenRequest[]> {
  let direct = known.get(row.base64)
  if (direct !== undefined) return direct
  upstream.begin()
  await send(upstream.port, [bytes])
  direct = upstream.seen.filter((request) => request.complete)
  if (direct.length !== row.requests) direct = []
  known.set(row.base64, direct)
  return direct
}

export async function runRequests(
  rows: readonly RequestRow[],
  rig: Rig,
  upstream: StrictUpstream,
  splits: readonly Split[],
  second: SecondOpinion | null,
  exact = true,
): Promise<Wrong[]> {
  const wrong: Wrong[] = []
  let control = 0
  for (const row of rows)
    for (const split of splits) {
      upstream.begin()
      const url = `/control-${++control}`
      const bytes = Buffer.from(row.base64, 'base64')
      const { text, hangs } = await send(rig.port, cut(bytes, split))
      const after = await send(rig.port, [Buffer.from(`GET ${url} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)])
      const isControl = (candidate: { url: string }): boolean => candidate.url === url
      const controlBytes = (part: Buffer): boolean => part.toString('latin1').startsWith(`GET ${url} `)
      const outcome: Outcome = {
        text,
        hangs,
        seen: upstream.seen.filter((request) => !isControl(request)),
        anomalies: upstream.anomalies,
        unknownMethod: upstream.unknownMethod,
        segments: upstream.segments().filter(({ bytes }) => !controlBytes(bytes)),
      }
      const complaints = judge(row, outcome, exact)
      if (answered(after.text).join() !== url) complaints.push(`the next request got ${JSON.stringify(after.text)}`)
      const unknown = row.seen === undefined ? null : [...row.seen.map(readingOf), ...upstream.seen]
      const expected = upstream.unknownMethod ? unknown : upstream.seen
      second?.add(`${rig.name} ${row.id}`, split, upstream.segments(), expected)
      if (row.verdict === 'accept' && row.seen === undefined && !upstream.unknownMethod)
        complaints.push(...differs(await withoutProxy(row, bytes, upstream), outcome.seen))
      if (complaints.length === 0) continue
      const sent = JSON.stringify(bytes.toString('latin1').slice(0, 160))
      const line = `${rig.name}, ${split}: ${row.level} ${row.id} (${row.reason}): ${complaints.join('; ')} ${sent}`
      wrong.push({ id: row.id, level: row.level, line })
    }
  return wrong
}

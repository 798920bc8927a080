/** What a codec makes of bytes in any pieces, as lines of text, and that it is the same for every split. */
import type { Test } from 'tap'
import { BODY_NONE } from '../../../../src/sidecar/codec/body.ts'
import type { Head } from '../../../../src/sidecar/codec/head.ts'
import { BodyReader, Framing } from '../../../../src/sidecar/codec/http1/framing.ts'
import { HeadReader } from '../../../../src/sidecar/codec/http1/head.ts'
import { DROPPED } from '../../../../src/sidecar/codec/names.ts'
import { DONE, MORE } from '../../../../src/sidecar/codec/verdict.ts'

export const H = 'Host: a\r\n'
export const refused = (status: number): RegExp => new RegExp(`refused ${status}$`)

/** In brackets: dropped. */
function fieldTexts(head: Head): string {
  const one = (i: number): string => {
    const text = `${head.text(head.nameStart(i), head.nameEnd(i))}=${head.value(i)}`
    return head.id(i) === DROPPED ? `(${text})` : text
  }
  return Array.from({ length: head.count }, (_, i) => one(i)).join('|')
}

function extras(framing: Framing): string {
  const hops = framing.maxForwards < 0 ? '' : ` hops=${framing.maxForwards}`
  return `${framing.expectContinue ? ' expect' : ''}${framing.acceptsTrailers ? ' trailers' : ''}${hops}`
}

/** Everything a server would see of `pieces`, as lines; ends at the first fault. */
export function events(pieces: Buffer[], kind: 'request' | 'response' = 'request'): string[] {
  const out: string[] = []
  const reader = new HeadReader(kind)
  const framing = new Framing()
  const body = new BodyReader(kind)
  let inBody = false
  let text = ''
  for (const piece of pieces) {
    let at = 0
    while (at < piece.length) {
      if (!inBody) {
        const verdict = reader.read(piece, at, piece.length)
        if (verdict === MORE) break
        if (verdict !== DONE) return [...out, `refused ${verdict}`]
        at = reader.next
        const { head } = reader
        const framed = kind === 'request' ? framing.readRequest(head) : framing.readResponse(head, 'GET')
        if (framed !== DONE) return [...out, `refused ${framed}`]
        const line =
          kind === 'request'
            ? `${head.text(head.methodStart, head.methodEnd)} ${head.text(head.targetStart, head.targetEnd)} 1.${head.minor}`
            : `${head.status} ${head.text(head.reasonStart, head.reasonEnd)} 1.${head.minor}`
        out.push(
          `${line} [${fieldTexts(head)}] body=${framing.kind}/${framing.lengthBytes} keep=${framing.keepAlive}${extras(framing)}`,
        )
        text = ''
        inBody = framing.kind !== BODY_NONE
        body.start(framing)
        reader.reset()
      } else {
        const verdict = body.read(piece, at, piece.length, {
          onBody: (buf, start, end) => (text += buf.toString('latin1', start, end)),
          onTrailers: (head) => (text += ` trailers [${fieldTexts(head)}]`),
        })
        if (verdict === MORE) break
        if (verdict !== DONE) return [...out, `body "${text}" refused ${verdict}`]
        at = body.next
        out.push(`body "${text}"`)
        inBody = false
      }
    }
  }
  if (inBody) out.push(`body "${text}" goes on`)
  else if (!reader.isIdle) out.push('head goes on')
  return out
}

/** The same events for the whole, for each split in two, and byte by byte. */
export function everySplit(
  test: Test,
  name: string,
  text: string,
  expected: RegExp,
  kind: 'request' | 'response',
): void {
  const bytes = Buffer.from(text, 'latin1')
  const whole = events([bytes], kind)
  test.match(whole.join('\n'), expected, name)
  const at =
    bytes.length > 2000 ? [1, 7, 100, bytes.length - 3] : Array.from({ length: bytes.length - 1 }, (_, i) => i + 1)
  const differs = at.find(
    (i) => events([bytes.subarray(0, i), bytes.subarray(i)], kind).join('\n') !== whole.join('\n'),
  )
  test.equal(differs, undefined, `${name}: the same for every split`)
  const single = Array.from(bytes, (_, i) => bytes.subarray(i, i + 1))
  if (bytes.length < 2000) test.same(events(single, kind), whole, `${name}: the same byte by byte`)
}

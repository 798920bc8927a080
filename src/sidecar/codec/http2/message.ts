/**
 * What a message's head says beyond its syntax, RFC 9113 sections 8.1 to 8.3 and 8.5: length, authority, expectation.
 * In: a decoded head. Out: a verdict; framing and rules in its stream. A body that contradicts its declared length would
 * be a smuggled one behind an HTTP/1.1 hop, so it is counted here.
 */
import { ascii, equalsIgnoreCase, readLength } from '../bytes.ts'
import { BODY_CHUNKED, BODY_LENGTH, BODY_NONE } from '../body.ts'
import { DROPPED, nameId } from '../names.ts'
import { DONE, EXPECTATION_FAILED, MALFORMED, type Verdict } from '../verdict.ts'
import { CONNECT_REQUEST, HEAD_REQUEST, type Http2Stream, PLAIN } from './stream.ts'

const HOST = nameId('host')
const CONTENT_LENGTH = nameId('content-length')
const EXPECT = nameId('expect')
const CONTINUE = ascii('100-continue')

/** A request, before anybody sees it. */
export function readRequest(stream: Http2Stream, endStream: boolean, connectProtocol: boolean): Verdict {
  const { head } = stream
  if (head.isMethod('CONNECT')) stream.requestKind = CONNECT_REQUEST
  if (head.protocolEnd > head.protocolStart && (!connectProtocol || stream.requestKind !== CONNECT_REQUEST))
    return MALFORMED
  // the decoder has seen to it that Host says the same as the authority, which stands in the model
  const host = head.find(HOST)
  if (host >= 0) head.setId(host, DROPPED)
  return readFields(stream, endStream)
}

/** A final response. */
export function readResponse(stream: Http2Stream, endStream: boolean): Verdict {
  const { status } = stream.head
  if (stream.requestKind === CONNECT_REQUEST && status >= 300) stream.requestKind = PLAIN // no tunnel: an answer as any
  stream.bodyless = stream.requestKind === HEAD_REQUEST || status === 204 || status === 304
  return readFields(stream, endStream)
}

/** Whether so much more DATA (and its end) agrees with what the head declared. */
export function agrees(stream: Http2Stream, dataBytes: number, ends: boolean): boolean {
  if (stream.bodyless) return dataBytes === 0
  if (stream.expectedBytes < 0) return true
  stream.expectedBytes -= dataBytes
  return ends ? stream.expectedBytes === 0 : stream.expectedBytes >= 0
}

function readFields(stream: Http2Stream, endStream: boolean): Verdict {
  const { head, framing } = stream
  let lengthBytes = -1
  framing.expectContinue = false
  for (let i = 0; i < head.count; i++) {
    const id = head.id(i)
    if (id === CONTENT_LENGTH) {
      if (lengthBytes >= 0) return MALFORMED
      lengthBytes = readLength(head.bytes, head.valueStart(i), head.valueEnd(i))
      if (lengthBytes < 0) return MALFORMED
    } else if (id === EXPECT) {
      if (!equalsIgnoreCase(head.bytes, head.valueStart(i), head.valueEnd(i), CONTINUE)) return EXPECTATION_FAILED
      framing.expectContinue = true
    }
  }
  framing.hasLength = lengthBytes >= 0
  framing.lengthBytes = Math.max(0, lengthBytes)
  if (stream.requestKind === CONNECT_REQUEST) {
    framing.kind = endStream ? BODY_NONE : BODY_CHUNKED // a tunnel's bytes: no length holds for them
    return DONE
  }
  stream.expectedBytes = lengthBytes
  if (endStream && lengthBytes > 0 && !stream.bodyless) return MALFORMED
  framing.kind = endStream || stream.bodyless ? BODY_NONE : lengthBytes >= 0 ? BODY_LENGTH : BODY_CHUNKED
  return DONE
}

/** A head on its way: what came as never indexed goes on so, pseudo-headers too (RFC 7541 section 7.1.3). */
import t from 'tap'
import { HpackDecoder } from '../../../../src/sidecar/codec/http2/hpack/decoder.ts'
import { HpackEncoder } from '../../../../src/sidecar/codec/http2/hpack/encoder.ts'
import { Http2HeadEncoder } from '../../../../src/sidecar/codec/http2/head-encoder.ts'
import { PSEUDO_BIT } from '../../../../src/sidecar/codec/http2/hpack/fields.ts'
import type { Http2Stream } from '../../../../src/sidecar/codec/http2/stream.ts'
import { Head } from '../../../../src/sidecar/codec/head.ts'
import { DONE } from '../../../../src/sidecar/codec/verdict.ts'

t.test('pseudo-headers that no hop may put into a table', (t) => {
  const out = { buf: Buffer.alloc(1024), at: 0, reserve: () => {} }
  const encoder = new HpackEncoder()
  const stream = { encoder, requestKind: 0, beginHead: () => encoder.begin(out), endHead: () => {} }
  const head = new Head()
  const decoder = new HpackDecoder(4096)
  for (const sensitive of [0, PSEUDO_BIT.path, PSEUDO_BIT.path | PSEUDO_BIT.authority, PSEUDO_BIT.method]) {
    out.at = 0
    new Http2HeadEncoder(stream as unknown as Http2Stream).request('PURGE', '/?token=1', 'a.test', '', sensitive)
    t.equal(decoder.decode(out.buf, 0, out.at, head, 'request', 4096), DONE)
    t.equal(head.text(head.targetStart, head.targetEnd), '/?token=1')
    t.equal(head.sensitivePseudos, sensitive)
  }
  t.end()
})

/** The codec on every message of the corpus: the same events wherever the bytes are cut. */
import t, { type Test } from 'tap'
import { requests } from '../../../corpus/http1/requests.ts'
import { responses } from '../../../corpus/http1/responses.ts'
import { events } from './events.ts'

/** Of longer messages only places near their ends are tried. */
const MAX_BYTES = 400

function everySplit(t: Test, rows: readonly { id: string; base64: string }[], kind: 'request' | 'response'): void {
  const wrong: string[] = []
  for (const { id, base64 } of rows) {
    const bytes = Buffer.from(base64, 'base64')
    const whole = events([bytes], kind).join('\n')
    for (let i = 1; i < bytes.length; i++) {
      if (i === MAX_BYTES / 2 && bytes.length > MAX_BYTES) i = bytes.length - MAX_BYTES / 2
      if (events([bytes.subarray(0, i), bytes.subarray(i)], kind).join('\n') !== whole) wrong.push(`${id} at ${i}`)
    }
    const single = Array.from(bytes, (_, i) => bytes.subarray(i, i + 1))
    if (events(single, kind).join('\n') !== whole) wrong.push(`${id} byte by byte`)
  }
  t.same(wrong, [], `${rows.length} messages`)
}

void t.test('requests', async (t) => everySplit(t, requests, 'request'))
void t.test('responses', async (t) => everySplit(t, responses, 'response'))

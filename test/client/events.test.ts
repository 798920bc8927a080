import t from 'tap'
import * as fc from 'fast-check'
import { EventParser } from '../../src/client/events.ts'
import { eventText } from '../../src/control/api/watch.ts'
import { withQuery } from '../../src/client/http.ts'

const commit = (revision: number, keys: string[]): Parameters<typeof eventText>[0] =>
  keys.map((key) => ({ type: 'put', key, value: 1, revision }))

t.test('what the server writes is read the same, however it is split', (t) => {
  const text = `id: 3\n\n${eventText(commit(4, ['objects/A/n/x', 'pods/n/p', 'addresses/n/x']))}${eventText(commit(5, ['objects/A/n/ä']))}`
  const whole = new EventParser().push(text)
  t.same(
    whole.map((e) => JSON.parse(e.data).key),
    ['A/n/x', 'n/p', 'A/n/ä'],
  )
  fc.assert(
    fc.property(fc.array(fc.nat(text.length)), (cuts) => {
      const parser = new EventParser()
      const points = [0, ...cuts.sort((a, b) => a - b), text.length]
      const events = points.slice(1).flatMap((end, i) => parser.push(text.slice(points[i], end)))
      t.same(events, whole)
      return parser.lastId === '5'
    }),
    { numRuns: 50 },
  )
  t.end()
})

t.test('an id counts with the end of its message only, so half a commit is asked for again', (t) => {
  const parser = new EventParser()
  parser.push('id: 3\n\n')
  t.equal(parser.lastId, '3')
  const text = eventText(commit(4, ['objects/a', 'objects/b']))
  parser.push(text.slice(0, text.indexOf('\n\n') + 2))
  t.equal(parser.lastId, '3', 'after the first of two')
  t.equal(parser.push(text.slice(text.indexOf('\n\n') + 2, -1)).length, 0)
  t.equal(parser.lastId, '3', 'before the last line end')
  parser.push('\n')
  t.equal(parser.lastId, '4')
  t.end()
})

t.test('comments, carriage returns and unknown fields do no harm', (t) => {
  t.same(new EventParser().push(': hello\r\nevent: x\r\ndata: a\r\ndata: b\r\n\r\n'), [{ data: 'a\nb' }])
  t.end()
})

t.test('queries leave out what is undefined and escape the rest', (t) => {
  t.equal(withQuery('/v1/x', undefined), '/v1/x')
  t.equal(withQuery('/v1/x', { a: undefined, labels: 'a=b,c', n: 3 }), '/v1/x?labels=a%3Db%2Cc&n=3')
  t.end()
})

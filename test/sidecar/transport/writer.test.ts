/** What leaves a connection's writer: joined, whole, and never what another connection has written since. */
import t from 'tap'
import type { Transport } from '../../../src/sidecar/transport/transport.ts'
import { Writer } from '../../../src/sidecar/transport/writer.ts'

/** A socket that takes all at once, or (`holds`) none before it is told to. */
class Wire {
  readonly writes: Buffer[] = []
  heldBytes = 0
  takesMore = true
  readonly #holds: boolean
  readonly #waiting: (() => void)[] = []

  constructor(holds = false) {
    this.#holds = holds
  }

  afterWrites(done: () => void): void {
    this.#waiting.push(done)
  }

  /** The kernel has it all. */
  takeAll(): void {
    this.heldBytes = 0
    for (const done of this.#waiting.splice(0)) done()
  }

  write(buf: Buffer): boolean {
    this.writes.push(this.#holds ? buf : Buffer.from(buf))
    if (this.#holds) this.heldBytes += buf.length
    return true
  }
}

const writerOn = (wire: Wire): Writer => new Writer(wire as unknown as Transport)

void t.test('numbers are written as they are', async (t) => {
  const wire = new Wire()
  const numbers = [0, 1, 9, 10, 11, 99, 100, 65_536, 999_999_999, 1_000_000_000, 2 ** 31, 2 ** 32 - 1, 2 ** 53 - 1]
  for (const number of numbers) {
    const writer = writerOn(wire)
    writer.decimal(number)
    writer.flush()
    t.equal(wire.writes.pop()?.toString(), String(number))
  }
})

void t.test('a head and a large body are one write, and the body may change at once', async (t) => {
  const wire = new Wire()
  const writer = writerOn(wire)
  const body = Buffer.alloc(60_000, 'b')
  writer.text('head ')
  writer.body(body, 0, body.length)
  body.fill('x')
  t.equal(wire.writes.length, 0)
  writer.flush()
  t.same(
    wire.writes.map((buf) => buf.toString()),
    [`head ${'b'.repeat(60_000)}`],
  )
})

void t.test('a long body leaves in pieces, in order', async (t) => {
  const wire = new Wire()
  const writer = writerOn(wire)
  const sent: Buffer[] = []
  for (let i = 0; i < 20; i++) {
    const piece = Buffer.alloc(50_000, 97 + i)
    sent.push(piece)
    writer.chunk(piece, 0, piece.length)
  }
  writer.flush()
  t.ok(wire.writes.length > 1)
  t.equal(Buffer.concat(wire.writes).toString(), sent.map((piece) => `c350\r\n${piece.toString()}\r\n`).join(''))
})

void t.test('what the socket still holds is not written over, by this connection or by others', async (t) => {
  const slow = new Wire(true)
  const writer = writerOn(slow)
  const letters = ['a', 'b', 'c']
  for (const letter of letters) {
    writer.body(Buffer.alloc(50_000, letter), 0, 50_000)
    writer.flush()
    const other = writerOn(new Wire())
    for (const size of [100, 20_000, 70_000]) {
      other.body(Buffer.alloc(size, 'x'), 0, size)
      other.flush()
    }
  }
  t.equal(Buffer.concat(slow.writes).toString(), letters.map((letter) => letter.repeat(50_000)).join(''))
})

void t.test('an idle connection keeps none of what a slow reader needed', async (t) => {
  const slow = new Wire(true)
  const writer = writerOn(slow)
  for (const size of [60_000, 60_000, 60_000]) {
    writer.body(Buffer.alloc(size, 'a'), 0, size)
    writer.flush()
  }
  slow.takeAll()
  const slabs = new Set(slow.writes.map((buf) => buf.buffer))
  const others = Array.from(slabs, () => new Wire(true))
  for (const wire of others) {
    const other = writerOn(wire)
    other.body(Buffer.alloc(60_000, 'b'), 0, 60_000)
    other.flush()
  }
  t.same(new Set(others.map((wire) => wire.writes[0]!.buffer)), slabs, 'others have its slabs')
})

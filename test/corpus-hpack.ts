/**
 * Other encoders' header blocks (hpack-test-case: one JSON per story) through our table and Huffman code, and their
 * headers through our encoder and back. In: a corpus folder. Out: counts, and the stories that came out otherwise.
 * The rules of messages are left out: a story may hold what HTTP/2 forbids.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Head } from '../src/sidecar/codec/head.ts'
import { BlockReader } from '../src/sidecar/codec/http2/hpack/block-reader.ts'
import { type BlockSink, HpackEncoder } from '../src/sidecar/codec/http2/hpack/encoder.ts'
import type { PseudoName } from '../src/sidecar/codec/http2/hpack/fields.ts'
import { hashName, lookupName } from '../src/sidecar/codec/names.ts'
import { DONE } from '../src/sidecar/codec/verdict.ts'

export type Field = [name: string, value: string, sensitive?: boolean]

interface Story {
  cases: { wire: string; headers: Record<string, string>[]; header_table_size?: number | null }[]
}

export interface HpackResult {
  stories: number
  blocks: number
  wrong: string[]
}

/** The fields of a block in order, whatever they are; undefined where it is a fault. */
export function readFields(reader: BlockReader, block: Buffer): Field[] | undefined {
  const fields: Field[] = []
  const take = (bytes: Buffer, start: number, nameEnd: number, end: number, sensitive: boolean): boolean => {
    const field: Field = [bytes.toString('latin1', start, nameEnd), bytes.toString('latin1', nameEnd + 2, end - 2)]
    if (sensitive) field.push(true)
    fields.push(field)
    return true
  }
  const verdict = reader.read(block, 0, block.length, {
    indexed: (bytes, start, nameEnd, end) => take(bytes, start, nameEnd, end, false),
    literal: (bytes, start, nameEnd, end, _kind, _hash, sensitive) => take(bytes, start, nameEnd, end, sensitive),
  })
  return verdict === DONE ? fields : undefined
}

/** A head with these fields, as if it had been read. */
function headOf(fields: Field[]): Head {
  const head = new Head()
  head.openSlab()
  let at = 0
  for (const [name, value, sensitive = false] of fields) {
    const line = `${name}: ${value}\r\n`
    const slab = head.growSlab(at, line.length)
    slab.write(line, at, 'latin1')
    const nameEnd = at + name.length
    const hash = hashName(slab, at, nameEnd)
    const id = lookupName(slab, at, nameEnd, hash)
    head.push(at, nameEnd, nameEnd + 2, nameEnd + 2 + value.length, id, hash, sensitive)
    at += line.length
  }
  return head
}

/** Where a test's blocks are written. */
export class TestSink implements BlockSink {
  buf: Buffer = Buffer.alloc(16)
  at = 0
  reserve(bytes: number): void {
    if (this.at + bytes <= this.buf.length) return
    this.buf = Buffer.concat([this.buf.subarray(0, this.at), Buffer.alloc(bytes + this.at)])
  }
  take(): Buffer {
    const block = Buffer.from(this.buf.subarray(0, this.at))
    this.at = 0
    return block
  }
}

/** A block of these fields: pseudo-headers by text, others by the bytes of a head. */
export function encodeFields(encoder: HpackEncoder, fields: Field[]): Buffer {
  const sink = new TestSink()
  encoder.begin(sink)
  for (const field of fields) {
    const [name, value, sensitive = false] = field
    if (name === ':status') encoder.status(Number(value))
    else if (name.startsWith(':')) encoder.pseudo(name.slice(1) as PseudoName, value, sensitive)
    else encoder.field(headOf([field]), 0)
  }
  return sink.take()
}

/** Runs all stories that `hpack/index.jsonl` under `root` names. */
export function runHpackCorpus(root: string): HpackResult {
  const result: HpackResult = { stories: 0, blocks: 0, wrong: [] }
  const index = join(root, 'hpack/index.jsonl')
  if (!existsSync(index)) return result
  for (const line of readFileSync(index, 'utf8').split('\n').filter(Boolean)) {
    const { file } = JSON.parse(line) as { file: string }
    const story = JSON.parse(readFileSync(join(root, 'hpack', file), 'utf8')) as Story
    result.stories++
    result.blocks += story.cases.length
    const fault = tryStory(story)
    if (fault !== '') result.wrong.push(`hpack/${file}: ${fault}`)
  }
  return result
}

function tryStory(story: Story): string {
  const theirs = new BlockReader(4096)
  const encoder = new HpackEncoder()
  const ours = new BlockReader(65536)
  for (const [i, { wire, headers, header_table_size: tableBytes }] of story.cases.entries()) {
    const expected = headers.flatMap((header) => Object.entries(header))
    if (typeof tableBytes === 'number') theirs.setMaxTableBytes(tableBytes)
    const fields = readFields(theirs, Buffer.from(wire, 'hex'))?.map(([name, value]) => [name, value])
    if (JSON.stringify(fields) !== JSON.stringify(expected)) return `block ${i} is read as ${JSON.stringify(fields)}`
    if (typeof tableBytes === 'number') encoder.setPeerLimit(tableBytes)
    const again = readFields(ours, encodeFields(encoder, expected))?.map(([name, value]) => [name, value])
    if (JSON.stringify(again) !== JSON.stringify(expected)) return `block ${i} is written as ${JSON.stringify(again)}`
  }
  return ''
}

/** Blocks by hand, for tests of the decoder. */
import type { Head } from '../../../../src/sidecar/codec/head.ts'
import { writeInteger } from '../../../../src/sidecar/codec/http2/hpack/integer.ts'
import type { Field } from '../../../corpus-hpack.ts'

export const MAX_LIST_BYTES = 32 * 1024

export const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')

/** A literal without indexing, or as `first` says. */
export function literal(name: string, value: string, first = 0): Buffer {
  const parts = [Buffer.from([first])]
  for (const text of [name, value]) {
    const length = Buffer.alloc(8)
    parts.push(length.subarray(0, writeInteger(length, 0, text.length, 0x7f, 0)), Buffer.from(text, 'latin1'))
  }
  return Buffer.concat(parts)
}

export const WITH_INDEXING = 0x40
export const NEVER_INDEXED = 0x10

export const REQUEST: Field[] = [
  [':method', 'GET'],
  [':scheme', 'http'],
  [':path', '/'],
  [':authority', 'a'],
]
export const without = (name: string): Field[] => REQUEST.filter(([n]) => n !== name)
export const plus = (...fields: Field[]): Field[] => [...REQUEST, ...fields]

/** The fields of a head. */
export const lines = (head: Head): string[] =>
  Array.from({ length: head.count }, (_, i) => `${head.text(head.nameStart(i), head.nameEnd(i))}: ${head.value(i)}`)

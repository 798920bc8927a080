/**
 * The encoder's dynamic table: a table that finds its entries by name, and by name and value.
 * In: bytes with their hashes. Out: ages of entries (0: the newest). Chains run from newer to older entries, so that a
 * link to one that has left ends its chain and nothing is unlinked. A hash only proposes: bytes are always compared.
 */
import { LOWER } from '../../bytes.ts'
import { DynamicTable } from './table.ts'

/** So many entries of a chain are looked at: values made to collide cost no more than not being found. */
const MAX_PROBES = 16
const SAMPLE = 8

/** Hash of a field by its name's hash and the ends of its value: unique values are not indexed anyway. */
// hot
export function hashField(nameHash: number, buf: Uint8Array, start: number, end: number): number {
  let hash = Math.imul(nameHash ^ (end - start), 0x01000193)
  const headEnd = end - start > 2 * SAMPLE ? start + SAMPLE : end
  for (let i = start; i < headEnd; i++) hash = Math.imul(hash ^ buf[i]!, 0x01000193)
  if (headEnd !== end) for (let i = end - SAMPLE; i < end; i++) hash = Math.imul(hash ^ buf[i]!, 0x01000193)
  return hash ^ (hash >>> 15)
}

export class LookupTable extends DynamicTable {
  // `kinds` has the fields' hashes
  #byField = new Int32Array(0)
  #byName = new Int32Array(0)
  #olderField = new Int32Array(0)
  #olderName = new Int32Array(0)

  /** Age of the entry with this name (in any case) and value, or -1. */
  // hot
  findField(
    hash: number,
    name: Uint8Array,
    nameStart: number,
    nameEnd: number,
    value: Uint8Array,
    start: number,
    end: number,
  ): number {
    const { mask, newest, count } = this
    if (count === 0) return -1
    let seq = this.#byField[hash & mask]!
    for (let probes = 0; probes < MAX_PROBES; probes++) {
      const age = (newest - seq) | 0
      if (age < 0 || age >= count) return -1
      const slot = seq & mask
      if (
        this.kinds[slot] === hash &&
        this.#isName(slot, name, nameStart, nameEnd) &&
        this.#isValue(slot, value, start, end)
      )
        return age
      seq = this.#olderField[slot]!
    }
    return -1
  }

  /** Age of the newest entry with this name (in any case), or -1. */
  // hot
  findName(hash: number, name: Uint8Array, start: number, end: number): number {
    const { mask, newest, count } = this
    if (count === 0) return -1
    let seq = this.#byName[hash & mask]!
    for (let probes = 0; probes < MAX_PROBES; probes++) {
      const age = (newest - seq) | 0
      if (age < 0 || age >= count) return -1
      const slot = seq & mask
      if (this.hashes[slot] === hash && this.#isName(slot, name, start, end)) return age
      seq = this.#olderName[slot]!
    }
    return -1
  }

  /** Whether the entry of this sequence number is still here. */
  isAlive(seq: number): boolean {
    const age = (this.newest - seq) | 0
    return age >= 0 && age < this.count
  }

  override insert(start: number, nameEnd: number, end: number, fieldHash: number, nameHash: number): boolean {
    if (!super.insert(start, nameEnd, end, fieldHash, nameHash)) return false
    if (this.#byField.length === this.mask + 1) this.#link(this.newest)
    else this.#linkAll()
    return true
  }

  #link(seq: number): void {
    const { mask } = this
    const slot = seq & mask
    const field = this.kinds[slot]! & mask
    const name = this.hashes[slot]! & mask
    this.#olderField[slot] = this.#byField[field]!
    this.#byField[field] = seq
    this.#olderName[slot] = this.#byName[name]!
    this.#byName[name] = seq
  }

  /** The columns have grown: new chains from the oldest to the newest. */
  #linkAll(): void {
    const entries = this.mask + 1
    const none = (this.newest - entries) | 0
    this.#byField = new Int32Array(entries).fill(none)
    this.#byName = new Int32Array(entries).fill(none)
    this.#olderField = new Int32Array(entries)
    this.#olderName = new Int32Array(entries)
    for (let age = this.count - 1; age >= 0; age--) this.#link((this.newest - age) | 0)
  }

  #isName(slot: number, name: Uint8Array, start: number, end: number): boolean {
    const from = this.starts[slot]!
    const length = end - start
    if (this.nameEnds[slot]! - from !== length) return false
    const { bytes } = this
    for (let i = 0; i < length; i++) if (bytes[from + i] !== LOWER[name[start + i]!]) return false
    return true
  }

  #isValue(slot: number, value: Uint8Array, start: number, end: number): boolean {
    const from = this.nameEnds[slot]! + 2
    const length = end - start
    if (this.ends[slot]! - 2 - from !== length) return false
    const { bytes } = this
    for (let i = 0; i < length; i++) if (bytes[from + i] !== value[start + i]) return false
    return true
  }
}

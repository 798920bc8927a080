/**
 * A dynamic table, RFC 7541 sections 2.3.2 and 4: entries in the order they came, the oldest leave first.
 * In: lines `name: value CRLF`. Out: entries by sequence number. Owns one arena, where the living lines stand behind
 * each other, and columns for the rest: no object per entry, so nothing for the collector to do.
 *
 *   arena:  | left | oldest ...... newest | line being written | free |
 */

/** What RFC 7541 section 4.1 adds to the name and the value; a line itself has four bytes more than these. */
export const ENTRY_BYTES = 32
const LINE_BYTES = 4
const FIRST_ARENA_BYTES = 1024
const FIRST_ENTRIES = 32
/** A table's size before any settings, RFC 9113 section 6.5.2. */
export const DEFAULT_TABLE_BYTES = 4096

export class DynamicTable {
  bytes: Buffer = Buffer.allocUnsafeSlow(FIRST_ARENA_BYTES)
  /** Columns, by `seq & mask`. */
  mask = FIRST_ENTRIES - 1
  starts = new Int32Array(FIRST_ENTRIES)
  nameEnds = new Int32Array(FIRST_ENTRIES)
  ends = new Int32Array(FIRST_ENTRIES)
  kinds = new Int32Array(FIRST_ENTRIES)
  /** Of the names. */
  hashes = new Int32Array(FIRST_ENTRIES)
  count = 0
  /** Sequence number of the newest; wraps as an int32. */
  newest = 0
  sizeBytes = 0
  maxBytes = DEFAULT_TABLE_BYTES
  #end = 0

  /** Column of the entry `age` entries older than the newest, or -1 beyond the table. */
  // hot
  slotOf(age: number): number {
    return age < 0 || age >= this.count ? -1 : (this.newest - age) & this.mask
  }

  resize(maxBytes: number): void {
    this.maxBytes = maxBytes
    this.#evict(maxBytes)
  }

  /** Where the next line begins, with room for `bytes` in all; `kept` of them are written already and may move. */
  reserve(kept: number, bytes: number): number {
    if (this.#end + bytes > this.bytes.length) this.#move(kept, bytes)
    return this.#end
  }

  /** Takes the line that was written at `start`. False: larger than the table, which is empty now (section 4.4). */
  insert(start: number, nameEnd: number, end: number, kind: number, hash: number): boolean {
    const size = end - start - LINE_BYTES + ENTRY_BYTES
    this.#evict(this.maxBytes - size)
    if (size > this.maxBytes) return false
    if (this.count > this.mask) this.#widen()
    this.newest = (this.newest + 1) | 0
    this.count++
    this.sizeBytes += size
    const slot = this.newest & this.mask
    this.starts[slot] = start
    this.nameEnds[slot] = nameEnd
    this.ends[slot] = end
    this.kinds[slot] = kind
    this.hashes[slot] = hash
    this.#end = end
    return true
  }

  #evict(toBytes: number): void {
    while (this.count > 0 && this.sizeBytes > toBytes) {
      const slot = (this.newest - this.count + 1) & this.mask
      this.sizeBytes -= this.ends[slot]! - this.starts[slot]! - LINE_BYTES + ENTRY_BYTES
      this.count--
    }
  }

  /**
   * The living lines, and the one being written, go to the front of an arena that has twice what they need. Always a
   * new one: who reads a block may still point into the old.
   */
  #move(kept: number, bytes: number): void {
    const oldest = this.count === 0 ? this.#end : this.starts[(this.newest - this.count + 1) & this.mask]!
    const living = this.#end - oldest
    let room = FIRST_ARENA_BYTES
    while (room < living * 2 + bytes) room *= 2
    const arena = Buffer.allocUnsafeSlow(room)
    this.bytes.copy(arena, 0, oldest, this.#end + kept)
    this.bytes = arena
    this.#end = living
    for (let age = 0; age < this.count; age++) {
      const slot = (this.newest - age) & this.mask
      this.starts[slot]! -= oldest
      this.nameEnds[slot]! -= oldest
      this.ends[slot]! -= oldest
    }
  }

  #widen(): void {
    const before = this.mask
    this.mask = before * 2 + 1
    this.starts = this.#wider(this.starts, before)
    this.nameEnds = this.#wider(this.nameEnds, before)
    this.ends = this.#wider(this.ends, before)
    this.kinds = this.#wider(this.kinds, before)
    this.hashes = this.#wider(this.hashes, before)
  }

  #wider(column: Int32Array, before: number): Int32Array<ArrayBuffer> {
    const wider = new Int32Array(this.mask + 1)
    for (let age = 0; age < this.count; age++) {
      const seq = this.newest - age
      wider[seq & this.mask] = column[seq & before]!
    }
    return wider
  }
}

/**
 * Buffers that bytes on their way out are joined in, used again by whoever needs one next: a buffer of its own for each
 * large read would be most of the garbage of a busy proxy, and idle connections need none.
 * In: a size. Out: a buffer of at least that. Owns those that nobody uses, up to a bound of each size.
 */

/** A turn's small messages: what a slab holds at least. */
export const SLAB_BYTES = 16 * 1024
/** What a read brings, with its frame. */
export const READ_SLAB_BYTES = 72 * 1024
/** A turn's output of a link: what a slab that is used again holds at most. */
export const TURN_SLAB_BYTES = 288 * 1024

const CLASSES = [
  { bytes: SLAB_BYTES, maxFree: 128, free: [] as Buffer[] },
  { bytes: READ_SLAB_BYTES, maxFree: 16, free: [] as Buffer[] },
  { bytes: TURN_SLAB_BYTES, maxFree: 4, free: [] as Buffer[] },
]

export function takeSlab(bytes: number): Buffer {
  for (const size of CLASSES) {
    if (bytes <= size.bytes) return size.free.pop() ?? Buffer.allocUnsafeSlow(size.bytes)
  }
  return Buffer.allocUnsafeSlow(bytes)
}

/** Nobody refers to it any more. Any other buffer is left alone. Returns whether it is kept. */
export function giveSlab(slab: Buffer): boolean {
  for (const size of CLASSES) {
    if (slab.length === size.bytes && size.free.length < size.maxFree) {
      size.free.push(slab)
      return true
    }
  }
  return false
}

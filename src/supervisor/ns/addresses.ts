/**
 * Addresses of pods in mode `ns`: 10.244.x.y and fd00:10:244::n. They are known inside the pods only, so every mesh has
 * all of them. In: numbers taken and given back. Out: the lowest free.
 */
import { POD_PREFIX4, POD_PREFIX6 } from '../../xds/address-ranges.ts'

/** The proxy's end of every pod's cable; link-local, so that no program's own address can be the same. */
export const GATEWAY4 = '169.254.1.1'

const MAX_NUMBER = 0xfffe

export class PodNumbers {
  readonly #used = new Set<number>()

  /** Skips what ends in .0 and .255: some programs take those for a network and its broadcast. */
  take(): number {
    for (let number = 2; number <= MAX_NUMBER; number++) {
      const last = number & 0xff
      if (last === 0 || last === 0xff || this.#used.has(number)) continue
      this.#used.add(number)
      return number
    }
    throw new RangeError('no pod address is left')
  }

  release(number: number): void {
    this.#used.delete(number)
  }
}

export function podAddress4(number: number): string {
  return `${POD_PREFIX4}${number >> 8}.${number & 0xff}`
}

export function podAddress6(number: number): string {
  return `${POD_PREFIX6}${number.toString(16)}`
}

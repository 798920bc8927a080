/**
 * Virtual addresses of Services: one number each, 240.240.x.y and 2001:2::x from it, as Istio gives ServiceEntries.
 * In: the numbers in use. Out: the lowest free one. Owns nothing on disk; the registry keeps the numbers in the store.
 */
import { VIRTUAL_PREFIX4, VIRTUAL_PREFIX6 } from '../../xds/address-ranges.ts'

/** 240.240.0.1 ... 240.240.255.254. */
const MAX_NUMBER = 0xfffe

export class AddressPool {
  readonly #used = new Set<number>()
  #next = 1

  take(number: number): void {
    this.#used.add(number)
  }

  /** Throws when all 65,534 are given. */
  allocate(): number {
    while (this.#used.has(this.#next)) this.#next++
    if (this.#next > MAX_NUMBER) throw new RangeError(`no virtual address is left: ${MAX_NUMBER} Services have one`)
    this.#used.add(this.#next)
    return this.#next
  }
}

export function address4(number: number): string {
  return `${VIRTUAL_PREFIX4}${number >> 8}.${number & 0xff}`
}

export function address6(number: number): string {
  return `${VIRTUAL_PREFIX6}${number.toString(16)}`
}

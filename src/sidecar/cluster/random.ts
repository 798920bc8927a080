/** Any one, by weight. */
import type { Endpoint } from './endpoint.ts'
import type { Picker } from './picker.ts'

export class Random implements Picker {
  readonly #random: () => number
  constructor(random: () => number) {
    this.#random = random
  }

  // hot
  pick(endpoints: readonly Endpoint[]): Endpoint {
    let total = 0
    for (const endpoint of endpoints) total += endpoint.weight
    let left = this.#random() * total
    for (const endpoint of endpoints) {
      left -= endpoint.weight
      if (left < 0) return endpoint
    }
    return endpoints[endpoints.length - 1]!
  }
}

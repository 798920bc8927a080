/** Each in turn; with weights, the smooth interleaving of nginx (a heavier one comes oftener, never in a row). */
import type { Endpoint } from './endpoint.ts'
import type { Picker } from './picker.ts'

export class RoundRobin implements Picker {
  #at: number
  #credits = new Map<Endpoint, number>()

  constructor(random: () => number) {
    this.#at = Math.floor(random() * 1024) // proxies that start together must not march in step
  }

  // hot: the first return where all weights are equal
  pick(endpoints: readonly Endpoint[]): Endpoint {
    const first = endpoints[0]!
    if (endpoints.every((e) => e.weight === first.weight)) return endpoints[this.#at++ % endpoints.length]!
    let total = 0
    let best = first
    let bestCredit = -Infinity
    const credits = new Map<Endpoint, number>()
    for (const endpoint of endpoints) {
      const credit = (this.#credits.get(endpoint) ?? 0) + endpoint.weight
      credits.set(endpoint, credit)
      total += endpoint.weight
      if (credit > bestCredit) [best, bestCredit] = [endpoint, credit]
    }
    credits.set(best, bestCredit - total)
    this.#credits = credits
    return best
  }
}

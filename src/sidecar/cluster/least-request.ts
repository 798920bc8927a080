/** Two random choices, the one with fewer requests under way wins (Envoy: LEAST_REQUEST, choice_count 2). */
import type { Endpoint } from './endpoint.ts'
import type { Picker } from './picker.ts'

export class LeastRequest implements Picker {
  readonly #random: () => number
  constructor(random: () => number) {
    this.#random = random
  }

  // hot
  pick(endpoints: readonly Endpoint[]): Endpoint {
    const n = endpoints.length
    const i = Math.floor(this.#random() * n)
    const first = endpoints[i]!
    if (n === 1) return first
    // the second is another one: of two endpoints both are always looked at
    const second = endpoints[(i + 1 + Math.floor(this.#random() * (n - 1))) % n]!
    // with weights, an endpoint of twice the weight may carry twice as many
    return (second.numActive + 1) * first.weight < (first.numActive + 1) * second.weight ? second : first
  }
}

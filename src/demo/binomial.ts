/**
 * How far a measured split may lie from the one asked: the band of a binomial distribution, exact.
 * In: requests, the share asked, a confidence. Out: the least and greatest counts that chance explains.
 */

export interface Band {
  low: number
  high: number
}

/** Terms this small next to the greatest change no count. */
const NEGLIGIBLE = 1e-20

/** Outside these counts lies at most `1 - confidence` of all outcomes, half of it on each side. */
export function binomialBand(requests: number, share: number, confidence = 0.999): Band {
  if (share <= 0 || requests === 0) return { low: 0, high: 0 }
  if (share >= 1) return { low: requests, high: requests }
  const { first, weights } = terms(requests, share)
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  const tail = ((1 - confidence) / 2) * total
  return { low: first + quantile(weights, tail), high: first + quantile(weights, total - tail) }
}

/** The probabilities around the most likely count, relative to it: factorials would overflow. */
function terms(requests: number, share: number): { first: number; weights: number[] } {
  const odds = share / (1 - share)
  const mode = Math.min(requests, Math.floor((requests + 1) * share))
  const below: number[] = []
  for (let k = mode, weight = 1; k > 0; k--) {
    weight *= k / ((requests - k + 1) * odds)
    if (weight < NEGLIGIBLE) break
    below.push(weight)
  }
  const weights = [...below.toReversed(), 1]
  for (let k = mode, weight = 1; k < requests; k++) {
    weight *= ((requests - k) / (k + 1)) * odds
    if (weight < NEGLIGIBLE) break
    weights.push(weight)
  }
  return { first: mode - below.length, weights }
}

/** Index of the first term at which the running sum reaches `mass`. */
function quantile(weights: readonly number[], mass: number): number {
  let sum = 0
  for (let i = 0; i < weights.length; i++) {
    sum += weights[i] ?? 0
    if (sum >= mass) return i
  }
  return weights.length - 1
}

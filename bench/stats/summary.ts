/** Numbers out of repetitions: ranks, and intervals by resampling, which need no assumption about the noise. */

/** Nearest rank. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN
}

/** The mean of the two in the middle of an even number: few repetitions are the rule here. */
export function median(values: readonly number[]): number {
  const sorted = [...values].toSorted((a, b) => a - b)
  const half = sorted.length / 2
  return ((sorted[Math.ceil(half) - 1] ?? NaN) + (sorted[Math.floor(half)] ?? NaN)) / 2
}

export interface Interval {
  low: number
  high: number
}

const RESAMPLES = 2000

/** 95 % of the medians of resampled values lie in it. The same values give the same interval. */
export function medianInterval(values: readonly number[]): Interval {
  const random = generator(values.length)
  const medians = Array.from({ length: RESAMPLES }, () => median(values.map(() => pick(values, random))))
  return { low: percentile(medians, 0.025), high: percentile(medians, 0.975) }
}

/** Of the ratio of two medians whose values are not pairs: `after` to `before`. */
export function ratioInterval(after: readonly number[], before: readonly number[]): Interval {
  const random = generator(after.length + before.length)
  const ratios = Array.from(
    { length: RESAMPLES },
    () => median(after.map(() => pick(after, random))) / median(before.map(() => pick(before, random))),
  )
  return { low: percentile(ratios, 0.025), high: percentile(ratios, 0.975) }
}

/** One value against the other's of the same repetition; repetitions that only one has are left out. */
export function pairwise(
  ours: readonly number[],
  theirs: readonly number[],
  combine: (a: number, b: number) => number,
): number[] {
  return ours.slice(0, theirs.length).map((value, i) => combine(value, theirs[i] ?? NaN))
}

function pick(values: readonly number[], random: () => number): number {
  return values[Math.floor(random() * values.length)] ?? NaN
}

/** xorshift32. */
function generator(seed: number): () => number {
  let state = (seed * 2_654_435_761) >>> 0 || 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}

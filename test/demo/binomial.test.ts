import t from 'tap'
import { binomialBand } from '../../src/demo/binomial.ts'

const bands: [requests: number, share: number, confidence: number, low: number, high: number][] = [
  // from sums of exact fractions
  [1000, 0.1, 0.999, 70, 132],
  [1000, 0.9, 0.999, 868, 930],
  [1000, 0.5, 0.999, 448, 552],
  [10, 0.5, 0.95, 2, 8],
  [100, 0.01, 0.99, 0, 4],
  [0, 0.3, 0.999, 0, 0],
  [1000, 0, 0.999, 0, 0],
  [1000, 1, 0.999, 1000, 1000],
]

for (const [requests, share, confidence, low, high] of bands) {
  t.test(`${confidence} of all runs of ${requests} requests at ${share} lie in ${low}..${high}`, async (t) => {
    t.same(binomialBand(requests, share, confidence), { low, high })
  })
}

t.test('a million requests neither overflow nor take long', async (t) => {
  const { low, high } = binomialBand(1_000_000, 0.1)
  t.ok(low > 98_900 && low < 99_100 && high > 100_900 && high < 101_100, `${low}..${high}`)
})

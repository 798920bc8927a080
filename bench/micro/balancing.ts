/** Load balancing: the next of eight endpoints, by each policy. */
import type { Endpoint } from '../../src/sidecar/cluster/endpoint.ts'
import { LeastRequest } from '../../src/sidecar/cluster/least-request.ts'
import type { Picker } from '../../src/sidecar/cluster/picker.ts'
import { Random } from '../../src/sidecar/cluster/random.ts'
import { RoundRobin } from '../../src/sidecar/cluster/round-robin.ts'
import type { Case } from './case.ts'

/** As much of an endpoint as a policy looks at. */
const endpoints = Array.from({ length: 8 }, (_, i) => ({ label: `${i}`, weight: 1, numActive: i % 3 }) as Endpoint)
const pickers: readonly (readonly [string, Picker])[] = [
  ['least request', new LeastRequest(Math.random)],
  ['round robin', new RoundRobin(Math.random)],
  ['random', new Random(Math.random)],
]

export const cases: Case[] = pickers.map(([name, picker]) => ({
  name: `balance: ${name}, 8 endpoints`,
  run: () => void picker.pick(endpoints),
}))

/** One attack: a name, what it tries, and a function that decides whether it succeeded. */
import type { Facts } from './facts.ts'

export interface Outcome {
  result: 'refused' | 'succeeded' | 'skipped'
  /** What happened, in a few words. */
  how: string
}

export interface Attack {
  name: string
  /** What is tried, as the table says it. */
  tries: string
  /** Mode `env` promises to refuse it too; mode `ns` refuses all. */
  env: boolean
  run: (facts: Facts) => Outcome | Promise<Outcome>
}

/** A line of the table. */
export interface AttackResult extends Outcome {
  name: string
  tries: string
  /** The mode it ran in promises to refuse it. */
  promised: boolean
}

export function refused(how: string): Outcome {
  return { result: 'refused', how }
}

export function succeeded(how: string): Outcome {
  return { result: 'succeeded', how }
}

export function skipped(how: string): Outcome {
  return { result: 'skipped', how }
}

/** The first way that succeeds; else all refusals, each once. A reason that was given often is given once. */
export async function anyOf(ways: (() => Outcome | Promise<Outcome>)[]): Promise<Outcome> {
  const reasons = new Set<string>()
  let tried = 0
  for (const way of ways) {
    const outcome = await way()
    if (outcome.result === 'succeeded') return outcome
    if (outcome.result === 'refused') tried++
    reasons.add(outcome.how)
  }
  const how = [...reasons].join('; ')
  return tried === 0 ? skipped(how === '' ? 'there is nothing to try' : how) : refused(how)
}

/** The mesh's promise was kept, or there was none. */
export function isKept({ result, promised }: AttackResult): boolean {
  return result !== 'succeeded' || !promised
}

/**
 * Compares what clients were told with what the application did, in the manner of Jepsen.
 * ok: once in the ledger, with an equal hash. refused: not there. unknown: at most once. POST: never twice.
 */
import { readFileSync } from 'node:fs'
import type { Entry } from './load.ts'

export interface Verdict {
  requests: number
  ok: number
  refused: number
  unknown: number
  /** Answered, but not in the ledger. */
  lost: number
  /** Another body or another answer than the one sent. */
  corrupt: number
  /** A POST that was acted on twice; a GET that was answered once may be, after a retry. */
  duplicated: number
  repeated: number
  /** Refused by the proxy, and yet in the ledger. */
  denied: number
  /** In the ledger, and nobody sent it. */
  phantom: number
}

export function check(log: readonly Entry[], ledgers: readonly string[]): Verdict {
  const acted = new Map<string, string[]>()
  for (const file of ledgers)
    for (const line of readFileSync(file, 'utf8').split('\n')) {
      const [id = '', hash = ''] = line.split(' ')
      if (id === '' || id.startsWith('#')) continue // not this load's
      const hashes = acted.get(id)
      if (hashes === undefined) acted.set(id, [hash])
      else hashes.push(hash)
    }
  const verdict: Verdict = {
    requests: log.length,
    ok: 0,
    refused: 0,
    unknown: 0,
    lost: 0,
    corrupt: 0,
    duplicated: 0,
    repeated: 0,
    denied: 0,
    phantom: 0,
  }
  for (const { id, method, hash, outcome } of log) {
    const hashes = acted.get(id) ?? []
    acted.delete(id)
    if (outcome === 'corrupt' || hashes.some((h) => h !== hash)) verdict.corrupt++
    if (outcome === 'ok' && hashes.length === 0) verdict.lost++
    if (outcome === 'refused' && hashes.length > 0) verdict.denied++
    if (hashes.length > 1) verdict[method === 'POST' ? 'duplicated' : 'repeated']++
    if (outcome !== 'corrupt') verdict[outcome]++
  }
  verdict.phantom = acted.size
  return verdict
}

/** Nothing lost, nothing twice, nothing changed on its way. */
export function isSound(v: Verdict): boolean {
  return v.lost + v.corrupt + v.duplicated + v.denied + v.phantom === 0
}

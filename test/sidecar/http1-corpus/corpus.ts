/** A whole corpus through one sidecar and through two. In: rows, splits for each. Out: what was wrong, how much was sent. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { requests } from '../../corpus/http1/requests.ts'
import { type ResponseRow, responses } from '../../corpus/http1/responses.ts'
import type { RequestRow } from '../../corpus/http1/row.ts'
import type { Split } from './client.ts'
import { SecondOpinion } from './h11.ts'
import { runResponses, ScriptedUpstream } from './responses.ts'
import { oneSidecar, twoSidecars } from './rig.ts'
import { runRequests, type Wrong } from './run.ts'
import { StrictUpstream } from './upstream.ts'

export interface Corpus {
  name: string
  requests: readonly RequestRow[]
  responses: readonly ResponseRow[]
  /** Answers have the very status that the row says. */
  exact: boolean
}

export const own: Corpus = { name: 'own', requests, responses, exact: true }

/** The corpus in a folder, as `requests.jsonl` and `responses.jsonl`; `null` where there is none. */
export function readCorpus(folder: string): Corpus | null {
  const read = <T>(name: string): T[] => {
    const path = join(folder, name)
    if (!existsSync(path)) return []
    const lines = readFileSync(path, 'utf8').split('\n')
    return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as T)
  }
  const corpus = {
    name: folder,
    requests: read<RequestRow>('requests.jsonl'),
    responses: read<ResponseRow>('responses.jsonl'),
    exact: false,
  }
  return corpus.requests.length + corpus.responses.length === 0 ? null : corpus
}

export interface Result {
  rig: string
  sent: number
  wrong: Wrong[]
  /** Of the two upstream parsers; `null` where the second one is not installed. */
  disagreements: string[] | null
}

/** `splits`: for one sidecar, and for two. */
export async function runCorpus(corpus: Corpus, splits: { one: Split[]; two: Split[] }): Promise<Result[]> {
  const results: Result[] = []
  for (const [makeRig, list] of [[oneSidecar, splits.one] as const, [twoSidecars, splits.two] as const]) {
    const second = SecondOpinion.find()
    const strict = await new StrictUpstream().start()
    const scripted = await new ScriptedUpstream().start()
    const rigs = [await makeRig(strict.port), await makeRig(scripted.port)] as const
    try {
      const wrong = await runRequests(corpus.requests, rigs[0], strict, list, second, corpus.exact)
      wrong.push(...(await runResponses(corpus.responses, rigs[1], scripted, list)))
      const sent = (corpus.requests.length + corpus.responses.length) * list.length
      results.push({ rig: rigs[0].name, sent, wrong, disagreements: second?.disagreements() ?? null })
    } finally {
      for (const rig of rigs) await rig.close()
      strict.close()
      scripted.close()
    }
  }
  return results
}

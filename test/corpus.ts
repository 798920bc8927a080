/**
 * Data of other people, and what we make of it: `npm run corpus [-- PATH]`. Ends with 1 on any wrong verdict.
 *
 * HTTP/1.1: our own messages, and those of PATH (`requests.jsonl`, `responses.jsonl`, there or in `http1/`), in many
 * splits through one sidecar and through two (sidecar/http1-corpus/).
 * Manifests: the folders in PATH, through the configuration parser. Every manifest of a kind that we support must be
 * accepted, or refused with a place and a reason, as its index expects; every other kind must be named as unsupported.
 *
 * The same for header blocks of other HTTP/2 programs (corpus-hpack.ts), which must be read and written alike, and for
 * single frames (corpus-h2-frames.ts), which must be taken or refused with the code they name.
 *
 * Index files known: istio-validate/cases.jsonl (verdict per object), istio-samples/index.jsonl and
 * user-configs/index.jsonl (expectation per file), hpack/index.jsonl, h2-frames/index.jsonl.
 */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Issue } from '../src/config/issue.ts'
import { formatIssue } from '../src/config/issue.ts'
import { KINDS } from '../src/config/kinds/index.ts'
import { parseSources } from '../src/config/parse.ts'
import { runFramesCorpus } from './corpus-h2-frames.ts'
import { runHpackCorpus } from './corpus-hpack.ts'
import type * as Http1 from './sidecar/http1-corpus/corpus.ts'

/** Files whose expected verdict we do not follow, each with its reason. */
const EXCEPTIONS: Record<string, string> = {
  '1.0-tests/config/destination-rule-all.yaml':
    'a label is given twice with two values: the parser of that time took the last, and we say so',
  'argo-rollouts/getting-started__istio__multipleVirtualsvc.yaml':
    "sniHosts that are not among the hosts: Istio's own admission refuses it",
  'istio/ui__fixtures__authorizationPolicy.yaml': 'names in capitals, that stand for those of a form',
}

const INDEXES = ['istio-validate/cases.jsonl', 'istio-samples/index.jsonl', 'user-configs/index.jsonl']

/** Codes that say "this is none of our kinds": they settle nothing about the kinds that are. */
const NOT_OURS = new Set(['PM0007', 'PM0120', 'PM0121'])

/** A field that is known and refused by name, as kinds are that we do not have: it does not make a sound file wrong. */
const REFUSED_BY_NAME = 'PM0109'

interface Entry {
  file: string
  kind?: string
  verdict?: 'valid' | 'invalid' | 'either'
  expect?: string
  reason?: string
  why?: string
  mistakes?: string[]
}

type Outcome = 'accepted' | 'refused' | 'unsupported' | 'wrong' | 'exception'

export interface CorpusResult {
  counts: Map<string, Record<Outcome, number>>
  wrong: { file: string; expected: string; issues: Issue[] }[]
}

/** Runs all index files found under `root`. */
export function runCorpus(root: string): CorpusResult {
  const result: CorpusResult = { counts: new Map(), wrong: [] }
  for (const index of INDEXES) {
    const path = join(root, index)
    if (!existsSync(path)) continue
    const folder = dirname(path)
    for (const line of readFileSync(path, 'utf8').split('\n').filter(Boolean)) {
      const entry = JSON.parse(line) as Entry
      tryEntry(entry, join(folder, entry.file), dirname(index), result)
    }
  }
  return result
}

function tryEntry(entry: Entry, path: string, set: string, result: CorpusResult): void {
  const text = readFileSync(path, 'utf8')
  const { objects, issues } = parseSources([{ file: entry.file, dir: dirname(path), text }], { namespace: 'default' })
  const lines = text.split('\n').length
  const errors = issues.filter((i) => i.level === 'error')
  const faulty = entry.expect === 'reject' || entry.expect === 'name-the-mistake' || entry.verdict === 'invalid'
  const ours = errors.filter((i) => !NOT_OURS.has(i.code) && (faulty || i.code !== REFUSED_BY_NAME))
  const kind = entry.kind ?? ''
  const anyOurs = objects.length > 0 || ours.length > 0
  let outcome: Outcome = errors.length === 0 ? 'accepted' : ours.length > 0 ? 'refused' : 'unsupported'
  const placed = issues.every((i) => i.line >= 1 && i.line <= lines && i.column >= 1 && i.message !== '')
  const agrees =
    entry.verdict === undefined ? agreesWithFile(entry, issues, ours, anyOurs) : agreesWithCase(entry, kind, errors)
  if (!agrees || !placed) {
    outcome = entry.file in EXCEPTIONS ? 'exception' : 'wrong'
    if (outcome === 'wrong')
      result.wrong.push({
        file: `${set}/${entry.file}`,
        expected: `${entry.verdict ?? entry.expect}: ${entry.reason ?? entry.why ?? entry.mistakes?.join('; ') ?? ''}`,
        issues,
      })
  }
  const row = `${set} ${KINDS.some((k) => k.kind === kind) ? kind : (entry.verdict === undefined ? (entry.expect ?? '') : '(other kinds)')}` // prettier-ignore
  const counts = result.counts.get(row) ?? { accepted: 0, refused: 0, unsupported: 0, wrong: 0, exception: 0 }
  counts[outcome]++
  result.counts.set(row, counts)
}

function agreesWithCase(entry: Entry, kind: string, errors: Issue[]): boolean {
  if (!KINDS.some((k) => k.kind === kind)) return errors.length > 0
  const told = entry.verdict === 'valid' ? errors.filter((i) => i.code !== REFUSED_BY_NAME) : errors
  return entry.verdict === 'either' || (entry.verdict === 'valid') === (told.length === 0)
}

function agreesWithFile(entry: Entry, issues: Issue[], ours: Issue[], anyOurs: boolean): boolean {
  switch (entry.expect) {
    case 'accept':
    case 'accept-or-name-unsupported':
      return ours.length === 0
    case 'accept-legacy-or-name-field':
    case 'accept-or-name-field':
      return true
    case 'name-the-mistake':
      return ours.length > 0 || !anyOurs
    case 'accept-with-warning':
      return ours.length === 0 && (!anyOurs || issues.some((i) => i.level === 'warning'))
    case 'reject':
      return ours.length > 0
    case undefined:
    default:
      return false
  }
}

function main(root: string): number {
  const { counts, wrong } = runCorpus(root)
  const columns: Outcome[] = ['accepted', 'refused', 'unsupported', 'exception', 'wrong']
  const width = Math.max(4, ...[...counts.keys()].map((k) => k.length))
  console.log(`${''.padEnd(width)}  ${columns.map((c) => c.padStart(13)).join('')}`)
  for (const [row, c] of counts)
    console.log(`${row.padEnd(width)}  ${columns.map((name) => String(c[name]).padStart(13)).join('')}`)
  for (const { file, expected, issues } of wrong) {
    console.log(`\n${file}\n  expected ${expected}`)
    for (const issue of issues) console.log(`  ${formatIssue(issue).replaceAll('\n', '\n  ')}`)
  }
  const total = [...counts.values()].reduce((sum, c) => sum + columns.reduce((n, name) => n + c[name], 0), 0)
  console.log(`\n${total} manifests, ${wrong.length} wrong verdicts`)
  const hpack = runHpackCorpus(root)
  for (const fault of hpack.wrong) console.log(fault)
  console.log(
    `${hpack.stories} HPACK stories with ${hpack.blocks} blocks, ${hpack.wrong.length} read or written wrongly`,
  )
  const frames = runFramesCorpus(root)
  for (const fault of frames.wrong) console.log(fault)
  console.log(`${frames.frames} HTTP/2 frames, ${frames.wrong.length} judged wrongly`)
  const numWrong = wrong.length + hpack.wrong.length + frames.wrong.length
  return total + hpack.stories + frames.frames > 0 && numWrong === 0 ? 0 : 1
}

/** HTTP/1.1 messages in many splits through one sidecar and through two. */
async function runMessages(http1: typeof Http1, corpus: Http1.Corpus): Promise<number> {
  let faults = 0
  const seeds = [1, 2, 3, 4, 5, 6]
  for (const result of await http1.runCorpus(corpus, {
    one: ['whole', 'bytes', ...seeds],
    two: ['whole', 'bytes', ...seeds],
  })) {
    const { rig, sent, wrong, disagreements } = result
    for (const { line } of wrong) console.log(line)
    for (const line of disagreements ?? []) console.log(line)
    const levels = ['must', 'policy'].map(
      (level) => `${wrong.filter((w) => w.level === level).length} wrong of "${level}"`,
    )
    const second = disagreements === null ? 'h11 is not installed' : `${disagreements.length} read otherwise by h11`
    console.log(`${corpus.name} HTTP/1.1 messages, ${rig}: ${sent} sent, ${levels.join(', ')}, ${second}`)
    faults += wrong.length + (disagreements ?? []).length
  }
  return faults === 0 ? 0 : 1
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const root = process.argv[2] ?? process.env['POCKETMESH_SHARED']
  const http1 = await import('./sidecar/http1-corpus/corpus.ts')
  const theirs = root === undefined ? null : (http1.readCorpus(root) ?? http1.readCorpus(join(root, 'http1')))
  const hasOthers = root !== undefined && [...INDEXES, 'hpack'].some((name) => existsSync(join(root, name)))
  if (root !== undefined && theirs === null && !hasOthers) {
    console.error(`${root}: no corpus that is known`)
    process.exitCode = 64
  } else {
    let code = hasOthers ? main(root) : 0
    for (const corpus of [http1.own, theirs]) if (corpus !== null) code |= await runMessages(http1, corpus)
    process.exitCode = code
  }
}

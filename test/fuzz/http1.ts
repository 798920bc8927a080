/**
 * The HTTP/1.1 half of the fuzzer: batches of conversations through the chain, and what must hold of each.
 *
 *   what the client got answers to  ==  what llhttp, behind both proxies, took for requests: none more, none less, in order
 *   what came out of the chain      is a prefix of what llhttp takes out of the client's bytes by itself
 *   an untouched conversation       arrives whole
 * A conversation that breaks one of these is shrunk by fast-check and written to a file.
 */
import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { type Answer, answersIn, type Chain, converse, type Direct, readDirectly } from './chain.ts'
import { bodyHash, type Conversation, conversation, render, writes } from './message.ts'
import type { Seen } from './upstream.ts'

/** Conversations that are under way at once. */
const BATCH = 100
/** A method that llhttp does not know, and messages that the proxy gave up before their end: no fault of the proxy. */
export const EXCUSED = new Set(['HPE_INVALID_METHOD', 'HPE_INVALID_EOF_STATE', 'ECONNRESET', 'EPIPE'])
/** Where llhttp refuses more than RFC 9112 does: unknown methods, PRI, HTTP/1.2, a tab after `chunked`. */
const STRICTER = new Set(['HPE_INVALID_METHOD', 'HPE_INVALID_VERSION', 'HPE_INVALID_TRANSFER_ENCODING'])
/** A tab after a length is white space by the RFC; framing fields among trailers are dropped. */
const LENGTH = /content-length:[^\r\n]*\t|transfer-encoding: *chunked/i

export interface Http1Report {
  messages: number
  conversations: number
  /** Messages that reached the upstream whole. */
  arrived: number
  refused: number
  finds: string[]
  seconds: number
}

interface Tried {
  bytes: Buffer
  mark: string
  problems: string[]
  answers: Answer[]
}

/** Sends one conversation and judges what can be judged of it alone. */
async function attempt(chain: Chain, one: Conversation, direct: boolean): Promise<Tried> {
  const mark = `t${randomBytes(6).toString('hex')}`
  const bytes = Buffer.from(one.messages.map((m, i) => render(m, `${mark}.${i}`)).join(''), 'latin1')
  const tried: Tried = { bytes, mark, problems: [], answers: [] }
  const text = await converse(chain.port, writes(one, bytes))
  if (text === undefined) {
    tried.problems.push('the proxy hung')
    return tried
  }
  const answers = answersIn(text)
  if (answers === undefined) {
    tried.problems.push(`the answers are no HTTP: ${JSON.stringify(text.slice(0, 300))}`)
    return tried
  }
  tried.answers = answers
  const arrived = answers.filter((a) => a.n >= 0).map((a) => chain.upstream.seen.get(a.n))
  if (arrived.includes(undefined)) tried.problems.push('an answer came that the upstream had not given, or twice')
  const mine = arrived.filter((s): s is Seen => s !== undefined)
  for (const { target } of mine) {
    const other = /[&?](t[0-9a-f]{12})\.\d/.exec(target)?.[1]
    if (other !== undefined && other !== mark && !bytes.includes(other, 0, 'latin1'))
      tried.problems.push(`the answer to somebody else's request came: ${target}`)
  }
  if (mine.some((s, i) => i > 0 && s.n <= mine[i - 1]!.n)) tried.problems.push('answers out of order')
  if (one.messages.every((m) => m.mutations.length === 0)) checkSound(one, answers, mine, tried.problems)
  if (direct) checkPrefix(answers, chain, await readDirectly(bytes), bytes, tried.problems)
  return tried
}

function checkSound(one: Conversation, answers: Answer[], mine: Seen[], problems: string[]): void {
  if (answers.some((a) => a.status !== 200) || mine.length !== one.messages.length)
    problems.push(`sound messages: ${one.messages.length} sent, answers ${answers.map((a) => a.status).join()}`)
  else if (mine.some((s, i) => s.body !== bodyHash(one.messages[i]!) || s.method !== one.messages[i]!.method))
    problems.push('a sound message arrived otherwise than it was sent')
}

/** The proxy may answer by itself, and go on: `answers` and what llhttp sees run side by side. */
function checkPrefix(answers: Answer[], chain: Chain, direct: Direct, bytes: Buffer, problems: string[]): void {
  for (const [i, { n }] of answers.entries()) {
    const s = chain.upstream.seen.get(n)
    if (s === undefined) continue
    const d = direct.seen[i]
    if (d === undefined) {
      if (i >= direct.numWhole && !isStricter(direct.fault, bytes.toString('latin1')))
        problems.push(`request ${i} (${s.method} ${s.target}) is none for llhttp: ${direct.fault}`)
      return
    }
    if (s.body !== d.body || s.method !== d.method || normal(s.target) !== normal(originForm(d)))
      problems.push(`request ${i} is ${s.method} ${s.target} ${s.body}, for llhttp ${d.method} ${d.target} ${d.body}`)
  }
}

function isStricter(fault: string, text: string): boolean {
  if (STRICTER.has(fault)) return true
  if (fault === 'HPE_INVALID_CONTENT_LENGTH') return LENGTH.test(text)
  return fault === 'HPE_STRICT' && hasSpacedExtension(text)
}

/** White space around `;` and `=` of a chunk's extensions: RFC 9112 section 7.1.1 lets a reader take it, llhttp does not. */
function hasSpacedExtension(text: string): boolean {
  const extensions = [...text.matchAll(/\r\n[0-9a-f]+;([^\r\n]*)/gi)].map((match) => match[1]!)
  return extensions.some((one) => /[ \t]/.test(one.replaceAll(/"(?:[^"\\]|\\.)*"/g, '')))
}

/** absolute-form is forwarded as origin-form. */
function originForm({ method, target }: Seen): string {
  const match = /^http:\/\/[^/?]*(.*)$/i.exec(target)
  if (match === null) return target
  const rest = match[1]!
  return rest === '' ? (method === 'OPTIONS' ? '*' : '/') : rest.startsWith('?') ? `/${rest}` : rest
}

/** Istio's default normalisation, by WHATWG's rules: dot segments, and what need not be escaped. */
function normal(target: string): string {
  if (!target.startsWith('/')) return target
  const [path = '', ...query] = target.split('?')
  const plain = path.replaceAll(/%([0-9a-f]{2})/gi, (whole, hex: string) => {
    const char = String.fromCharCode(Number.parseInt(hex, 16))
    return /[\w.~-]/.test(char) ? char : whole
  })
  const { pathname } = new URL(`http://x/${plain.slice(1).replaceAll('\\', '%5C')}`)
  return [pathname, ...query].join('?')
}

/** What the upstream took for a request although nobody got its answer; empties the ledger. */
function leftOver(chain: Chain, batch: Tried[]): string[] {
  const { seen, faults } = chain.upstream
  for (const { answers } of batch) for (const a of answers) seen.delete(a.n)
  const problems = [...seen.values()].map(
    (s) => `the upstream saw a request that nobody got an answer to: ${s.method} ${s.target}`,
  )
  for (const { code, bytes } of faults)
    if (!EXCUSED.has(code) && !bytes.startsWith('PRI '))
      problems.push(`llhttp behind the proxies refused their bytes: ${code} ${JSON.stringify(bytes.slice(0, 300))}`)
  seen.clear()
  faults.length = 0
  return problems
}

/** One conversation alone: all that is wrong with it. */
export async function judge(chain: Chain, one: Conversation): Promise<string[]> {
  const tried = await attempt(chain, one, true)
  return [...tried.problems, ...leftOver(chain, [tried])]
}

export async function fuzzHttp1(
  chain: Chain,
  options: { seed: number; messages: number; finds: string; directEvery: number; progress?: (done: number) => void },
): Promise<Http1Report> {
  const startMs = performance.now()
  const report: Http1Report = { messages: 0, conversations: 0, arrived: 0, refused: 0, finds: [], seconds: 0 }
  for (let seed = options.seed; report.messages < options.messages && report.finds.length < 5; seed++) {
    const batch = fc.sample(conversation, { seed, numRuns: BATCH })
    const tried = await Promise.all(batch.map((one, i) => attempt(chain, one, i % options.directEvery === 0)))
    const common = leftOver(chain, tried)
    for (const [i, { problems, answers }] of tried.entries()) {
      report.messages += batch[i]!.messages.length
      report.conversations++
      report.arrived += answers.filter((a) => a.n >= 0).length
      report.refused += answers.filter((a) => a.n < 0).length
      if (problems.length > 0) report.finds.push(await shrink(chain, seed, i, problems, options.finds))
    }
    if (common.length > 0) report.finds.push(...(await culprits(chain, seed, batch, common, options.finds)))
    options.progress?.(report.messages)
  }
  report.seconds = (performance.now() - startMs) / 1000
  return report
}

/** A fault of the whole batch: each conversation again, alone. */
async function culprits(
  chain: Chain,
  seed: number,
  batch: Conversation[],
  common: string[],
  folder: string,
): Promise<string[]> {
  const files: string[] = []
  for (const [i, one] of batch.entries()) {
    const problems = await judge(chain, one)
    if (problems.length > 0) files.push(await shrink(chain, seed, i, problems, folder))
    if (files.length >= 3) break
  }
  return files.length > 0 ? files : [`seed ${seed}, in company only: ${common[0]}`]
}

/** The smallest conversation with a fault, in a file; its path, or the words where it does not happen again. */
async function shrink(chain: Chain, seed: number, index: number, problems: string[], folder: string): Promise<string> {
  const property = fc.asyncProperty(conversation, async (one) => (await judge(chain, one)).length === 0)
  const details = await fc.check(property, { seed, path: String(index), endOnFailure: false })
  const [one] = details.counterexample ?? []
  if (one === undefined) return `seed ${seed} conversation ${index}, once only: ${problems[0]}`
  const again = await judge(chain, one)
  const bytes = one.messages.map((m, i) => render(m, `t.${i}`)).join('')
  mkdirSync(folder, { recursive: true })
  const file = join(folder, `http1-${seed}-${index}.json`)
  const why = again.length > 0 ? again : problems
  writeFileSync(file, `${JSON.stringify({ seed, index, problems: why, bytes, conversation: one }, null, 2)}\n`)
  return `${file}: ${why[0]} ${JSON.stringify(bytes)}`
}

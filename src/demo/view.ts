/** The demo's screen. In: a picture. Out: lines of text for a terminal of some size, coloured by `paint`. Pure. */
import { commandLines } from './command-lines.ts'
import type { Edge } from './edges.ts'
import type { Picture } from './picture.ts'
import type { SplitRow } from './split.ts'

type Tint = 'red' | 'green' | 'yellow' | 'cyan' | 'dim' | 'bold'
export type Paint = (tint: Tint, text: string) => string

export interface ViewOptions {
  paint: Paint
  nowEpochMs: number
  /** Commands for a second terminal. */
  tryNext: readonly (readonly [what: string, words: readonly string[]])[]
  /** Of the terminal; absent: no limit. */
  rows?: number
  columns?: number
}

const BAR_CELLS = 20
const CERTIFICATE_GAP = '   '

/** The roomiest of four layouts that fits; where none does, the last one with fewer edges. */
export function screen(picture: Picture, options: ViewOptions): string[] {
  const { paint, rows = Infinity } = options
  const split = splitLines(picture.split, paint)
  const edges = edgeLines(picture.edges, paint)
  const certificates = certificateLines(picture.certificates, options)
  const summary = certificateSummary(picture.certificates, options)
  const news = newsLines(picture, paint)
  const commands = tryLines(options, false)
  const top = header(picture, paint)
  const layouts = [
    [...top, '', ...split, '', ...edges, '', ...certificates, '', ...news, '', ...tryLines(options, true)],
    [...top, ...split, ...edges, ...certificates, ...news, ...commands],
    [...top, ...split, ...edges, summary, ...news, ...commands],
  ]
  return layouts.find((lines) => lines.length <= rows) ?? smallScreen(picture, options)
}

/** For 24 rows: titles and columns share lines, and the news take the title's place once there are some. */
function smallScreen(picture: Picture, options: ViewOptions): string[] {
  const { paint, rows = Infinity } = options
  const [title = '', ...commands] = tryLines(options, false)
  const top = [smallHeader(picture, paint), ...smallSplitLines(picture.split, paint)]
  const bottom = [
    `${certificateSummary(picture.certificates, options)}, ${outsiderText(picture)}`,
    picture.lastChange === undefined ? title : changeLine(picture, paint),
    ...commands,
  ]
  const [, head = '', ...edges] = edgeLines(picture.edges, paint)
  return [...top, head, ...atMost(edges, Math.max(rows - top.length - 1 - bottom.length, 1), paint), ...bottom]
}

function changeLine({ lastChange = 'none yet' }: Picture, paint: Paint): string {
  return `${paint('bold', 'CHANGED')}   ${lastChange}`
}

function newsLines(picture: Picture, paint: Paint): string[] {
  return [changeLine(picture, paint), `${paint('bold', 'OUTSIDER')}  without a sidecar: ${outsiderText(picture)}`]
}

/** Its last line without the time: `legacy-cron refused ECONNRESET`. */
function outsiderText({ outsider }: Picture): string {
  return `legacy-cron ${outsider === '' ? 'said nothing yet' : outsider.replace(/^\S+Z /, '')}`
}

function tryLines({ paint, tryNext, columns = Infinity }: ViewOptions, explained: boolean): string[] {
  const title = `${paint('bold', 'TRY NEXT')}  in a second terminal; Ctrl-C here ends the demo`
  return [
    title,
    ...tryNext.flatMap(([what, words]) =>
      explained
        ? [`  ${paint('dim', what)}`, ...commandLines(words, columns, '    ')]
        : commandLines(words, columns, '  '),
    ),
  ]
}

function atMost(lines: readonly string[], room: number, paint: Paint): readonly string[] {
  if (lines.length <= room) return lines
  return [
    ...lines.slice(0, room - 1),
    paint('dim', `  ... and ${lines.length - room + 1} more: a taller terminal shows them`),
  ]
}

/** The same in one line, for output that is no terminal. */
export function oneLine(picture: Picture): string {
  const split =
    picture.split?.map((row) => `${row.version} ${percent(measured(row, picture.split ?? []))}`).join(' ') ?? 'no split'
  const rate = picture.edges.reduce((sum, edge) => sum + edge.requestsPerSecond, 0)
  const errors = picture.edges.reduce((sum, edge) => sum + edge.requestsPerSecond * edge.errorShare, 0)
  const rotations = picture.certificates.reduce((sum, { rotations }) => sum + rotations, 0)
  return `${seconds(picture.upMs)}  checkout ${split}  ${rate.toFixed(0)} calls/s, ${errors.toFixed(1)} errors/s  ${rotations} rotations  control plane ${picture.ps.mesh.control.state}`
}

function header(picture: Picture, paint: Paint): string[] {
  const { control } = picture.ps.mesh
  const state =
    control.state === 'running'
      ? paint('green', `running (PID ${control.pid})`)
      : paint('red', `${control.state}: sidecars serve on with what they have`)
  return [
    `${paint('bold', 'pocketmesh demo')}  ${podCounts(picture)}  ${urls(picture, paint)}`,
    `control plane ${state}`,
  ]
}

function smallHeader(picture: Picture, paint: Paint): string {
  const { state } = picture.ps.mesh.control
  return `${podCounts(picture)}, control plane ${paint(state === 'running' ? 'green' : 'red', state)}  ${urls(picture, paint)}`
}

function podCounts({ ps: { pods }, upMs }: Picture): string {
  const ready = pods.filter((pod) => pod.ready).length
  const sidecars = pods.filter((pod) => pod.sidecar !== null).length
  return `${ready}/${pods.length} pods, ${sidecars} sidecars, up ${seconds(upMs)}`
}

function urls({ ps }: Picture, paint: Paint): string {
  return ps.published.map(({ url }) => paint('cyan', url)).join('  ')
}

const NO_SPLIT = 'no VirtualService splits checkout-service'

function splitLines(split: readonly SplitRow[] | undefined, paint: Paint): string[] {
  if (split === undefined) return [`${paint('bold', 'SPLIT')}  ${NO_SPLIT}`]
  const head = `  ${'VERSION'.padEnd(8)}${'ASKED'.padStart(6)}${'MEASURED'.padStart(10)}${'COUNT'.padStart(8)}  99.9 % BAND`
  return [
    `${paint('bold', 'SPLIT')}  checkout-service, ${count(totalOf(split))} requests since it was asked for`,
    paint('dim', head),
    ...split.map((row) => {
      const share = measured(row, split)
      const bar = '█'.repeat(Math.round(share * BAR_CELLS)).padEnd(BAR_CELLS, '░')
      return `  ${row.version.padEnd(8)}${percent(row.asked).padStart(6)}${percent(share).padStart(10)}${count(row.count).padStart(8)}  ${bandText(row).padEnd(14)} ${bar} ${verdict(row, split, paint)}`
    }),
  ]
}

/** One line a version, which names its own figures. */
function smallSplitLines(split: readonly SplitRow[] | undefined, paint: Paint): string[] {
  if (split === undefined) return [`${paint('bold', 'SPLIT')} ${NO_SPLIT}`]
  const total = count(totalOf(split))
  return split.map(
    (row) =>
      `${paint('bold', 'SPLIT')} ${row.version}  asked ${percent(row.asked)}, measured ${percent(measured(row, split))}: ${count(row.count)} of ${total}, band ${bandText(row)} ${verdict(row, split, paint)}`,
  )
}

function bandText({ band }: SplitRow): string {
  return `${count(band.low)}..${count(band.high)}`
}

function verdict({ inBand }: SplitRow, split: readonly SplitRow[], paint: Paint): string {
  if (totalOf(split) === 0) return ''
  return inBand ? paint('green', 'inside') : paint('red', 'outside')
}

function totalOf(split: readonly SplitRow[]): number {
  return split.reduce((sum, each) => sum + each.count, 0)
}

function edgeLines(edges: readonly Edge[], paint: Paint): string[] {
  const title = `${paint('bold', 'EDGES')}  last seconds, as the callers saw them; the lock is what came on the wire`
  if (edges.length === 0) return [title, paint('dim', '  no request yet')]
  const from = widest(edges.map(({ source }) => source))
  const to = widest(edges.map(({ destination }) => destination))
  const head = `  ${'FROM'.padEnd(from)}${'TO'.padEnd(to)}${'RPS'.padStart(6)}${'ERR'.padStart(7)}${'P50'.padStart(8)}${'P99'.padStart(8)}  WIRE`
  return [
    title,
    paint('dim', head),
    ...edges.map((edge) => {
      const errors = percent(edge.errorShare).padStart(7)
      const figures = `${edge.requestsPerSecond.toFixed(1).padStart(6)}${edge.errorShare > 0 ? paint('red', errors) : errors}${time(edge.p50Ms)}${time(edge.p99Ms)}`
      return `  ${edge.source.padEnd(from)}${edge.destination.padEnd(to)}${figures}  ${lock(edge.mtlsShare, paint)}`
    }),
  ]
}

/** Width of a column of names, the gap included. */
function widest(names: readonly string[]): number {
  return Math.max(...names.map((name) => name.length), 12) + 1
}

/** Always drawn, in each state: a lock that is hidden teaches nothing. */
function lock(mtlsShare: number | undefined, paint: Paint): string {
  if (mtlsShare === undefined) return paint('dim', 'not seen')
  if (mtlsShare === 1) return paint('green', '🔒 mTLS 100 %')
  if (mtlsShare === 0) return paint('yellow', '🔓 plaintext')
  return paint('yellow', `🔓 mTLS ${percent(mtlsShare)}`)
}

function certificateLines(
  certificates: Picture['certificates'],
  { paint, nowEpochMs, columns = 80 }: ViewOptions,
): string[] {
  const cells = certificates.map(({ pod, notAfter, rotations }) => {
    const leftMs = Date.parse(notAfter) - nowEpochMs
    return `${pod.padEnd(22)}${(leftMs > 0 ? seconds(leftMs) : 'expired').padStart(8)}${`${rotations}×`.padStart(4)}`
  })
  const perLine = Math.max(Math.floor((columns - 2) / ((cells[0]?.length ?? 0) + CERTIFICATE_GAP.length)), 1)
  const lines: string[] = []
  for (let i = 0; i < cells.length; i += perLine) lines.push(`  ${cells.slice(i, i + perLine).join(CERTIFICATE_GAP)}`)
  return [`${paint('bold', 'CERTIFICATES')}  time left, and rotations so far`, ...lines]
}

function certificateSummary(certificates: Picture['certificates'], { paint, nowEpochMs }: ViewOptions): string {
  const leftMs = Math.min(...certificates.map(({ notAfter }) => Date.parse(notAfter) - nowEpochMs))
  const rotations = certificates.map((certificate) => certificate.rotations)
  const text = `next ends in ${seconds(Math.max(leftMs, 0))}, rotated ${Math.min(...rotations)}-${Math.max(...rotations)}×`
  return `${paint('bold', 'CERTIFICATES')} ${certificates.length === 0 ? 'none yet' : text}`
}

function measured(row: SplitRow, rows: readonly SplitRow[]): number {
  const total = totalOf(rows)
  return total === 0 ? 0 : row.count / total
}

function percent(share: number): string {
  const value = share * 100
  return `${Number.isInteger(value) ? value : value.toFixed(1)} %`
}

function time(ms: number | undefined): string {
  return (ms === undefined ? '-' : `${ms < 10 ? ms.toFixed(1) : ms.toFixed(0)} ms`).padStart(8)
}

function seconds(ms: number): string {
  const whole = Math.round(ms / 1000)
  if (whole < 60) return `${whole}s`
  if (whole < 3600) return `${Math.floor(whole / 60)}m${String(whole % 60).padStart(2, '0')}s`
  return `${Math.floor(whole / 3600)}h${String(Math.floor(whole / 60) % 60).padStart(2, '0')}m`
}

function count(value: number): string {
  return value.toLocaleString('en-US')
}

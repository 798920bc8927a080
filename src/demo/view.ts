/** The demo's screen. In: a picture. Out: lines of text, coloured by `paint`. Pure. */
import type { Edge } from './edges.ts'
import type { Picture } from './picture.ts'
import type { SplitRow } from './split.ts'

type Tint = 'red' | 'green' | 'yellow' | 'cyan' | 'dim' | 'bold'
export type Paint = (tint: Tint, text: string) => string

export interface ViewOptions {
  paint: Paint
  nowEpochMs: number
  /** Commands for a second terminal. */
  tryNext: readonly (readonly [what: string, command: string])[]
  /** Of the terminal; absent: no limit. */
  rows?: number
}

const BAR_CELLS = 24
const FEWEST_EDGES = 3

/** All of it, or as much as the terminal has room for: certificates become one line, commands stand alone, edges are left out. */
export function screen(picture: Picture, options: ViewOptions): string[] {
  const { paint, rows = Infinity } = options
  const top = [...header(picture, paint), '', ...splitLines(picture.split, paint), '']
  const edges = edgeLines(picture.edges, paint)
  const certificates = certificateLines(picture.certificates, options)
  const news = newsLines(picture, paint)
  const whole = [...top, ...edges, '', ...certificates, '', ...news, '', ...tryLines(options, true)]
  if (whole.length <= rows) return whole
  const bottom = [certificateSummary(picture.certificates, options), ...news, '', ...tryLines(options, false)]
  const room = Math.max(rows - top.length - bottom.length - 1, FEWEST_EDGES)
  return [...top, ...atMost(edges, room, paint), '', ...bottom]
}

function newsLines({ lastChange, outsider }: Picture, paint: Paint): string[] {
  return [
    `${paint('bold', 'LAST CHANGE')}  ${lastChange}`,
    `${paint('bold', 'OUTSIDER')}     legacy-cron, without a sidecar: ${outsider === '' ? 'nothing yet' : outsider}`,
  ]
}

function tryLines({ paint, tryNext }: ViewOptions, explained: boolean): string[] {
  const title = `${paint('bold', 'TRY NEXT')}  in a second terminal; Ctrl-C here ends the demo`
  return [
    title,
    ...tryNext.flatMap(([what, command]) =>
      explained ? [`  ${paint('dim', what)}`, `    ${command}`] : [`    ${command}`],
    ),
  ]
}

function atMost(lines: readonly string[], room: number, paint: Paint): readonly string[] {
  if (lines.length <= room) return lines
  return [...lines.slice(0, room - 1), paint('dim', `  ... and ${lines.length - room + 1} more`)]
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

function header({ ps, upMs }: Picture, paint: Paint): string[] {
  const ready = ps.pods.filter((pod) => pod.ready).length
  const sidecars = ps.pods.filter((pod) => pod.sidecar !== null).length
  const { control } = ps.mesh
  const state =
    control.state === 'running'
      ? paint('green', `running (PID ${control.pid})`)
      : paint('red', `${control.state}: sidecars serve on with what they have`)
  return [
    `${paint('bold', 'pocketmesh demo')}  ${ready} of ${ps.pods.length} pods ready, ${sidecars} sidecars, up ${seconds(upMs)}`,
    `control plane ${state}`,
    ...ps.published.map(({ service, url }) => `${service}: ${paint('cyan', url)}`),
  ]
}

function splitLines(split: readonly SplitRow[] | undefined, paint: Paint): string[] {
  if (split === undefined) return [`${paint('bold', 'SPLIT')}  no VirtualService splits checkout-service`]
  const total = split.reduce((sum, { count }) => sum + count, 0)
  const head = `${paint('bold', 'SPLIT')}  checkout-service, ${count(total)} requests since it was asked for`
  return [
    head,
    paint(
      'dim',
      `  ${'VERSION'.padEnd(8)}${'ASKED'.padStart(6)}${'MEASURED'.padStart(10)}${'COUNT'.padStart(8)}  99.9 % BAND`,
    ),
    ...split.map((row) => {
      const share = measured(row, split)
      const bar = '█'.repeat(Math.round(share * BAR_CELLS)).padEnd(BAR_CELLS, '░')
      const band = `${count(row.band.low)}..${count(row.band.high)}`.padEnd(16)
      const verdict = total === 0 ? '' : row.inBand ? paint('green', 'inside') : paint('red', 'outside')
      return `  ${row.version.padEnd(8)}${percent(row.asked).padStart(6)}${percent(share).padStart(10)}${count(row.count).padStart(8)}  ${band} ${bar} ${verdict}`
    }),
  ]
}

function edgeLines(edges: readonly Edge[], paint: Paint): string[] {
  const head = `  ${'FROM'.padEnd(16)}${'TO'.padEnd(16)}${'RPS'.padStart(7)}${'ERR'.padStart(8)}${'P50'.padStart(9)}${'P99'.padStart(9)}  WIRE`
  if (edges.length === 0) return [`${paint('bold', 'EDGES')}  no request in the last seconds`]
  return [
    `${paint('bold', 'EDGES')}  of the last seconds, as the callers saw them; the lock is what arrived on the wire`,
    paint('dim', head),
    ...edges.map((edge) => {
      const errors = percent(edge.errorShare).padStart(8)
      const figures = `${edge.requestsPerSecond.toFixed(1).padStart(7)}${edge.errorShare > 0 ? paint('red', errors) : errors}${time(edge.p50Ms)}${time(edge.p99Ms)}`
      return `  ${edge.source.padEnd(16)}${edge.destination.padEnd(16)}${figures}  ${lock(edge.mtlsShare, paint)}`
    }),
  ]
}

/** Always drawn, in each state: a lock that is hidden teaches nothing. */
function lock(mtlsShare: number | undefined, paint: Paint): string {
  if (mtlsShare === undefined) return paint('dim', 'not seen')
  if (mtlsShare === 1) return paint('green', '🔒 mTLS 100 %')
  if (mtlsShare === 0) return paint('yellow', '🔓 plaintext')
  return paint('yellow', `🔓 mTLS ${percent(mtlsShare)}`)
}

function certificateLines(certificates: Picture['certificates'], { paint, nowEpochMs }: ViewOptions): string[] {
  const cells = certificates.map(({ pod, notAfter, rotations }) => {
    const leftMs = Date.parse(notAfter) - nowEpochMs
    const left = leftMs > 0 ? `${seconds(leftMs)} left` : 'expired'
    return `${pod.padEnd(28)}${left.padStart(11)}${`${rotations} rotated`.padStart(12)}`
  })
  const lines: string[] = []
  for (let i = 0; i < cells.length; i += 2) lines.push(`  ${cells.slice(i, i + 2).join('    ')}`)
  return [paint('bold', 'CERTIFICATES'), ...lines]
}

function certificateSummary(certificates: Picture['certificates'], { paint, nowEpochMs }: ViewOptions): string {
  const leftMs = Math.min(...certificates.map(({ notAfter }) => Date.parse(notAfter) - nowEpochMs))
  const rotations = certificates.map((certificate) => certificate.rotations)
  const text = `${certificates.length} sidecars, the next expires in ${seconds(Math.max(leftMs, 0))}, ${Math.min(...rotations)} to ${Math.max(...rotations)} rotations each`
  return `${paint('bold', 'CERTIFICATES')}  ${certificates.length === 0 ? 'none yet' : text}`
}

function measured(row: SplitRow, rows: readonly SplitRow[]): number {
  const total = rows.reduce((sum, each) => sum + each.count, 0)
  return total === 0 ? 0 : row.count / total
}

function percent(share: number): string {
  const value = share * 100
  return `${Number.isInteger(value) ? value : value.toFixed(1)} %`
}

function time(ms: number | undefined): string {
  return (ms === undefined ? '-' : `${ms < 10 ? ms.toFixed(1) : ms.toFixed(0)} ms`).padStart(9)
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

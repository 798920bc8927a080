/** `proxy-status`: who has which configuration, how old the last ACK is, and what a proxy has refused. */
import type { Command } from 'commander'
import type { CertificateStatus, ProxyStatus, SyncState } from '../../client/contract.ts'
import { ago, left, milliseconds } from '../age.ts'
import { withContext, type Context } from '../context.ts'
import { CliError } from '../errors.ts'
import { examples } from '../help.ts'
import { renderData, withOutput, type Format } from '../output.ts'
import { glyphsFor, plain, type Paint, type Tint } from '../style.ts'
import { renderTable, type Cell } from '../table.ts'

const TYPES = ['CDS', 'EDS', 'LDS', 'RDS', 'NDS'] as const
const STATE_TINT: Record<SyncState, Tint> = { SYNCED: 'green', STALE: 'yellow', 'NOT SENT': 'dim', IGNORED: 'dim' }

export function registerProxyStatus(program: Command): void {
  const command = withOutput(
    program
      .command('proxy-status')
      .description('list the connected proxies and what they have')
      .argument('[name]', 'pod'),
    ['table', 'json', 'yaml', 'name'],
  )
  examples(command, [
    ['All proxies', 'proxy-status'],
    ['One, type by type', 'proxy-status frontend-v1-0'],
    ['For a program', 'proxy-status -o json'],
  ])
  command.action((name: string | undefined, flags: { output: Format }) =>
    withContext(command, (context) => proxyStatus(context, name, flags.output)),
  )
}

export async function proxyStatus(context: Context, name: string | undefined, format: Format): Promise<void> {
  const { control, print, note, namespace, paint } = context
  const [list, certificates] = await Promise.all([control.proxies(), control.certificates()])
  const items =
    name === undefined ? list.items : list.items.filter((p) => p.name === name || p.name === `${name}.${namespace}`)
  if (name !== undefined && items.length === 0) throw new CliError(notConnected(name, list.items))
  if (format === 'json' || format === 'yaml')
    return print(await renderData(format, { schema: 'pocketmesh.dev/proxies/v1', revision: list.revision, items }))
  if (format === 'name') return items.forEach((item) => print(`proxy/${item.name}`))
  if (items.length === 0) return note('no proxy is connected: "pocketmesh ps" shows what runs')
  const nowEpochMs = Date.now()
  const [first] = items
  if (name !== undefined && first !== undefined) print(proxyDetails(first, nowEpochMs, paint))
  else print(proxyTable(items, certificates.items, { nowEpochMs, paint, branch: glyphsFor(process.env).branch }))
}

function notConnected(name: string, items: readonly ProxyStatus[]): string {
  const names = items.map((item) => item.name).join(', ')
  return `no proxy "${name}" is connected; ${names === '' ? 'none is' : `connected: ${names}`}`
}

export interface ProxyTableOptions {
  nowEpochMs: number
  paint?: Paint
  branch: string
}

/** A row per proxy; below it, if it has refused something, what and why. */
export function proxyTable(
  items: readonly ProxyStatus[],
  certificates: readonly CertificateStatus[],
  { nowEpochMs, paint = plain, branch }: ProxyTableOptions,
): string {
  const secrets = new Map(certificates.map((c) => [`${c.pod}.${c.namespace}`, c]))
  const heads = ['PROXY', ...TYPES, 'SECRET', 'VERSION', 'LAST ACK', 'CONVERGED']
  const rows = items.map((item) => proxyRow(item, secrets.get(item.name), nowEpochMs))
  const [head = '', ...lines] = renderTable(heads, rows, { paint }).split('\n')
  const out = [head]
  for (const [i, line] of lines.entries()) {
    out.push(line)
    const nack = items[i]?.nack
    if (nack !== undefined)
      out.push(paint('red', `  ${branch} NACK ${nack.type}, ${ago(nack.at, nowEpochMs)}: ${nack.detail}`))
  }
  return out.join('\n')
}

function proxyRow(item: ProxyStatus, certificate: CertificateStatus | undefined, nowEpochMs: number): Cell[] {
  return [
    item.name,
    ...TYPES.map((type): Cell => {
      const state = item.types[type]?.state ?? 'IGNORED'
      return { text: state, tint: STATE_TINT[state] }
    }),
    secretCell(certificate, nowEpochMs),
    String(item.ackedRevision),
    ago(item.lastAckAt, nowEpochMs),
    item.convergedMs === undefined ? '-' : milliseconds(item.convergedMs),
  ]
}

function secretCell(certificate: CertificateStatus | undefined, nowEpochMs: number): Cell {
  if (certificate === undefined) return { text: 'NOT SENT', tint: 'dim' }
  const expired = Date.parse(certificate.notAfter) < nowEpochMs
  const state = expired ? 'EXPIRED' : 'SYNCED'
  return { text: `${state} (${left(certificate.notAfter, nowEpochMs)})`, tint: expired ? 'red' : 'green' }
}

/** One proxy, type by type. */
export function proxyDetails(item: ProxyStatus, nowEpochMs: number, paint: Paint = plain): string {
  const rows = TYPES.map((type): Cell[] => {
    const entry = item.types[type]
    const state = entry?.state ?? 'IGNORED'
    return [type, { text: state, tint: STATE_TINT[state] }, String(entry?.resources ?? 0), entry?.version ?? '-']
  })
  const lines = [
    `${paint('bold', item.name)}  connected ${ago(item.connectedAt, nowEpochMs)}  revision ${item.ackedRevision}, last ACK ${ago(item.lastAckAt, nowEpochMs)}`,
    renderTable(['TYPE', 'STATE', 'RESOURCES', 'VERSION'], rows, { paint, indent: '  ' }),
  ]
  if (item.nack !== undefined)
    lines.push(paint('red', `refused ${item.nack.type}, ${ago(item.nack.at, nowEpochMs)}: ${item.nack.detail}`))
  return lines.join('\n')
}

/** A sidecar's /certs as a table. In: parsed JSON of a process of ours, taken as it comes. Pure. */
import { ago, left } from './age.ts'
import type { DumpTable } from './proxy-dump.ts'

interface Certs {
  spiffeId?: string
  valid?: boolean
  generation?: number
  serial?: string
  notBefore?: string
  notAfter?: string
  renewAt?: string
  lastError?: string | null
}

export function secretTable(certs: unknown, nowEpochMs: number): DumpTable {
  const {
    spiffeId = '-',
    valid,
    generation = 0,
    serial = '-',
    notBefore,
    notAfter,
    renewAt,
    lastError,
  }: Certs = certs ?? {}
  const heads = ['IDENTITY', 'STATE', 'SERIAL', 'ISSUED', 'LEFT', 'RENEWAL', 'GENERATION', 'LAST ERROR']
  const row = [
    spiffeId,
    valid === true ? ({ text: 'VALID', tint: 'green' } as const) : ({ text: 'NOT VALID', tint: 'red' } as const),
    serial.slice(0, 16),
    ago(notBefore, nowEpochMs),
    notAfter === undefined ? '-' : left(notAfter, nowEpochMs),
    renewAt === undefined ? '-' : `in ${left(renewAt, nowEpochMs).replace(' left', '')}`,
    String(generation),
    lastError ?? '-',
  ]
  return { heads, rows: [row] }
}

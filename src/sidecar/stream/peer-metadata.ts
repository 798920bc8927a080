/**
 * Who calls whom, told between sidecars in a header: a workload as base64 of compact JSON.
 * Only believed over mutual TLS. Owns a bounded cache by header text: a caller sends the same one with each request.
 */
import { UNKNOWN_WORKLOAD, type Workload } from '../workload.ts'

const MAX_CACHED = 1024
const MAX_HEADER_LENGTH = 4096
const cache = new Map<string, Workload>()
let lastHeader = ''
let lastWorkload = UNKNOWN_WORKLOAD

export function encodePeerMetadata(workload: Workload): string {
  return Buffer.from(JSON.stringify(workload), 'utf8').toString('base64')
}

// hot: the first return, which needs no hash of a long text
export function decodePeerMetadata(header: string): Workload {
  if (header === lastHeader) return lastWorkload
  lastWorkload = cache.get(header) ?? remember(header)
  lastHeader = header
  return lastWorkload
}

function remember(header: string): Workload {
  const workload = parse(header)
  if (cache.size >= MAX_CACHED) cache.clear() // no caller has that many names: somebody makes them up
  cache.set(header, workload)
  return workload
}

function parse(header: string): Workload {
  if (header.length > MAX_HEADER_LENGTH) return UNKNOWN_WORKLOAD
  try {
    const value: unknown = JSON.parse(Buffer.from(header, 'base64').toString('utf8'))
    if (typeof value !== 'object' || value === null) return UNKNOWN_WORKLOAD
    const fields = value as Partial<Record<keyof Workload, unknown>>
    const text = (field: unknown): string => (typeof field === 'string' && field !== '' ? field : 'unknown')
    return Object.freeze({
      workload: text(fields.workload),
      namespace: text(fields.namespace),
      app: text(fields.app),
      version: text(fields.version),
      canonicalService: text(fields.canonicalService),
      canonicalRevision: text(fields.canonicalRevision),
      cluster: text(fields.cluster),
    })
  } catch {
    return UNKNOWN_WORKLOAD
  }
}

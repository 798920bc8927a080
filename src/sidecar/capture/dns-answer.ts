/**
 * What the mesh answers to a question. In: a query, the table of names. Out: an answer, or `undefined`: not the mesh's, to
 * be asked elsewhere. Pure. Records have a short life, as in Kubernetes: the addresses stay, the names come and go.
 */
import { isIPv4 } from 'node:net'
import type { Rdata, Reply } from './dns-reply.ts'
import { type Query, RCODE, TYPE } from './dns-query.ts'
import { type DnsTable, ownZone } from './dns-table.ts'

const TTL_SECONDS = 30
const LOOPBACK = ['127.0.0.1', '::1']

export function answerQuery({ name, type }: Query, table: DnsTable): Reply | undefined {
  // the root and whole zones: nobody asks for them but tools
  if (name === '' || type === TYPE.AXFR || type === TYPE.IXFR) return { rcode: RCODE.refused }
  const zone = ownZone(name)
  const records = recordsOf(name, type, table)
  if (records !== undefined) {
    const reply = { rcode: RCODE.noError, records, authoritative: true }
    // a name that is there without such records: that, too, is remembered by a zone
    return records.length > 0 ? reply : { ...reply, zone: zone ?? name }
  }
  return zone === undefined ? undefined : { rcode: RCODE.nxDomain, authoritative: true, zone }
}

/** `undefined`: the mesh has no such name. An empty list: it has it, without such records. */
function recordsOf(name: string, type: number, table: DnsTable): Rdata[] | undefined {
  const addresses = isLocalhost(name) ? LOOPBACK : table.lookup(name)
  if (addresses !== undefined)
    return addresses.flatMap((data): Rdata[] => {
      if (isIPv4(data)) return type === TYPE.A ? [{ type: 'A', ttl: TTL_SECONDS, data }] : []
      return type === TYPE.AAAA ? [{ type: 'AAAA', ttl: TTL_SECONDS, data }] : []
    })
  const host = table.reverse(name)
  if (host !== undefined) return type === TYPE.PTR ? [{ type: 'PTR', ttl: TTL_SECONDS, data: host }] : []
  return table.isAbove(name) ? [] : undefined
}

/** RFC 6761 6.3: never asked elsewhere. */
function isLocalhost(name: string): boolean {
  return name === 'localhost' || name.endsWith('.localhost')
}

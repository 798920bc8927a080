/** A DNS server on a free port of loopback, for tests. */
import { Resolver } from 'node:dns/promises'
import packet, { type Packet } from 'dns-packet'
import type { Test } from 'tap'
import { createLog } from '../../../src/lib/log.ts'
import { DnsServer, type DnsServerOptions } from '../../../src/sidecar/capture/dns.ts'
import { ManualClock } from '../../helpers/manual-clock.ts'

export const MANY = Array.from({ length: 60 }, (_, i) => `240.240.1.${i}`)

export const NAMES = new Map<string, readonly string[]>([
  ['web.default.svc.cluster.local', ['240.240.0.5', '2001:2::5']],
  ['web', ['240.240.0.5', '2001:2::5']],
  ['four.default.svc.cluster.local', ['240.240.0.6']],
  ['many.default.svc.cluster.local', MANY],
  ['*.wide.example', ['240.240.0.7']],
  ['*.very.wide.example', ['240.240.0.8']],
  ['broken.default.svc.cluster.local', ['not an address']],
])

export function createDns(t: Test, options: Partial<DnsServerOptions> = {}): DnsServer {
  const { port = 0, upstream, mayLeave = () => true, clock = new ManualClock() } = options
  const server = new DnsServer({ address: '127.0.0.1', port, upstream, mayLeave, clock, log: createLog('test') })
  t.teardown(() => server.close())
  return server
}

/** With `NAMES`, and bound. */
export async function startDns(t: Test, options: Partial<DnsServerOptions> = {}): Promise<DnsServer> {
  const clock = new ManualClock()
  const server = createDns(t, { ...options, clock })
  server.setNames(NAMES)
  await bound(server, clock)
  return server
}

/** A port that is free for UDP may be taken for TCP: then with another. */
export async function bound(server: DnsServer, clock: ManualClock): Promise<void> {
  await server.start()
  while (server.fault !== '') {
    clock.advance(1000)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

export function resolverOf(server: DnsServer): Resolver {
  const resolver = new Resolver({ timeout: 8000, tries: 1 })
  resolver.setServers([`127.0.0.1:${server.port}`])
  return resolver
}

export function query(name: string, type: string, more: Omit<Packet, 'questions'> = {}): Buffer {
  const questions = [{ type, name }] as NonNullable<Packet['questions']>
  return packet.encode({ type: 'query', id: 7, flags: packet.RECURSION_DESIRED, questions, ...more })
}

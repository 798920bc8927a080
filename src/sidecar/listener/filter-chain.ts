/**
 * Filter chains of a listener, compiled, and the choice among them (Envoy: FilterChainMatch).
 * In: what the inspector saw. Out: the chain. Immutable.
 */
import type { HttpFilterCell } from '../filter/chain.ts'
import type { HttpSettings, TcpSettings } from '../stream/context.ts'
import type { Inspection, Seen } from './inspector.ts'

/** TLS of a chain: who handles the handshake. */
export interface ChainTls {
  alpn: readonly string[]
  requireClientCertificate: boolean
}

export interface FilterChain {
  transport: '' | 'tls' | 'raw_buffer'
  /** Any of them; empty: whatever. */
  protocols: readonly string[]
  serverNames: readonly string[]
  tls: ChainTls | null
  network: { kind: 'http'; settings: HttpSettings } | { kind: 'tcp'; settings: TcpSettings }
}

export interface ListenerSpec {
  name: string
  /** Where it is bound, or the destination it is for. */
  address: { host: string; port: number } | { path: string }
  bind: boolean
  inbound: boolean
  /** Connections carry a PROXY v2 header; its destination chooses another listener. */
  capture: boolean
  inspection: Inspection
  chains: readonly FilterChain[]
  defaultChain: FilterChain | null
}

/**
 * Envoy's order: server name before transport before application protocols, the more specific first. Chains of one
 * listener differ in transport and protocols here, so the first that fits with the most conditions is it.
 */
export function chooseChain(spec: ListenerSpec, seen: Seen): FilterChain | null {
  let best: FilterChain | null = null
  let bestScore = -1
  for (const chain of spec.chains) {
    const score = scoreOf(chain, seen)
    if (score > bestScore) [best, bestScore] = [chain, score]
  }
  return best ?? spec.defaultChain
}

/** Says which connections a chain is for, and so which chain of a later version stands in its place. */
export function chainKey({ network, transport, protocols, serverNames }: FilterChain): string {
  return JSON.stringify([network.kind, transport, protocols, serverNames])
}

/**
 * A new version's filters into the cells that connections of earlier versions hold: an access rule must not wait until
 * pooled links are closed. Returns the keys of all chains.
 */
export function shareFilters(spec: ListenerSpec, cells: Map<string, HttpFilterCell>): ReadonlySet<string> {
  const keys = new Set<string>()
  for (const chain of spec.defaultChain === null ? spec.chains : [...spec.chains, spec.defaultChain]) {
    const key = chainKey(chain)
    const { network } = chain
    if (network.kind === 'http' && !keys.has(key)) {
      const cell = cells.get(key) ?? network.settings.filters
      cell.list = network.settings.filters.list
      network.settings.filters = cell
      cells.set(key, cell)
    }
    keys.add(key)
  }
  return keys
}

function scoreOf(chain: FilterChain, seen: Seen): number {
  if (chain.transport !== '' && chain.transport !== seen.transport) return -1
  if (chain.protocols.length > 0 && !chain.protocols.some((p) => seen.protocols.includes(p))) return -1
  if (chain.serverNames.length > 0 && !chain.serverNames.some((name) => serverNameFits(name, seen.sni))) return -1
  return (
    (chain.serverNames.length > 0 ? 4 : 0) + (chain.transport === '' ? 0 : 2) + (chain.protocols.length > 0 ? 1 : 0)
  )
}

function serverNameFits(pattern: string, sni: string): boolean {
  return pattern.startsWith('*.') ? sni.endsWith(pattern.slice(1)) : pattern === sni
}

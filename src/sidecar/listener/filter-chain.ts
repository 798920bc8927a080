/**
 * Filter chains of a listener, compiled, and the choice among them (Envoy: FilterChainMatch).
 * In: what the inspector saw. Out: the chain. Immutable.
 */
import type { HttpFilterCell, NetworkFilterCell } from '../filter/chain.ts'
import type { HttpSettings, TcpSettings } from '../stream/context.ts'
import type { FileTls } from '../tls/files.ts'
import type { BindAddress } from './binding.ts'
import type { Inspection, Seen } from './inspector.ts'

/** TLS of a chain: who handles the handshake. */
export interface ChainTls {
  alpn: readonly string[]
  requireClientCertificate: boolean
  /** Certificates from files; `null`: the mesh's identity. */
  files: FileTls | null
}

export interface FilterChain {
  transport: '' | 'tls' | 'raw_buffer'
  /** Any of them; empty: whatever. */
  protocols: readonly string[]
  serverNames: readonly string[]
  tls: ChainTls | null
  /** Served at a time; more are closed at once. */
  maxConnections: number
  network: { kind: 'http'; settings: HttpSettings } | { kind: 'tcp'; settings: TcpSettings }
}

export interface ListenerSpec {
  name: string
  /** Where it is bound, or the destinations it is for. Never empty, none twice. */
  addresses: readonly BindAddress[]
  bind: boolean
  inbound: boolean
  /** Connections begin with a PROXY v2 header. */
  proxyHeader: boolean
  /** Where a connection meant to go chooses another listener. */
  useOriginalDst: boolean
  inspection: Inspection
  chains: readonly FilterChain[]
  defaultChain: FilterChain | null
}

/**
 * Envoy's order: server name before transport before application protocols; of server names the exact one, then the
 * longest pattern. Of chains that fit equally well the first.
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

/** By key of their chain. */
export interface FilterCells {
  http: Map<string, HttpFilterCell>
  network: Map<string, NetworkFilterCell>
}

/**
 * A new version's filters into the cells that connections of earlier versions hold: an access rule must not wait until
 * pooled links are closed. Returns the keys of all chains.
 */
export function shareFilters(spec: ListenerSpec, cells: FilterCells): ReadonlySet<string> {
  const keys = new Set<string>()
  for (const chain of spec.defaultChain === null ? spec.chains : [...spec.chains, spec.defaultChain]) {
    const key = chainKey(chain)
    const { network } = chain
    if (!keys.has(key)) {
      if (network.kind === 'http') network.settings.filters = share(cells.http, key, network.settings.filters)
      else network.settings.filters = share(cells.network, key, network.settings.filters)
    }
    keys.add(key)
  }
  return keys
}

function share<T>(cells: Map<string, { list: T }>, key: string, fresh: { list: T }): { list: T } {
  const cell = cells.get(key) ?? fresh
  cell.list = fresh.list
  cells.set(key, cell)
  return cell
}

function scoreOf(chain: FilterChain, seen: Seen): number {
  if (chain.transport !== '' && chain.transport !== seen.transport) return -1
  if (chain.protocols.length > 0 && !chain.protocols.some((p) => seen.protocols.includes(p))) return -1
  const name = serverNameScore(chain.serverNames, seen.sni)
  if (chain.serverNames.length > 0 && name === 0) return -1
  return 4 * name + (chain.transport === '' ? 0 : 2) + (chain.protocols.length > 0 ? 1 : 0)
}

/** 0: none of them fits. A pattern is longer than what it leaves out, so an exact name is above every one. */
function serverNameScore(patterns: readonly string[], sni: string): number {
  let best = 0
  for (const pattern of patterns) {
    if (pattern === sni) return sni.length + 1
    if (pattern.startsWith('*.') && sni.endsWith(pattern.slice(1))) best = Math.max(best, pattern.length - 1)
  }
  return best
}

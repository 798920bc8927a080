/**
 * A compiled route configuration: virtual hosts by domain, routes in order. Immutable; a push swaps the whole table.
 * In: authority, path, head. Out: the first route that matches. Source: Envoy, VirtualHost.domains.
 */
import type { Head } from '../codec/head.ts'
import type { Exchange } from '../exchange.ts'
import type { RouteAction } from './action.ts'
import { matches, type RouteMatch } from './match.ts'

export interface Route {
  name: string
  match: RouteMatch
  action: RouteAction
}

export interface VirtualHost {
  name: string
  routes: readonly Route[]
  includeAttemptCount: boolean
  /** Path alone decides: no route looks at fields, query or method. */
  isByPath: boolean
}

/** A domain with one `*`: what stands before or after it. */
export interface WildcardDomain {
  text: string
  host: VirtualHost
}

export interface DomainIndex {
  exact: ReadonlyMap<string, VirtualHost>
  /** `*.foo.com`, `*-bar.com`: longest first. */
  suffixes: readonly WildcardDomain[]
  /** `foo.*`: longest first. */
  prefixes: readonly WildcardDomain[]
  any: VirtualHost | undefined
}

export class RouteTable {
  readonly name: string
  /** Some route says that a CONNECT may end here. */
  readonly allowsConnect: boolean
  readonly #domains: DomainIndex
  readonly #ignorePort: boolean

  constructor(name: string, domains: DomainIndex, ignorePort: boolean, allowsConnect: boolean) {
    this.name = name
    this.allowsConnect = allowsConnect
    this.#domains = domains
    this.#ignorePort = ignorePort
  }

  /** Domain lookup in Envoy's order: exact, longest suffix wildcard, longest prefix wildcard, `*`. */
  virtualHost(authority: string): VirtualHost | undefined {
    let host = authority.toLowerCase()
    if (this.#ignorePort) host = withoutPort(host)
    const { exact, suffixes, prefixes, any } = this.#domains
    const found = exact.get(host)
    if (found !== undefined) return found
    // a wildcard stands for at least one character
    for (const { text, host: vhost } of suffixes) if (host.length > text.length && host.endsWith(text)) return vhost
    for (const { text, host: vhost } of prefixes) if (host.length > text.length && host.startsWith(text)) return vhost
    return any
  }
}

/** First match wins, in listed order. */
export function findRoute(host: VirtualHost, x: Exchange, head: Head): Route | undefined {
  const mark = x.path.indexOf('?')
  const path = mark < 0 ? x.path : x.path.slice(0, mark)
  for (const route of host.routes) if (matches(route.match, x, path, head)) return route
  return undefined
}

function withoutPort(host: string): string {
  const colon = host.lastIndexOf(':')
  return colon > host.lastIndexOf(']') ? host.slice(0, colon) : host
}

/** Where a listener finds the table of its name; a push swaps `table`. */
export interface RouteCell {
  readonly name: string
  table: RouteTable | null
}

/**
 * Names of hosts in configuration: short names, wildcards, who sees what. Pure.
 * Source: Istio 1.30, pkg/config/host/name.go and pilot/pkg/model/virtualservice.go (ResolveShortnameToFQDN).
 */
import { isIP } from 'node:net'

/** `reviews` in namespace `a` is `reviews.a.svc.cluster.local`; anything with a dot, `*` and addresses stay. */
export function resolveHost(host: string, namespace: string): string {
  const name = host.toLowerCase()
  if (name.includes('.') || name.startsWith('*') || isIP(name) !== 0) return name
  return `${name}.${namespace}.svc.cluster.local`
}

const isWildcard = (host: string): boolean => host.startsWith('*')

/** Is there a name that both stand for? `*.foo.com` does not match `foo.com`. */
export function hostsMatch(a: string, b: string): boolean {
  if (isWildcard(a) && isWildcard(b)) {
    const [short, long] = a.length < b.length ? [a, b] : [b, a]
    return long.slice(1).endsWith(short.slice(1))
  }
  if (isWildcard(a)) return b.endsWith(a.slice(1))
  if (isWildcard(b)) return a.endsWith(b.slice(1))
  return a === b
}

/** Does `pattern` stand for every name that `host` stands for? */
export function hostIsSubsetOf(host: string, pattern: string): boolean {
  if (!isWildcard(pattern)) return host === pattern
  return (isWildcard(host) ? host.slice(1) : host).endsWith(pattern.slice(1))
}

/** Values by host pattern: exact first, then the longest wildcard. The first value added for a pattern stays. */
export class HostMap<T> {
  readonly #exact = new Map<string, T>()
  readonly #wildcards = new Map<string, T>()
  #longestFirst: [string, T][] | undefined

  add(pattern: string, value: T): void {
    const map = isWildcard(pattern) ? this.#wildcards : this.#exact
    if (map.has(pattern)) return
    map.set(pattern, value)
    this.#longestFirst = undefined
  }

  get(pattern: string): T | undefined {
    return this.#exact.get(pattern) ?? this.#wildcards.get(pattern)
  }

  /** The value of the most specific pattern that stands for `host`. */
  lookup(host: string): T | undefined {
    const exact = this.#exact.get(host)
    if (exact !== undefined) return exact
    this.#longestFirst ??= [...this.#wildcards].sort((a, b) => b[0].length - a[0].length)
    return this.#longestFirst.find(([pattern]) => hostIsSubsetOf(host, pattern))?.[1]
  }

  /** Patterns in the order in which they were added, exact ones first. */
  *[Symbol.iterator](): IterableIterator<[string, T]> {
    yield* this.#exact
    yield* this.#wildcards
  }
}

/** May `clientNamespace` see what `ownNamespace` exports to `exportTo`? Absent or empty is everybody. */
export function isVisible(
  exportTo: readonly string[] | undefined,
  ownNamespace: string,
  clientNamespace: string,
): boolean {
  if (exportTo === undefined || exportTo.length === 0) return true
  return exportTo.some((to) => to === '*' || to === clientNamespace || (to === '.' && ownNamespace === clientNamespace))
}

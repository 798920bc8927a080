/**
 * dns.resolve, resolve4 and resolve6, as functions of the module, of dns.promises and of both Resolver classes: names of
 * mesh services have their virtual addresses as A and AAAA records, all other names and records are asked for as ever.
 * In: the table of names. Out: the functions replaced. Where the mesh has a name, its DNS servers are not asked.
 */
import dns from 'node:dns'
import type { Names } from './names.ts'
import { attempt, replace } from './replace.ts'

type Answer = string[] | { address: string; ttl: number }[]
type Callback = (error: Error | null, answer?: Answer) => void

/** As the sidecar's own DNS server says it. */
const TTL_SECONDS = 30
const METHODS = ['resolve', 'resolve4', 'resolve6'] as const

type Method = (typeof METHODS)[number]

export function installResolve(names: Names): void {
  for (const method of METHODS) {
    // Node makes the functions of the module anew from the class at each dns.setServers
    for (const owner of [dns, dns.Resolver.prototype]) replaceCallback(owner, method, names)
    for (const owner of [dns.promises, dns.promises.Resolver.prototype]) replacePromise(owner, method, names)
  }
}

function replaceCallback(owner: object, method: Method, names: Names): void {
  replace(owner, method, (original) => {
    return function resolve(this: unknown, ...args: unknown[]): unknown {
      const callback = args.at(-1)
      const detail = args.length > 2 ? args[1] : undefined
      const found = typeof callback === 'function' ? attempt(() => find(names, method, args[0], detail)) : undefined
      if (found === undefined) return original.apply(this, args)
      process.nextTick(() => {
        if (found instanceof Error) (callback as Callback)(found)
        else (callback as Callback)(null, found)
      })
      return {}
    }
  })
}

function replacePromise(owner: object, method: Method, names: Names): void {
  replace(owner, method, (original) => {
    return function resolve(this: unknown, ...args: unknown[]): unknown {
      const found = attempt(() => find(names, method, args[0], args[1]))
      if (found === undefined) return original.apply(this, args)
      return found instanceof Error ? Promise.reject(found) : Promise.resolve(found)
    }
  })
}

/** `undefined`: not of the mesh. An error: the name is, but has no record of that kind. `detail`: a type, or options. */
function find(names: Names, method: Method, host: unknown, detail: unknown): Answer | Error | undefined {
  if (typeof host !== 'string') return undefined
  const family = familyAsked(method, detail)
  const all = family === undefined ? undefined : names.find(host)
  if (all === undefined) return undefined
  const addresses = all.filter((address) => address.includes(':') === (family === 6))
  if (addresses.length === 0) return noData(family === 6 ? 'queryAaaa' : 'queryA', host)
  const wantsTtl = typeof detail === 'object' && detail !== null && Reflect.get(detail, 'ttl') === true
  return wantsTtl ? addresses.map((address) => ({ address, ttl: TTL_SECONDS })) : addresses
}

function familyAsked(method: Method, detail: unknown): 4 | 6 | undefined {
  if (method !== 'resolve') return method === 'resolve4' ? 4 : 6
  if (detail === undefined || detail === 'A') return 4
  return detail === 'AAAA' ? 6 : undefined
}

/** As Node makes it of a DNS answer without records. */
function noData(syscall: string, hostname: string): Error {
  const error = new Error(`${syscall} ENODATA ${hostname}`)
  return Object.assign(error, { errno: undefined, code: dns.NODATA, syscall, hostname })
}

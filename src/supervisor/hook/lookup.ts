/**
 * dns.lookup and dns.promises.lookup: names of mesh services resolve to their virtual addresses, all others as ever.
 * In: the table of names. Out: the two functions replaced, with every option of theirs honoured.
 */
import dns from 'node:dns'
import { getSystemErrorMap } from 'node:util'
import type { Names } from './names.ts'
import { attempt, replace } from './replace.ts'

type Found = { address: string; family: number }
type Callback = (error: Error | null, address?: string | Found[], family?: number) => void

export function installLookup(names: Names): void {
  replace(dns, 'lookup', (original) => {
    return function lookup(this: unknown, ...args: unknown[]): unknown {
      const callback = args.at(-1)
      const options = args.length > 2 ? args[1] : undefined
      const found = typeof callback === 'function' ? attempt(() => find(names, args[0], options)) : undefined
      if (found === undefined) return original.apply(this, args)
      process.nextTick(() => {
        const [first] = found
        if (first === undefined) (callback as Callback)(notFound(args[0]))
        else if (wantsAll(options)) (callback as Callback)(null, found)
        else (callback as Callback)(null, first.address, first.family)
      })
      return {}
    }
  })
  replace(dns.promises, 'lookup', (original) => {
    return function lookup(this: unknown, ...args: unknown[]): unknown {
      const found = attempt(() => find(names, args[0], args[1]))
      if (found === undefined) return original.apply(this, args)
      if (found.length === 0) return Promise.reject(notFound(args[0]))
      return Promise.resolve(wantsAll(args[1]) ? found : found[0])
    }
  })
}

/** `undefined`: not a name of the mesh. Empty: one without an address of that family; nobody else is asked for it. */
function find(names: Names, host: unknown, options: unknown): Found[] | undefined {
  if (typeof host !== 'string') return undefined
  const addresses = names.find(host)
  if (addresses === undefined) return undefined
  const wanted = familyOf(options)
  const all = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
  const found = wanted === 0 ? all : all.filter((one) => one.family === wanted)
  return orderOf(options) === 'ipv6first' ? found.toReversed() : found
}

/** 0, 4 or 6, from `lookup(name, 6)`, `{ family: 6 }` or `{ family: 'IPv6' }`. */
export function familyOf(options: unknown): number {
  const family = typeof options === 'object' && options !== null ? Reflect.get(options, 'family') : options
  if (family === 'IPv4') return 4
  if (family === 'IPv6') return 6
  return family === 4 || family === 6 ? family : 0
}

function wantsAll(options: unknown): boolean {
  return typeof options === 'object' && options !== null && Reflect.get(options, 'all') === true
}

/** The call's own, else the program's: `dns.setDefaultResultOrder`, `--dns-result-order`. */
function orderOf(options: unknown): unknown {
  const own: unknown = typeof options === 'object' && options !== null ? Reflect.get(options, 'order') : undefined
  return own ?? dns.getDefaultResultOrder()
}

/** As Node makes it of what getaddrinfo answers. */
function notFound(host: unknown): Error {
  const [errno] = [...getSystemErrorMap()].find(([, [name]]) => name === 'EAI_NONAME') ?? []
  const error = new Error(`getaddrinfo ENOTFOUND ${String(host)}`)
  return Object.assign(error, { errno, code: dns.NOTFOUND, syscall: 'getaddrinfo', hostname: host })
}

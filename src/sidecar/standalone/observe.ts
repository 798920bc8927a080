/**
 * Which fields of a message are honoured: those that compiling it reads. In: decoded messages. Out: the same behind
 * proxies that write down each read; then the fields that were given and that nobody has asked for.
 * No table of supported fields that could differ from what the data path does; only limits.ts, of what is done in any case.
 */
import { presetUnpacked } from '../../xds/type-urls.ts'
import type { Decoder, Origin } from './decode.ts'
import type { Fault } from './fault.ts'
import { isAlwaysDone, whyRefused } from './limits.ts'
import { notSupported } from './remedies.ts'
import { snake } from './schema.ts'
import { isForPeople } from './without-effect.ts'

export class Observer {
  /** The last field of the file that was read: where a fault that is thrown next has its place. */
  last: Origin | undefined
  readonly #decoder: Decoder
  readonly #watched = new WeakMap<object, object>()
  readonly #reads = new WeakMap<object, Set<string>>()

  constructor(decoder: Decoder) {
    this.#decoder = decoder
  }

  /** `value`, its reads written down. */
  watch<T extends object>(value: T): T {
    const known = this.#watched.get(value)
    if (known !== undefined) return known as T
    const reads = new Set<string>()
    const fields = this.#decoder.parts.get(value)?.fields
    const proxy = new Proxy(value, {
      get: (target, key) => {
        const origin = typeof key === 'string' ? fields?.get(key) : undefined
        if (origin !== undefined) {
          reads.add(key as string)
          this.last = origin
        }
        const child: unknown = Reflect.get(target, key)
        return this.#isOurs(child) ? this.watch(child) : child
      },
    })
    this.#watched.set(value, proxy)
    this.#reads.set(value, reads)
    const packed = this.#decoder.packed.get(value)
    if (packed !== undefined) presetUnpacked(proxy, this.watch(packed))
    return proxy
  }

  /** Faults of the fields below `value` that were given and not read, or whose value is not honoured. */
  refused(value: object): Fault[] {
    const packed = this.#decoder.packed.get(value)
    if (packed !== undefined) return this.refused(packed)
    const { type, fields } = this.#decoder.parts.get(value) ?? { type: '', fields: new Map<string, Origin>() }
    const reads = this.#reads.get(value)
    return [...fields].flatMap(([key, origin]) => {
      if (isForPeople(type, key)) return []
      const child = (value as Record<string, unknown>)[key]
      // a list of scalars is passed on as a whole
      const isElement = Array.isArray(value) && typeof child !== 'object'
      const isHonoured = isElement || reads?.has(key) === true || isAlwaysDone(type, key)
      const message = isHonoured
        ? whyRefused(type, key, value as Record<string, unknown>, origin.path)
        : notSupported(type, snake(key))
      if (message !== undefined) return [{ ...origin, message }]
      return this.#isOurs(child) ? this.refused(child) : []
    })
  }

  #isOurs(value: unknown): value is object {
    return (
      typeof value === 'object' && value !== null && (this.#decoder.parts.has(value) || this.#decoder.packed.has(value))
    )
  }
}

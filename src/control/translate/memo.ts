/**
 * Memory for pure functions of immutable parts. A translation reads parts of a snapshot; parts that did not change are
 * the same objects in the next snapshot, so what was made of them holds. A result must depend on the given parts alone:
 * whatever else it reads belongs into the key.
 */

/** `make`, remembered by the identity of its arguments; forgotten with them. */
export function memo<Parts extends readonly object[], T>(make: (...parts: Parts) => T): (...parts: Parts) => T {
  interface Level {
    next: WeakMap<object, Level>
    result?: { value: T }
  }
  const root: Level = { next: new WeakMap() }
  return (...parts) => {
    let level = root
    for (const part of parts) {
      let next = level.next.get(part)
      if (next === undefined) level.next.set(part, (next = { next: new WeakMap() }))
      level = next
    }
    level.result ??= { value: make(...parts) }
    return level.result.value
  }
}

/** The value of `key` in `map`, made where missing. */
export function getOrMake<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key)
  if (value === undefined) map.set(key, (value = make()))
  return value
}

/**
 * The last value made per owner and name, kept while `content` (a string that says all that the value depends on)
 * is the same. For what would be made anew often and come out equal: the endpoints of a Service that no change met.
 */
export class ContentCache<T> {
  readonly #byOwner = new WeakMap<object, Map<string, { content: string; value: T }>>()

  get(owner: object, name: string, content: string, make: () => T): T {
    let names = this.#byOwner.get(owner)
    if (names === undefined) this.#byOwner.set(owner, (names = new Map()))
    const known = names.get(name)
    if (known?.content === content) return known.value
    const value = make()
    names.set(name, { content, value })
    return value
  }
}

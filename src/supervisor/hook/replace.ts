/**
 * Replaces a function of one of Node's modules, and keeps what others read off it: name, length, and the symbols by
 * which util.promisify knows its results. A replacement that throws before it has done anything gives way to the
 * original: a fault of the hook must not be a fault of the application.
 */
export type AnyFunction = (this: unknown, ...args: unknown[]) => unknown

export function replace(owner: object, name: string, make: (original: AnyFunction) => AnyFunction): void {
  const original = Reflect.get(owner, name) as AnyFunction
  const replacement = make(original)
  for (const key of Reflect.ownKeys(original)) {
    const property = Object.getOwnPropertyDescriptor(original, key)
    const kept = Object.getOwnPropertyDescriptor(replacement, key)?.configurable ?? true
    if (property !== undefined && kept) Object.defineProperty(replacement, key, property)
  }
  Reflect.set(owner, name, replacement)
}

/** `undefined` where `work` throws. */
export function attempt<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch {
    return undefined
  }
}

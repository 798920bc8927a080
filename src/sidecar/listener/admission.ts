/**
 * Whether a connection that was accepted is kept. Near the limit of open files none is: what is left is for upstreams,
 * and the kernel's queue is emptied instead of being told again and again. And no source may have more than its share.
 * In: sockets. Out: yes or no. Owns the counts by source.
 */
import { readFileSync } from 'node:fs'
import type { Socket } from 'node:net'

const RESERVED_FILES = 32
let firstReserved = -1

/** The kernel gives the lowest number that is free: a high one says that all below are taken. */
export function isNearFileLimit(raw: Socket): boolean {
  const fd = (raw as Socket & { _handle?: { fd?: number } | null })._handle?.fd ?? -1
  if (fd < 0) return false // no public API tells: then the system's own limit holds
  if (firstReserved < 0) firstReserved = fileLimit() - RESERVED_FILES
  return fd >= firstReserved
}

/** Infinity where the system does not say. */
function fileLimit(): number {
  try {
    const limits = readFileSync('/proc/self/limits', 'latin1')
    return Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? Infinity)
  } catch {
    return Infinity
  }
}

/** Connections by the address that they come from. */
export class Sources {
  readonly #max: number
  readonly #counts = new Map<string, number>()

  /** `max` 0: no bound, and nothing is counted. */
  constructor(max: number) {
    this.#max = max
  }

  /** Counts it until it closes; false: it is one too many. `source` '': nobody knows. */
  admit(raw: Socket, source: string): boolean {
    if (this.#max === 0 || source === '') return true
    const count = this.#counts.get(source) ?? 0
    if (count >= this.#max) return false
    this.#counts.set(source, count + 1)
    raw.once('close', () => {
      const left = (this.#counts.get(source) ?? 1) - 1
      if (left > 0) this.#counts.set(source, left)
      else this.#counts.delete(source)
    })
    return true
  }
}

/** Where faults go while a document is read, and how they are put. */
import { CATALOGUE } from './catalogue.ts'
import type { Code } from './catalogue.ts'
import type { Node, Place } from './document.ts'
import type { Fault } from './schema.ts'

/** Takes faults with their place; counts errors, so that a rule can tell whether a part was sound. */
export class Sink {
  readonly #emit: (code: Code, at: Place, path: string, message: string, fix: string | undefined) => void
  errors = 0

  constructor(emit: (code: Code, at: Place, path: string, message: string, fix: string | undefined) => void) {
    this.#emit = emit
  }

  add(code: Code, at: Place, path: string, message: string, fix?: string): void {
    if (CATALOGUE[code].level === 'error') this.errors++
    this.#emit(code, at, path, message, fix)
  }
}

/** `spec` + `hosts` + 0: `spec.hosts[0]`; keys that are no plain words are quoted. */
export function join(path: string, part: string | number): string {
  if (typeof part === 'number') return `${path}[${part}]`
  if (!/^[\w-]+$/.test(part)) return `${path}[${JSON.stringify(part.length > 80 ? `${part.slice(0, 80)}...` : part)}]`
  return path === '' ? part : `${path}.${part}`
}

/** Adds a fault that a check found; true if it makes the value unusable. */
export function addFault(sink: Sink, fault: Fault | undefined, at: Place, path: string): boolean {
  if (fault === undefined) return false
  sink.add(fault.code, at, path, fault.message, fault.fix)
  return CATALOGUE[fault.code].level === 'error'
}

/** A value of another type than wanted. */
export function wrongType(node: Node, path: string, wanted: string, sink: Sink, fix?: string): undefined {
  const got = node.type === 'scalar' ? show(node.value) : node.type === 'list' ? 'a list' : 'an object'
  sink.add('PM0102', node.at, path, `${got} is not ${wanted}`, fix)
  return undefined
}

/** A value as a message shows it: JSON, cut to a length that fits. */
export function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 80 ? `${text.slice(0, 80)}..."` : text
}

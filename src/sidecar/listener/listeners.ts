/**
 * All listeners by name, from push to push. In: specs. Out: listeners that serve, and why one does not. Owns: listeners
 * and the timers of those that could not be bound.
 *
 *   WARMING (its routes are not all there) --routes--> BINDING --bound--> ACTIVE --newer version--> ACTIVE, sockets kept
 *   BINDING --an address is taken--> UNBOUND (the last version serves on) --pause, or a push--> BINDING
 *   any --not in a push--> DRAINING --its last connection--> gone
 */
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import { addressLabel } from '../pool/address.ts'
import type { RouteCell } from '../route/table.ts'
import type { ListenerSpec } from './filter-chain.ts'
import { Listener, type ListenerDeps } from './listener.ts'

export interface ListenerStat {
  name: string
  /** The first one, as configured; with the port really bound. */
  address: string
  numAddresses: number
  /** All of them. */
  addresses: readonly string[]
  bound: boolean
  connections: number
}

/** A compiled listener and the route configurations that it cannot serve without. */
export interface Planned {
  spec: ListenerSpec
  routes: readonly RouteCell[]
}

interface Unbound {
  detail: string
  attempts: number
  cancel: () => void
}

export interface ListenerSetOptions {
  deps: ListenerDeps
  clock: Clock
  log: Log
  /** Which listeners serve, or what they are for, has changed. */
  onChange: () => void
}

/** What needs no socket is done within the call. */
const DONE = Promise.resolve('')
const FIRST_RETRY_MS = 250
const MAX_RETRY_MS = 10_000

export class ListenerSet {
  readonly #options: ListenerSetOptions
  readonly #active = new Map<string, Listener>()
  /** What each active or warming listener is made from. */
  readonly #planned = new Map<string, Planned>()
  readonly #warming = new Set<string>()
  readonly #binding = new Map<string, Promise<string>>()
  readonly #unbound = new Map<string, Unbound>()
  readonly #draining = new Set<Listener>()

  constructor(options: ListenerSetOptions) {
    this.#options = options
  }

  active(): Iterable<Listener> {
    return this.#active.values()
  }

  plan(name: string, planned: Planned): void {
    this.#planned.set(name, planned)
    this.#warming.add(name)
  }

  /** All others are drained and go. */
  keepOnly(names: ReadonlySet<string>): void {
    for (const name of this.#planned.keys()) {
      if (names.has(name)) continue
      this.#planned.delete(name)
      this.#warming.delete(name)
      this.#settle(name)
      this.#retire(name)
    }
  }

  /** Puts a planned listener to work once its routes are there. Returns '' or why it cannot be bound (it is tried on). */
  activate(name: string): Promise<string> {
    const busy = this.#binding.get(name)
    if (busy !== undefined) return busy.then(() => this.activate(name))
    const planned = this.#planned.get(name)
    if (planned === undefined || planned.routes.some((cell) => cell.table === null)) return DONE
    this.#warming.delete(name)
    const { spec } = planned
    const present = this.#active.get(name)
    const isKept = present !== undefined && present.spec.bind === spec.bind
    if (!spec.bind || (isKept && present.isBoundTo(spec.addresses))) {
      this.#settle(name)
      if (isKept) present.update(spec)
      else this.#replace(name, new Listener(spec, this.#options.deps))
      this.#options.onChange()
      return DONE
    }
    const listener = isKept ? present : new Listener(spec, this.#options.deps)
    const binding = this.#bind(name, planned, listener).finally(() => this.#binding.delete(name))
    this.#binding.set(name, binding)
    return binding
  }

  /** Routes have come: those that waited for them. */
  activateWarm(): void {
    for (const name of this.#warming) void this.activate(name)
  }

  /** Listeners whose last version cannot be bound, each with the reason. */
  unbound(): string[] {
    return [...this.#unbound].map(([name, { detail }]) => `${name} (${detail})`)
  }

  stats(): ListenerStat[] {
    const rows = [...this.#active].map(([name, listener]): ListenerStat => {
      const { labels, isBound, numConnections } = listener
      return statOf(name, labels, isBound, numConnections)
    })
    for (const name of this.#unbound.keys()) {
      const addresses = this.#planned.get(name)?.spec.addresses
      if (this.#active.has(name) || addresses === undefined) continue
      rows.push(statOf(name, addresses.map(addressLabel), false, 0))
    }
    return rows
  }

  /** No new connections. */
  drain(): void {
    this.#planned.clear()
    for (const name of this.#unbound.keys()) this.#settle(name)
    for (const listener of this.#all()) listener.drain()
  }

  get numConnections(): number {
    return this.#all().reduce((sum, listener) => sum + listener.numConnections, 0)
  }

  get bufferedBytes(): number {
    return this.#all().reduce((sum, listener) => sum + listener.bufferedBytes, 0)
  }

  /** After `drain`: what is left is cut. */
  destroy(): void {
    for (const listener of this.#all()) listener.destroy()
    this.#active.clear()
    this.#draining.clear()
  }

  #all(): Listener[] {
    return [...this.#active.values(), ...this.#draining]
  }

  async #bind(name: string, planned: Planned, listener: Listener): Promise<string> {
    const { spec } = planned
    const detail = await listener.bind(spec.addresses)
    const isPresent = this.#active.get(name) === listener
    if (this.#planned.get(name) !== planned) {
      if (!isPresent) listener.destroy() // another push came meanwhile, and is next
      return ''
    }
    if (detail !== '') {
      this.#retryLater(name, planned, detail)
      return detail
    }
    this.#settle(name)
    if (isPresent) listener.update(spec)
    else this.#replace(name, listener)
    this.#options.onChange()
    return ''
  }

  #replace(name: string, listener: Listener): void {
    this.#retire(name)
    this.#active.set(name, listener)
  }

  #retryLater(name: string, planned: Planned, detail: string): void {
    const { clock, log } = this.#options
    const attempts = (this.#unbound.get(name)?.attempts ?? 0) + 1
    this.#unbound.get(name)?.cancel()
    if (attempts === 1) log.error({ listener: name, detail }, 'listener cannot be bound, it is tried again')
    const cancel = clock.after(Math.min(FIRST_RETRY_MS * 2 ** (attempts - 1), MAX_RETRY_MS), () => {
      if (this.#planned.get(name) === planned) void this.activate(name)
    })
    this.#unbound.set(name, { detail, attempts, cancel })
  }

  /** Nothing is in its way any more, or nobody wants it. */
  #settle(name: string): void {
    const unbound = this.#unbound.get(name)
    if (unbound === undefined) return
    unbound.cancel()
    this.#unbound.delete(name)
    if (this.#planned.has(name)) this.#options.log.info({ listener: name }, 'listener is bound now')
  }

  #retire(name: string): void {
    const listener = this.#active.get(name)
    if (listener === undefined) return
    this.#active.delete(name)
    listener.drain()
    for (const old of this.#draining) if (old.numConnections === 0) this.#draining.delete(old)
    this.#draining.add(listener)
    this.#options.onChange()
  }
}

function statOf(name: string, addresses: readonly string[], bound: boolean, connections: number): ListenerStat {
  return { name, address: addresses[0]!, numAddresses: addresses.length, addresses, bound, connections }
}

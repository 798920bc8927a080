/**
 * What this machine knows of a name: addresses by its own resolver (hosts file, nsswitch), other records by the name servers
 * that it is set to. In: a name and a type. Out: records, or the code that says why there are none. Owns a small cache.
 */
import dns from 'node:dns/promises'
import type { Clock } from '../../lib/clock.ts'
import type { RecordData, Reply } from './dns-reply.ts'
import { RCODE, TYPE } from './dns-query.ts'

/** The machine's resolver tells no TTL: short enough to follow a change, long enough for a burst. */
const TTL_SECONDS = 10
const MAX_CACHED = 1024
/** getaddrinfo holds one of libuv's four threads, for many seconds where a name server is silent; files need one too. */
const MAX_LOOKUPS = 3
const MAX_WAITING = 512
/** Whoever asked has gone by then. */
const MAX_WAIT_MS = 5000

/** The part of node:dns that is asked; an argument, so that a test needs no network. */
export type MachineDns = Pick<
  typeof dns,
  'resolveCname' | 'resolveMx' | 'resolveNs' | 'resolvePtr' | 'resolveSrv' | 'resolveTxt'
> & { lookup(name: string, options: { all: true }): Promise<{ address: string; family: number }[]> }

type Records = RecordData[]

interface Cached {
  records: Promise<Records>
  /** Infinity: still being asked. */
  untilMs: number
}

const ADDRESSES = 'addresses'

export class MachineResolver {
  readonly #clock: Clock
  readonly #dns: MachineDns
  readonly #cache = new Map<string, Cached>()
  readonly #waiting: (() => void)[] = []
  #numLookups = 0

  constructor({ clock, machine = dns }: { clock: Clock; machine?: MachineDns }) {
    this.#clock = clock
    this.#dns = machine
  }

  /** Never rejects. */
  async resolve(name: string, type: number): Promise<Reply> {
    // both families come with one lookup; a name with the other family only is there, without such records
    const isAddress = type === TYPE.A || type === TYPE.AAAA
    const ask = isAddress ? () => this.#addresses(name) : this.#asker(name, type)
    if (ask === undefined) return { rcode: NOTHING_TO_SAY.has(type) ? RCODE.noError : RCODE.notImp }
    try {
      const { records, untilMs } = this.#cached(`${isAddress ? ADDRESSES : type} ${name}`, ask)
      const leftMs = Math.min(untilMs - this.#clock.nowMs(), TTL_SECONDS * 1000)
      const ttl = Math.max(1, Math.ceil(leftMs / 1000))
      const wanted = (await records).filter((one) => !isAddress || TYPE[one.type as keyof typeof TYPE] === type)
      return { rcode: RCODE.noError, records: wanted.map((one) => ({ ...one, ttl })) }
    } catch (error) {
      return { rcode: rcodeOf((error as NodeJS.ErrnoException).code) }
    }
  }

  /** One question at a time for a name, and its answer for a while; a failure is not remembered. */
  #cached(key: string, ask: () => Promise<Records>): Cached {
    const known = this.#cache.get(key)
    if (known !== undefined && known.untilMs > this.#clock.nowMs()) return known
    const entry: Cached = { records: ask(), untilMs: Infinity }
    this.#cache.delete(key)
    this.#cache.set(key, entry)
    const forget = (): void => {
      if (this.#cache.get(key) === entry) this.#cache.delete(key)
    }
    entry.records.then((records) => {
      if (records.length === 0) forget()
      else entry.untilMs = this.#clock.nowMs() + TTL_SECONDS * 1000
    }, forget)
    if (this.#cache.size > MAX_CACHED) this.#cache.delete(this.#cache.keys().next().value!)
    return entry
  }

  async #addresses(name: string): Promise<Records> {
    await this.#turn()
    try {
      const found = await this.#dns.lookup(name, { all: true })
      return found.map(({ address, family }) => ({ type: family === 4 ? 'A' : 'AAAA', data: address }))
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#numLookups--
      else next()
    }
  }

  /** Resolves when a lookup may begin; it hands its turn on when it ends. */
  async #turn(): Promise<void> {
    if (this.#numLookups < MAX_LOOKUPS) {
      this.#numLookups++
      return
    }
    if (this.#waiting.length >= MAX_WAITING) throw new Error('too many names are being looked up')
    await new Promise<void>((done, fail) => {
      const start = (): void => (cancel(), done())
      const cancel = this.#clock.after(MAX_WAIT_MS, () => {
        this.#waiting.splice(this.#waiting.indexOf(start), 1)
        fail(new Error('no lookup within the time'))
      })
      this.#waiting.push(start)
    })
  }

  #asker(name: string, type: number): (() => Promise<Records>) | undefined {
    const machine = this.#dns
    switch (type) {
      case TYPE.CNAME:
        return async () => (await machine.resolveCname(name)).map((data) => ({ type: 'CNAME', data }))
      case TYPE.NS:
        return async () => (await machine.resolveNs(name)).map((data) => ({ type: 'NS', data }))
      case TYPE.PTR:
        return async () => (await machine.resolvePtr(name)).map((data) => ({ type: 'PTR', data }))
      case TYPE.TXT:
        return async () => (await machine.resolveTxt(name)).map((data) => ({ type: 'TXT', data }))
      case TYPE.MX:
        return async () =>
          (await machine.resolveMx(name)).map(({ exchange, priority: preference }) => ({
            type: 'MX',
            data: { exchange, preference },
          }))
      case TYPE.SRV:
        return async () =>
          (await machine.resolveSrv(name)).map(({ name: target, port, priority, weight }) => ({
            type: 'SRV',
            data: { target, port, priority, weight },
          }))
      default:
        return undefined
    }
  }
}

/** Asked for beside addresses by many; "there is none" keeps them from waiting. */
const NOTHING_TO_SAY: ReadonlySet<number> = new Set([TYPE.SVCB, TYPE.HTTPS])

/** Node's codes: a name that is not there, one without such records, and all the rest. */
function rcodeOf(code: string | undefined): number {
  if (code === 'ENOTFOUND') return RCODE.nxDomain
  return code === 'ENODATA' ? RCODE.noError : RCODE.servFail
}

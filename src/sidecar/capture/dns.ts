/**
 * The DNS server of a pod (mode `ns`): names of the mesh from the table, others from beyond it where something may leave.
 * In: UDP and TCP on the proxy's own address (a UDP socket bound to every address would answer from another one than was
 * asked, and the answer would be dropped). Owns its sockets, and tries again for as long as it does not get them.
 */
import { randomInt } from 'node:crypto'
import dgram from 'node:dgram'
import { once } from 'node:events'
import type { Server } from 'node:net'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import { answerQuery } from './dns-answer.ts'
import { parseQuery, type Query, RCODE } from './dns-query.ts'
import { adoptReply, encodeQuery, encodeReply, fitUdp } from './dns-reply.ts'
import { askStream, createDnsStreamServer } from './dns-stream.ts'
import { DnsTable } from './dns-table.ts'

const FORWARD_MS = 5000
/** Questions on their way beyond the mesh; more are told to ask again. */
const MAX_FORWARDED = 128
const MAX_CONNECTIONS = 64
const BIND_AGAIN_MS = 1000

export interface DnsServerOptions {
  address: string
  /** 53, but for tests. */
  port: number
  /** UNIX socket of whoever knows names beyond the mesh; absent: nobody does. */
  upstream: string | undefined
  /** Whether anything may leave the mesh now. */
  mayLeave: () => boolean
  clock: Clock
  log: Log
}

interface Sockets {
  udp: dgram.Socket
  tcp: Server
}

export class DnsServer {
  readonly #options: DnsServerOptions
  /** Until it has come, no name is said not to be there. */
  #table: DnsTable | undefined
  #numForwarded = 0
  #sockets: Sockets | undefined
  #fault = ''
  #closed = false
  #stopRetry: () => void = () => {}

  constructor(options: DnsServerOptions) {
    this.#options = options
  }

  setNames(names: ReadonlyMap<string, readonly string[]>): void {
    this.#table = new DnsTable(names)
  }

  /** Resolves after the first try; `fault` says how it went. */
  async start(): Promise<void> {
    const { address, port, clock, log } = this.#options
    try {
      const sockets = await bind(address, port, (message, isUdp) => this.#answer(message, isUdp))
      if (this.#closed) return release(sockets)
      this.#sockets = sockets
      this.#fault = ''
    } catch (error) {
      const { message } = error as Error
      // once, not with every try
      if (this.#fault !== message) log.error({ err: error }, 'no DNS server: tried again')
      this.#fault = message
      if (!this.#closed) this.#stopRetry = clock.after(BIND_AGAIN_MS, () => void this.start())
    }
  }

  /** Why it does not answer yet; '': it does, or has not been started. */
  get fault(): string {
    return this.#fault
  }

  /** 0: not bound. */
  get port(): number {
    return this.#sockets?.udp.address().port ?? 0
  }

  close(): void {
    this.#closed = true
    this.#stopRetry()
    if (this.#sockets !== undefined) release(this.#sockets)
    this.#sockets = undefined
  }

  async #answer(message: Buffer, isUdp: boolean): Promise<Buffer | null> {
    const parsed = parseQuery(message)
    if (parsed.kind === 'silence') return null
    const { query } = parsed
    const reply = parsed.kind === 'fault' ? encodeReply(query, { rcode: parsed.rcode }) : await this.#reply(query)
    return isUdp ? fitUdp(query, reply) : reply
  }

  async #reply(query: Query): Promise<Buffer> {
    if (this.#table === undefined) return encodeReply(query, { rcode: RCODE.servFail })
    const own = answerQuery(query, this.#table)
    if (own !== undefined) return encodeReply(query, own)
    const { upstream, mayLeave } = this.#options
    if (upstream === undefined || !mayLeave()) return encodeReply(query, { rcode: RCODE.nxDomain })
    return (await this.#forward(query, upstream)) ?? encodeReply(query, { rcode: RCODE.servFail })
  }

  async #forward(query: Query, upstream: string): Promise<Buffer | undefined> {
    if (this.#numForwarded >= MAX_FORWARDED) return undefined
    this.#numForwarded++
    const id = randomInt(0x10000)
    try {
      return adoptReply(query, id, await askStream(upstream, encodeQuery(query, id), FORWARD_MS))
    } catch {
      return undefined
    } finally {
      this.#numForwarded--
    }
  }
}

/** Both sockets on one port, or none. */
async function bind(
  address: string,
  port: number,
  answer: (message: Buffer, isUdp: boolean) => Promise<Buffer | null>,
): Promise<Sockets> {
  const udp = dgram.createSocket(address.includes(':') ? 'udp6' : 'udp4')
  const tcp = createDnsStreamServer((message) => answer(message, false), MAX_CONNECTIONS)
  try {
    udp.bind(port, address)
    await once(udp, 'listening')
    tcp.listen(udp.address().port, address)
    await once(tcp, 'listening')
  } catch (error) {
    release({ udp, tcp })
    throw error
  }
  let isOpen = true
  udp.once('close', () => (isOpen = false))
  // a datagram that could not be sent is lost, as others are
  udp.on('error', () => {})
  udp.on('message', (message, from) => {
    void answer(message, true).then((reply) => {
      if (reply !== null && isOpen) udp.send(reply, from.port, from.address)
    })
  })
  return { udp, tcp }
}

function release({ udp, tcp }: Sockets): void {
  udp.close()
  tcp.close()
}

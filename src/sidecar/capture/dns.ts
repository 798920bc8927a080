/**
 * The DNS server of a pod (mode `ns`): names of the mesh from the table, others from beyond it where something may leave.
 * In: UDP and TCP on the proxy's own address (a UDP socket bound to every address would answer from another one than was
 * asked, and the answer would be dropped). Owns its sockets.
 */
import dgram from 'node:dgram'
import type { Server } from 'node:net'
import { answerQuery, fitUdp, RCODE, reply } from './dns-answer.ts'
import { askStream, createDnsStreamServer } from './dns-stream.ts'
import { DnsTable } from './dns-table.ts'

const FORWARD_MS = 5000
/** Questions on their way beyond the mesh; more are told to ask again. */
const MAX_FORWARDED = 256

export interface DnsServerOptions {
  address: string
  /** 53, but for tests. */
  port: number
  /** UNIX socket of whoever knows names beyond the mesh; absent: nobody does. */
  upstream: string | undefined
  /** Whether anything may leave the mesh now. */
  mayLeave: () => boolean
}

export class DnsServer {
  readonly #options: DnsServerOptions
  #table = new DnsTable(new Map())
  #numForwarded = 0
  #udp: dgram.Socket | undefined
  #tcp: Server | undefined

  constructor(options: DnsServerOptions) {
    this.#options = options
  }

  setNames(names: ReadonlyMap<string, readonly string[]>): void {
    this.#table = new DnsTable(names)
  }

  /** Rejects with what the system said. */
  async start(): Promise<void> {
    const { address, port } = this.#options
    const udp = dgram.createSocket(address.includes(':') ? 'udp6' : 'udp4')
    udp.on('message', (message, from) => {
      void this.#answer(message).then((answer) => {
        if (answer !== null && this.#udp === udp) udp.send(fitUdp(message, answer), from.port, from.address)
      })
    })
    await new Promise<void>((done, fail) => udp.once('error', fail).bind(port, address, done))
    udp.removeAllListeners('error').on('error', () => {})
    this.#udp = udp
    const tcp = createDnsStreamServer((message) => this.#answer(message))
    await new Promise<void>((done, fail) => {
      tcp.once('error', fail)
      tcp.listen(udp.address().port, address, done)
    })
    this.#tcp = tcp
  }

  get port(): number {
    return this.#udp?.address().port ?? 0
  }

  async #answer(message: Buffer): Promise<Buffer | null> {
    const verdict = answerQuery(message, this.#table)
    if (verdict.kind === 'silence') return null
    if (verdict.kind === 'answer') return verdict.message
    const { upstream, mayLeave } = this.#options
    if (upstream === undefined || !mayLeave()) return reply(verdict.query, [], RCODE.nxDomain)
    if (this.#numForwarded >= MAX_FORWARDED) return reply(verdict.query, [], RCODE.servFail)
    this.#numForwarded++
    try {
      return await askStream(upstream, message, FORWARD_MS)
    } catch {
      return reply(verdict.query, [], RCODE.servFail, false)
    } finally {
      this.#numForwarded--
    }
  }

  close(): void {
    this.#udp?.close()
    this.#udp = undefined
    this.#tcp?.close()
  }
}

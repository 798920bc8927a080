/**
 * Names beyond the mesh, for pods that have no network but their sidecar's: the gateway answers with the resolver of this
 * machine, hosts file included. In: DNS messages on a UNIX socket (0600). Out: true answers; what a name leads to is
 * checked where connections leave, not here. Owns the socket.
 */
import { chmodSync, rmSync } from 'node:fs'
import { lookup, resolve, resolveMx, resolveSrv, resolveTxt } from 'node:dns/promises'
import type { Server } from 'node:net'
import packet, { type Answer, type Packet, type Question } from 'dns-packet'
import { RCODE, reply } from './dns-answer.ts'
import { createDnsStreamServer } from './dns-stream.ts'

const TTL_SECONDS = 10

export class DnsRelay {
  readonly #path: string
  readonly #server: Server

  constructor(path: string) {
    this.#path = path
    this.#server = createDnsStreamServer(answer)
  }

  async start(): Promise<void> {
    rmSync(this.#path, { force: true })
    await new Promise<void>((done, fail) => {
      this.#server.once('error', fail)
      this.#server.listen(this.#path, done)
    })
    chmodSync(this.#path, 0o600)
  }

  close(): void {
    this.#server.close()
  }
}

async function answer(message: Buffer): Promise<Buffer | null> {
  let query: Packet
  try {
    query = packet.decode(message)
  } catch {
    return null
  }
  const question = query.questions?.[0]
  if (question === undefined) return reply(query, [], RCODE.formErr, false)
  try {
    return reply(query, await resolveQuestion(question), RCODE.noError, false)
  } catch (error) {
    return reply(query, [], rcodeOf((error as NodeJS.ErrnoException).code), false)
  }
}

async function resolveQuestion({ name, type }: Question): Promise<Answer[]> {
  const record = { name, ttl: TTL_SECONDS }
  if (type === 'A' || type === 'AAAA') {
    const family = type === 'A' ? 4 : 6
    // the other family may be all there is: that is an empty answer, not a name that does not exist
    const found = await lookup(name, { all: true })
    return found.filter((one) => one.family === family).map(({ address }) => ({ ...record, type, data: address }))
  }
  if (type === 'MX')
    return (await resolveMx(name)).map(({ exchange, priority }) => {
      return { ...record, type, data: { exchange, preference: priority } }
    })
  if (type === 'SRV')
    return (await resolveSrv(name)).map(({ name: target, port, priority, weight }) => {
      return { ...record, type, data: { target, port, priority, weight } }
    })
  if (type === 'TXT') return (await resolveTxt(name)).map((data) => ({ ...record, type, data }))
  if (type === 'CNAME' || type === 'NS' || type === 'PTR')
    return (await resolve(name, type)).map((data) => ({ ...record, type, data }))
  return []
}

/** Node's codes: a name that is not there, one without such records, and all the rest. */
function rcodeOf(code: string | undefined): number {
  if (code === 'ENOTFOUND') return RCODE.nxDomain
  return code === 'ENODATA' ? RCODE.noError : RCODE.servFail
}

/**
 * Names beyond the mesh, for pods that have no network but their sidecar's: the gateway answers with the resolver of this
 * machine. In: DNS messages on a UNIX socket (0600). Out: true answers; what a name leads to is checked where connections
 * leave, not here. Owns the socket.
 */
import { chmodSync, rmSync } from 'node:fs'
import { once } from 'node:events'
import type { Server } from 'node:net'
import { encodeReply } from './dns-reply.ts'
import { parseQuery } from './dns-query.ts'
import type { MachineResolver } from './dns-machine.ts'
import { createDnsStreamServer } from './dns-stream.ts'

/** One for each question that the sidecars have on its way. */
const MAX_CONNECTIONS = 1024

export class DnsRelay {
  readonly #path: string
  readonly #server: Server

  constructor(path: string, resolver: MachineResolver) {
    this.#path = path
    this.#server = createDnsStreamServer((message) => answer(message, resolver), MAX_CONNECTIONS)
  }

  /** Rejects with what the system said. One left behind by a dead process is replaced. */
  async start(): Promise<void> {
    rmSync(this.#path, { force: true })
    this.#server.listen(this.#path)
    await once(this.#server, 'listening')
    chmodSync(this.#path, 0o600)
  }

  close(): void {
    this.#server.close()
  }
}

async function answer(message: Buffer, resolver: MachineResolver): Promise<Buffer | null> {
  const parsed = parseQuery(message)
  if (parsed.kind === 'silence') return null
  const { query } = parsed
  if (parsed.kind === 'fault') return encodeReply(query, { rcode: parsed.rcode })
  return encodeReply(query, await resolver.resolve(query.name, query.type))
}

/**
 * Loopback ports for a mesh. In: the home (so that two meshes start their search apart). Out: ports that were free when
 * a real bind tried them, each given once until it is returned. They lie below the range from which the kernel takes
 * the ports of outgoing connections, so that none of those can sit on one of ours.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'

const FIRST_PORT = 20_000
const LAST_PORT = 32_767
const FEWEST = 1000

export class PortAllocator {
  readonly #size: number
  readonly #taken = new Set<number>()
  #cursor: number

  constructor(seed: string) {
    this.#size = Math.max(Math.min(LAST_PORT, firstEphemeralPort() - 1) - FIRST_PORT + 1, FEWEST)
    this.#cursor = createHash('sha256').update(seed).digest().readUInt32BE(0) % this.#size
  }

  /** A free port, ours until `release`. */
  async take(): Promise<number> {
    for (let tried = 0; tried < this.#size; tried++) {
      const port = FIRST_PORT + this.#cursor
      this.#cursor = (this.#cursor + 1) % this.#size
      if (this.#taken.has(port)) continue
      this.#taken.add(port)
      if (await isFree(port)) return port
      this.#taken.delete(port)
    }
    throw new Error(`no free port between ${FIRST_PORT} and ${FIRST_PORT + this.#size - 1} on 127.0.0.1`)
  }

  release(ports: Iterable<number>): void {
    for (const port of ports) this.#taken.delete(port)
  }
}

/** Whether a server could listen there now. */
export function isFree(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((done) => {
    const server = createServer()
    server.once('error', () => done(false))
    server.listen({ port, host, exclusive: true }, () => server.close(() => done(true)))
  })
}

function firstEphemeralPort(): number {
  try {
    return Number(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').trim().split(/\s+/)[0])
  } catch {
    return 49_152
  }
}

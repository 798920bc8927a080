/**
 * One address of a listener and its server socket. In: an address. Out: accepted sockets. Owns: the socket and, for a
 * UNIX socket, its file: a stale one is cleared away before, its own removed at the end, another's never.
 */
import { chmodSync, lstatSync, renameSync, unlinkSync } from 'node:fs'
import net from 'node:net'
import { addressLabel } from '../pool/address.ts'

/**
 * `ipv6Only`: `::` does not take IPv4 connections too (Envoy: ipv4_compat is off). `backlog`: connections that wait to be
 * accepted; absent: the system's default.
 */
export type BindAddress = ({ host: string; port: number; ipv6Only: boolean } | { path: string; mode: number }) & {
  backlog?: number
}

/** Sockets accepted beyond this are closed: descriptors are kept for upstreams. */
const MAX_CONNECTIONS = 16_384

export class Binding {
  readonly address: BindAddress
  #server: net.Server | null = null
  /** Of the socket's file, which somebody may have replaced by a newer one. */
  #file = ''

  constructor(address: BindAddress) {
    this.address = address
  }

  /** The port really bound (where 0 was asked for); 0 where there is none. */
  get port(): number {
    const address = this.#server?.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  /** Resolves to '' or to what is in the way, with the address. */
  async open(onSocket: (raw: net.Socket) => void): Promise<string> {
    const { address } = this
    const fault = 'path' in address ? await clearStale(address.path) : ''
    const detail = fault === '' ? await this.#listen(onSocket) : fault
    return detail === '' ? '' : `${addressLabel(address)}: ${detail}`
  }

  close(): void {
    const { address } = this
    const server = this.#server
    this.#server = null
    if (server === null) return
    const isNewer = 'path' in address && fileOf(address.path) !== '' && fileOf(address.path) !== this.#file
    if (isNewer) closeBeside(server, address.path)
    else server.close() // libuv removes the file
  }

  #listen(onSocket: (raw: net.Socket) => void): Promise<string> {
    const { address } = this
    const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, onSocket)
    server.maxConnections = MAX_CONNECTIONS
    return new Promise((resolve) => {
      server.once('error', (error) => resolve(error.message))
      server.once('listening', () => {
        server.on('error', () => {})
        this.#server = server
        resolve('')
      })
      if (!('path' in address)) {
        server.listen(address)
        return
      }
      server.listen('backlog' in address ? { path: address.path, backlog: address.backlog } : { path: address.path })
      if (!server.listening) return // its error comes
      try {
        // within the same turn: nobody has been accepted yet
        chmodSync(address.path, address.mode)
        this.#file = fileOf(address.path)
      } catch (error) {
        server.close()
        resolve((error as Error).message)
      }
    })
  }
}

/** Removes a socket that nobody listens on. Resolves to '' or why `path` cannot be taken. */
async function clearStale(path: string): Promise<string> {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  if (stat === undefined) return ''
  if (!stat.isSocket()) return 'a file that is no socket is there'
  if (await answers(path)) return 'somebody listens there'
  try {
    unlinkSync(path)
    return ''
  } catch (error) {
    return (error as Error).message
  }
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = net.connect({ path })
    probe.once('connect', () => {
      probe.destroy()
      resolve(true)
    })
    probe.once('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT')
    })
  })
}

/** Which file it is; '' for none. */
function fileOf(path: string): string {
  const stat = lstatSync(path, { throwIfNoEntry: false, bigint: true })
  return stat === undefined ? '' : `${stat.dev} ${stat.ino}`
}

/** libuv removes whatever is at the path by then: the newer socket stands aside for that moment. */
function closeBeside(server: net.Server, path: string): void {
  const aside = `${path}~`
  renameSync(path, aside)
  server.close()
  renameSync(aside, path)
}

/**
 * Outbound connections: one to a mesh service's name or virtual address goes to the capture listener instead, behind a
 * PROXY v2 header with where it was meant to go. All of Node's clients end in net.Socket.prototype.connect or
 * tls.connect: http, https, http2, fetch and undici, grpc-js, database drivers.
 * In: the calls of the application. Out: sockets that it cannot tell from its own.
 */
import net from 'node:net'
import tls from 'node:tls'
import { proxyHeader, virtualAddress } from './address.ts'
import { familyOf } from './lookup.ts'
import type { Names } from './names.ts'
import { attempt, replace } from './replace.ts'

type Options = Record<string, unknown>

interface Target {
  address: string
  port: number
}

/** The parts of a socket that Node's streams use themselves, in all versions from 20 to 26. */
interface InnerSocket extends net.Socket {
  _write(chunk: Buffer, encoding: string, done: () => void): void
  _peername?: { address: string; port: number; family: string }
}

export interface Capture {
  host: string
  port: number
}

/** `movedPort`: where this process's own server on that port really listens. */
export function installConnect(names: Names, capture: Capture, movedPort: (port: number) => number | undefined): void {
  const targetOf = (options: Options): Target | undefined => {
    if (options['path'] != null || options['port'] == null || typeof options['host'] !== 'string') return undefined
    const port = Number(options['port'])
    if (!Number.isInteger(port) || port <= 0 || port > 65_535) return undefined
    const literal = virtualAddress(options['host'])
    if (literal !== undefined) return { address: literal, port }
    const found = names.find(options['host'])
    const family = familyOf(options)
    const address = found?.find((one) => family === 0 || one.includes(':') === (family === 6))
    return address === undefined ? undefined : { address, port }
  }

  replace(net.Socket.prototype, 'connect', (original) => {
    return function connect(this: unknown, ...args: unknown[]): unknown {
      const socket = this as InnerSocket
      const call = attempt(() => {
        const [options, onConnect] = normalize(args)
        const target = targetOf(options)
        if (target !== undefined && !(socket instanceof tls.TLSSocket)) return { target, options, onConnect }
        const own = options['path'] == null && isLoopback(options['host'])
        const port = own ? movedPort(Number(options['port'])) : undefined
        if (port === undefined) return undefined
        return { target: undefined, options: { ...options, host: '127.0.0.1', port }, onConnect }
      })
      if (call === undefined) return original.apply(this, args)
      if (call.target === undefined) return original.call(this, call.options, call.onConnect)
      const { target } = call
      // first of all listeners, and below the stream's queue: nothing the application writes may come before it
      socket.prependOnceListener('connect', () => {
        socket._write(proxyHeader(target.address, target.port, socket.localPort ?? 0), 'buffer', () => undefined)
        socket._peername = { ...target, family: target.address.includes(':') ? 'IPv6' : 'IPv4' }
      })
      return original.call(this, redirected(call.options, capture), call.onConnect)
    }
  })

  replace(tls, 'connect', (original) => {
    return function connect(this: unknown, ...args: unknown[]): unknown {
      const call = attempt(() => {
        const [options, onConnect] = normalize(args)
        return options['socket'] == null && targetOf(options) !== undefined ? { options, onConnect } : undefined
      })
      if (call === undefined) return original.apply(this, args)
      // the header goes below TLS: a plain socket first, TLS over it
      const { host, port, family, noDelay, keepAlive, keepAliveInitialDelay } = call.options
      const raw = net.connect(
        defined({ host, port, family, noDelay, keepAlive, keepAliveInitialDelay }) as unknown as net.TcpNetConnectOpts,
      )
      return original.call(this, { ...call.options, socket: raw }, call.onConnect)
    }
  })
}

/** The forms of net.connect: (options), (port, host), (path), and the array that net hands to itself. */
function normalize(args: readonly unknown[]): [Options, unknown] {
  const [first, second] = args
  if (Array.isArray(first)) return [(first[0] ?? {}) as Options, first[1]]
  const last = args.at(-1)
  const onConnect = typeof last === 'function' ? last : undefined
  if (typeof first === 'object' && first !== null) return [first as Options, onConnect]
  const isPort = typeof first === 'number' || (typeof first === 'string' && /^\d+$/.test(first))
  if (!isPort) return [{ path: first }, onConnect]
  // tls.connect(port, host, options, callback) has one form more
  const rest = args.find((arg, i) => i > 0 && typeof arg === 'object' && arg !== null) as Options | undefined
  return [{ ...rest, port: first, ...(typeof second === 'string' ? { host: second } : {}) }, onConnect]
}

/** What belongs to the real address: resolver, family, a race between families, a bound source. */
const OF_THE_ADDRESS = new Set(['lookup', 'family', 'hints', 'autoSelectFamily', 'localAddress', 'localPort'])

function redirected(options: Options, { host, port }: Capture): Options {
  const kept = Object.entries(options).filter(([name]) => !OF_THE_ADDRESS.has(name))
  return { ...Object.fromEntries(kept), host, port, autoSelectFamily: false }
}

function isLoopback(host: unknown): boolean {
  return host == null || host === '' || host === 'localhost' || host === '127.0.0.1' || host === '::1'
}

function defined(options: Options): Options {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
}

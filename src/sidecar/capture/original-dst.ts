/**
 * Where a captured connection meant to go (Envoy: use_original_dst). In: a socket whose first bytes are a PROXY v2
 * header. Out: the same socket for the listener of that destination: exact address, then the port on any address, then
 * the capture listener's own chains. This is the one piece that another way of interception replaces.
 */
import type { Socket } from 'node:net'
import { TimerEntry, type TimerWheel } from '../../lib/timer-wheel.ts'
import { decodeProxyHeader } from '../codec/proxy-v2.ts'
import type { Listener } from '../listener/listener.ts'
import type { Address } from '../pool/dial.ts'
import { resetSide } from '../stream/tunnel.ts'

/** Listeners that are not bound, by `host:port`. */
export type DestinationIndex = ReadonlyMap<string, Listener>

/** The hook writes its header with the first bytes; whoever does not is not it. */
const HEADER_TIMEOUT_MS = 5_000

export function destinationKey(host: string, port: number): string {
  return `${host.toLowerCase()} ${port}`
}

/** The listener for a destination; `own`: where none was made for it. */
export function listenerFor(index: DestinationIndex, host: string, port: number, own: Listener): Listener {
  return (
    index.get(destinationKey(host, port)) ??
    index.get(destinationKey('0.0.0.0', port)) ??
    index.get(destinationKey('::', port)) ??
    own
  )
}

/** Reads the header off a fresh connection; `done` is not called for one that has none. */
export function readDestination(
  raw: Socket,
  wheel: TimerWheel,
  done: (destination: Address | null, rest: Buffer | null) => void,
): void {
  let head: Buffer | null = null
  const stop = (): void => {
    wheel.cancel(deadline)
    raw.pause()
    raw.off('data', onData).off('end', refuse).off('error', refuse).off('close', refuse)
  }
  const refuse = (): void => {
    stop()
    raw.on('error', () => {})
    resetSide({ raw, socket: raw })
  }
  const onData = (chunk: Buffer): void => {
    head = head === null ? chunk : Buffer.concat([head, chunk])
    const header = decodeProxyHeader(head)
    if (header.kind === 'more') return
    if (header.kind === 'bad') {
      refuse()
      return
    }
    stop()
    const rest = head.length > header.bytes ? head.subarray(header.bytes) : null
    done(header.kind === 'proxy' ? header.destination : null, rest)
  }
  const deadline = new TimerEntry(refuse)
  raw.on('data', onData).on('end', refuse).on('error', refuse).on('close', refuse)
  raw.resume()
  wheel.schedule(deadline, HEADER_TIMEOUT_MS)
}

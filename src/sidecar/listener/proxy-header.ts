/**
 * The PROXY v2 header at the start of a connection (Envoy: proxy_protocol listener filter). In: an accepted socket.
 * Out: what the header says and what was read after it, once. A connection without one is reset.
 */
import type { Socket } from 'node:net'
import { TimerEntry, type TimerWheel } from '../../lib/timer-wheel.ts'
import { decodeProxyHeader } from '../codec/proxy-v2.ts'
import type { IpAddress } from '../pool/address.ts'
import { resetSide } from '../transport/reset.ts'

/** `none`: there was no header to read. `local`: the other proxy's own connection, which names nobody. */
export type Opening =
  | { kind: 'none' }
  | { kind: 'local' }
  | { kind: 'proxy'; source: IpAddress; destination: IpAddress }

export const NO_HEADER: Opening = { kind: 'none' }

/** Whoever writes a header does it with the first bytes. */
const HEADER_TIMEOUT_MS = 5_000

/** `done` is not called for a connection that is reset. */
export function readProxyHeader(
  raw: Socket,
  wheel: TimerWheel,
  done: (opening: Opening, rest: Buffer | null) => void,
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
    done(header, head.length > header.bytes ? head.subarray(header.bytes) : null)
  }
  const deadline = new TimerEntry(refuse)
  raw.on('data', onData).on('end', refuse).on('error', refuse).on('close', refuse)
  raw.resume()
  wheel.schedule(deadline, HEADER_TIMEOUT_MS)
}

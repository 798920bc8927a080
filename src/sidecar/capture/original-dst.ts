/**
 * Where a captured connection meant to go (Envoy: use_original_dst), and which listener serves that: exact address, then
 * the port on any address, then the capture listener's own chains. This is the one place that knows the two ways of
 * interception: a PROXY v2 header says it, or the network led the connection here and the socket's own address is it.
 */
import type { Socket } from 'node:net'
import type { Origin } from '../listener/connection.ts'
import type { Listener } from '../listener/listener.ts'
import type { Opening } from '../listener/proxy-header.ts'
import { localEnd, remoteEnd } from '../pool/address.ts'

/** Listeners that are not bound, by `host:port`. */
export type DestinationIndex = ReadonlyMap<string, Listener>

export function indexDestinations(listeners: Iterable<Listener>): DestinationIndex {
  const index = new Map<string, Listener>()
  for (const listener of listeners) {
    if (listener.spec.bind) continue
    for (const address of listener.spec.addresses)
      if (!('path' in address)) index.set(destinationKey(address.host, address.port), listener)
  }
  return index
}

function destinationKey(host: string, port: number): string {
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

export function originOf(raw: Socket, opening: Opening): Origin {
  switch (opening.kind) {
    case 'none':
      return { source: null, local: null, originalDst: localEnd(raw) }
    case 'local':
      return { source: null, local: null, originalDst: null }
    case 'proxy': {
      const { source, destination } = opening
      // over IP the program itself wrote the header, and must not choose whose address it has; a pipe has only that one
      return { source: remoteEnd(raw) === null ? source : null, local: null, originalDst: destination }
    }
    default:
      return opening satisfies never
  }
}

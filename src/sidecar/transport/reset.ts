/** A reset that the peer can tell from an end. Only a TCP handle can; others are just closed. */
import { Socket } from 'node:net'
import { hasNoPeer } from './stream-handle.ts'

/** `raw`: the socket below TLS, or the same one. */
export function resetSide({ raw, socket }: { raw: Socket; socket: Socket }): void {
  const tcp = raw instanceof Socket && raw.remotePort !== undefined && !raw.destroyed
  // a reset while a shutdown is under way (TLS: one of its own, below) leaves a request in libuv that never ends:
  // the process could not exit
  if (tcp && !isEnding(raw) && !isEnding(socket)) raw.resetAndDestroy()
  else raw.destroy()
  if (socket !== raw) socket.destroy()
}

/**
 * What was told as an end was a reset: libuv does so when a reset comes in one poll with the last bytes. Before an end of
 * our own the socket knows: after the peer's end it still has a peer, after a reset it has none.
 */
export function wasReset({ raw, socket }: { raw: Socket; socket: Socket }): boolean {
  return !raw.writableEnded && !socket.writableEnded && hasNoPeer(raw)
}

function isEnding(socket: Socket): boolean {
  return socket.writableEnded && !socket.writableFinished
}

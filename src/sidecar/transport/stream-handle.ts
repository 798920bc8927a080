/**
 * Node's own stream handles (TCP, pipes, TLS), below net.Socket: what lib/internal/stream_base_commons.js does with them.
 * This is no public API, so it is looked at before it is used: whatever is not as expected gives `null`, and the
 * transport over the public API serves instead. Only this file and handle-transport.ts know of it.
 */
import type { Socket } from 'node:net'

/** A write under way. May be used again only when it was done at once. */
export interface WriteRequest {
  oncomplete: ((status: number) => void) | null
}

export interface StreamHandle {
  /** Called after each read: `readResult()` says how many bytes stand in the buffer, or the error. */
  onread: () => void
  /** net.Socket's own note of whether it has called `readStart`. */
  reading: boolean
  /** What is left of the writes under way. */
  readonly writeQueueSize?: number
  useUserBuffer(buffer: Buffer): void
  readStart(): number
  readStop(): number
  /** 0 or an error; `wasAsync()` says whether `oncomplete` follows. */
  writeBuffer(request: WriteRequest, buffer: Buffer): number
  writev(request: WriteRequest, buffers: Buffer[], allBuffers: true): number
}

interface Binding {
  WriteWrap: new () => WriteRequest
  kReadBytesOrError: number
  kLastWriteWasAsync: number
  streamBaseState: Int32Array
}

/** What libuv calls the end of a stream. */
export const END_OF_STREAM = -4095

const binding = loadBinding()

/** Private, and told to stay so in tests: the public way must work as well. */
function loadBinding(): Binding | null {
  if (process.env['POCKETMESH_TRANSPORT'] === 'stream') return null
  try {
    const found = (process as unknown as { binding(name: string): Partial<Binding> }).binding('stream_wrap')
    const isWhole =
      typeof found.WriteWrap === 'function' &&
      Number.isInteger(found.kReadBytesOrError) &&
      Number.isInteger(found.kLastWriteWasAsync) &&
      found.streamBaseState instanceof Int32Array
    return isWhole ? (found as Binding) : null
  } catch {
    return null
  }
}

/** Sockets can be driven by their handles here. */
export const hasHandles = binding !== null

const METHODS = ['useUserBuffer', 'readStart', 'readStop', 'writeBuffer', 'writev'] as const

/** The handle of a socket that is connected; `null` where it cannot be driven directly. */
export function handleOf(socket: Socket): StreamHandle | null {
  if (binding === null) return null
  const handle = (socket as Socket & { _handle?: Partial<StreamHandle> | null })._handle
  if (handle === null || handle === undefined) return null
  return METHODS.every((name) => typeof handle[name] === 'function') ? (handle as StreamHandle) : null
}

/** The system says that a TCP socket has no peer (any more). Where it cannot be asked: false. */
export function hasNoPeer(socket: Socket): boolean {
  const handle = (socket as Socket & { _handle?: { getpeername?: (into: object) => number } | null })._handle
  return typeof handle?.getpeername === 'function' && handle.getpeername({}) !== 0
}

/** Bytes that were read, or a negative error. */
export function readResult(): number {
  return binding!.streamBaseState[binding!.kReadBytesOrError]!
}

export function wasAsync(): boolean {
  return binding!.streamBaseState[binding!.kLastWriteWasAsync] !== 0
}

export function newWriteRequest(): WriteRequest {
  const request = new binding!.WriteWrap()
  request.oncomplete = null
  return request
}

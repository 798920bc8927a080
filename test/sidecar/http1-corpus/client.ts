/** The raw side of a client: bytes in given pieces, then a half-close; all that comes back until the other side ends. */
import net from 'node:net'

/** A run of numbers in [0, 1) that is the same for the same seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

export type Split = 'whole' | 'bytes' | number

/** Longer messages go byte by byte only around their start and their end. */
const MAX_SINGLE_BYTES = 2000

/** Cuts `bytes`: not at all, at every byte, or at a few places drawn from a seed. */
export function cut(bytes: Buffer, split: Split): Buffer[] {
  if (split === 'whole' || bytes.length < 2) return [bytes]
  const places = new Set<number>()
  if (split === 'bytes') {
    for (let i = 1; i < bytes.length; i++)
      if (i < MAX_SINGLE_BYTES / 2 || i > bytes.length - MAX_SINGLE_BYTES / 2) places.add(i)
  } else {
    const random = randomOf(split * 7919 + bytes.length)
    for (let n = 1 + Math.floor(random() * 6); n > 0; n--) places.add(1 + Math.floor(random() * (bytes.length - 1)))
  }
  let from = 0
  const pieces: Buffer[] = []
  for (const place of [...places].sort((a, b) => a - b).concat(bytes.length)) {
    pieces.push(bytes.subarray(from, place))
    from = place
  }
  return pieces
}

/** `hangs` where nothing has ended within ten seconds. */
export function send(port: number, pieces: Buffer[], half = true): Promise<{ text: string; hangs: boolean }> {
  return new Promise((resolve) => {
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
    let text = ''
    let next = 0
    const timer = setTimeout(() => {
      socket.destroy()
      resolve({ text, hangs: true })
    }, 10_000)
    const write = (): void => {
      if (socket.destroyed || socket.writableEnded) return
      if (next < pieces.length) {
        socket.write(pieces[next++]!)
        setImmediate(write)
      } else if (half) socket.end()
    }
    socket.on('connect', write)
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')))
    socket.on('error', () => {})
    socket.on('end', () => socket.end())
    socket.on('close', () => {
      clearTimeout(timer)
      resolve({ text, hangs: false })
    })
  })
}

/** Statuses of all final responses. Bodies of the parties here hold no such line. */
export function statuses(text: string): number[] {
  return [...text.matchAll(/HTTP\/1\.1 ([2-9]\d\d) /g)].map((match) => Number(match[1]))
}

/** The targets that answers say they are for. */
export function answered(text: string): string[] {
  return [...text.matchAll(/\r\nx-seen: ([^\r]*)\r\n/g)].map((match) => match[1]!)
}

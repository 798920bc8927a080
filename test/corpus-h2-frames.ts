/**
 * Single frames of http2-frame-test-case (good and broken ones) against a session of each role that has a stream for
 * them. In: a corpus folder. Out: counts, and the frames that were judged otherwise. Header blocks in it are plain text,
 * and many frames stand on streams that nobody opened, so a good frame may only not be refused for its form.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { FRAME_SIZE_ERROR, NO_ERROR } from '../src/sidecar/codec/http2/errors.ts'
import { drainOutput, newPeer } from './sidecar/codec/http2/harness.ts'
import { headers, parseFrames, PREFACE, settings, T } from './sidecar/codec/http2/frames.ts'

interface Entry {
  wire: string
  error: number[] | null
  description: string
}

export interface FramesResult {
  frames: number
  wrong: string[]
}

/** Streams that the frames stand on. */
const OPEN_STREAMS = [1]

/** The code with which the session refuses this frame; NO_ERROR: not at all. */
function refusalOf(wire: Buffer): number {
  const peer = newPeer('server')
  const post: [string, string][] = [
    [':method', 'POST'],
    [':scheme', 'http'],
    [':path', '/'],
    [':authority', 'shop.test'],
  ]
  // the frame and what it needs: a block that it continues, or a stream
  const isContinuation = wire[3] === T.CONTINUATION
  const opened = isContinuation
    ? [headers(wire.readUInt32BE(5) | 1, post, 0)]
    : OPEN_STREAMS.map((id) => headers(id, post, 4))
  const frame = Buffer.from(wire)
  const id = frame.readUInt32BE(5)
  if (id !== 0 && !isContinuation && frame[3] !== T.HEADERS) frame.writeUInt32BE(1, 5)
  if (isContinuation) frame.writeUInt32BE(id | 1, 5)
  const bytes = Buffer.concat([PREFACE, settings(), ...opened, frame])
  peer.session.receive(bytes, 0, bytes.length)
  for (const { type, payload } of parseFrames(drainOutput(peer.session))) {
    if (type === T.GOAWAY) return payload.readUInt32BE(4)
    if (type === T.RST_STREAM) return payload.readUInt32BE(0)
  }
  return NO_ERROR
}

/** Runs all frames that `h2-frames/index.jsonl` under `root` names. */
export function runFramesCorpus(root: string): FramesResult {
  const result: FramesResult = { frames: 0, wrong: [] }
  const index = join(root, 'h2-frames/index.jsonl')
  if (!existsSync(index)) return result
  for (const line of readFileSync(index, 'utf8').split('\n').filter(Boolean)) {
    const { file } = JSON.parse(line) as { file: string }
    const entry = JSON.parse(readFileSync(join(root, 'h2-frames', file), 'utf8')) as Entry
    const wire = Buffer.from(entry.wire, 'hex')
    const code = refusalOf(wire)
    result.frames++
    // a good one may be against the session's state or its header block no HPACK, but not of a wrong size
    const right = entry.error === null ? code !== FRAME_SIZE_ERROR : entry.error.includes(code)
    if (!right) result.wrong.push(`h2-frames/${file} (${entry.description}): ${code}`)
  }
  return result
}

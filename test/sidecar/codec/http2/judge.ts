/** Whether what an endpoint sent is what a case of the conformance table asks: over a socket as well as of a session. */
import { Head } from '../../../../src/sidecar/codec/head.ts'
import { HpackDecoder } from '../../../../src/sidecar/codec/http2/hpack/decoder.ts'
import type { Expectation } from './cases.ts'
import { ACK, END_STREAM, type Frame, T } from './frames.ts'

/** Payload of a PING after each case's input: closes the question whether a connection still lives. */
export const LAST_PING = 'arethere'

/** What is wrong with `frames`, or null. */
export function judge(frames: Frame[], expect: Expectation): string | null {
  const goaway = frames.find(({ type }) => type === T.GOAWAY)
  const goawayCode = goaway?.payload.readUInt32BE(4)
  const resets = frames.filter(({ type }) => type === T.RST_STREAM)
  const resetOf = (id: number): number | undefined => resets.find((f) => f.id === id)?.payload.readUInt32BE(0)
  const alive = frames.some(
    ({ type, flags, payload }) => type === T.PING && flags === ACK && payload.toString() === LAST_PING,
  )
  if (expect.kind === 'connection') {
    if (expect.orReset !== undefined && expect.codes.includes(resetOf(expect.orReset) ?? -1)) return null
    if (goawayCode === undefined) return 'no GOAWAY'
    return expect.codes.includes(goawayCode) ? null : `GOAWAY ${goawayCode}`
  }
  if (goawayCode !== undefined) return `GOAWAY ${goawayCode} ${goaway!.payload.toString('latin1', 8)}`
  if (!alive) return 'no answer to the last PING'
  if (expect.kind === 'stream') {
    const code = resetOf(expect.id)
    if (code === undefined) return 'no RST_STREAM'
    return expect.codes.includes(code) ? null : `RST_STREAM ${code}`
  }
  if (expect.kind === 'answered') {
    const status = statusOf(frames, expect.id)
    return status === expect.status ? null : `answered ${status}, reset ${resetOf(expect.id)}`
  }
  if (resets.length > 0) return `RST_STREAM ${resetOf(resets[0]!.id)} on ${resets[0]!.id}`
  if (expect.kind === 'bytes') {
    const all = frames.filter(({ type, id }) => type === T.DATA && id === expect.id)
    const bytes = all.reduce((sum, { payload }) => sum + payload.length, 0)
    const ends = all.some(({ flags }) => (flags & END_STREAM) !== 0)
    return bytes === expect.bytes && ends === expect.ends ? null : `${bytes} bytes, end ${ends}`
  }
  if (expect.kind === 'pong') {
    const found = frames.some(
      ({ type, flags, payload }) => type === T.PING && flags === ACK && payload.toString('latin1') === expect.payload,
    )
    return found ? null : 'PING was not answered'
  }
  return null
}

function statusOf(frames: Frame[], id: number): number {
  const decoder = new HpackDecoder(65_536)
  const head = new Head()
  let status = 0
  for (const { type, id: at, payload } of frames) {
    if (type !== T.HEADERS) continue
    decoder.decode(payload, 0, payload.length, head, 'response', 65_536)
    if (at === id) status = head.status
  }
  return status
}

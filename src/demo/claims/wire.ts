/** Claim 6: what passes between two sidecars is TLS records only; the word sent is not among them. */
import { randomBytes } from 'node:crypto'
import { Load } from '../load.ts'
import { RecordingRelay } from '../relay.ts'
import { readTlsRecords } from '../tls-records.ts'
import type { Story, Verdict } from './story.ts'

/**
 * Two relays record one call: before the frontend's sidecar, where a program speaks plaintext, and between that
 * sidecar and the one of payment.
 */
export async function wireIsEncrypted(story: Story): Promise<Verdict> {
  const { mesh } = story
  const payment = await mesh.podOf('payment')
  const [port] = payment.ports
  if (port === undefined) throw new Error('payment has no port')
  const canary = `canary-${randomBytes(12).toString('hex')}`
  const plain = await RecordingRelay.open(story.proxyPort)
  const wire = await RecordingRelay.open(port.listenPort)
  await mesh.advertise(payment, port.containerPort, wire.port)
  try {
    const url = 'http://payment-service:8080/echo'
    const load = new Load({ proxyPort: plain.port, url, ratePerSecond: 50, headers: { 'x-word': canary } })
    await load.run(20)
    await load.stop()
    return judgeWire({ canary, plain, wire, failed: load.failed })
  } finally {
    await mesh.advertise(payment, port.containerPort, undefined)
    await plain.close()
    await wire.close()
  }
}

function judgeWire(evidence: { canary: string; plain: RecordingRelay; wire: RecordingRelay; failed: number }): Verdict {
  const { canary, failed } = evidence
  const inPlain = occurrences(evidence.plain, canary)
  const inWire = occurrences(evidence.wire, canary)
  const streams = evidence.wire.recordings().filter(({ bytes }) => bytes.length > 0)
  let records = 0
  let bytes = 0
  for (const stream of streams) {
    const verdict = readTlsRecords(stream.bytes)
    if (!verdict.ok) return { ok: false, text: `byte ${verdict.atByte} of a ${stream.direction}: ${verdict.reason}` }
    records += verdict.records
    bytes += verdict.applicationBytes
  }
  return {
    ok: failed === 0 && inPlain > 0 && inWire === 0 && bytes > 0,
    text: `${records} TLS records in ${streams.length} streams (${bytes} encrypted bytes) and nothing else; canary found ${inPlain} times in plaintext, ${inWire} times on the wire; ${failed} failed`,
  }
}

function occurrences(relay: RecordingRelay, word: string): number {
  return relay.recordings().reduce((sum, { bytes }) => sum + bytes.toString('latin1').split(word).length - 1, 0)
}

/**
 * Claim 6: what passes between two sidecars is TLS records only (on a pipe, behind one PROXY header); the word sent is
 * not among them.
 */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { PodPort } from '../../client/contract.ts'
import type { Detour } from '../mesh.ts'
import { PodLoad } from '../pod-load.ts'
import { readProxyHeader } from '../proxy-header.ts'
import { RecordingRelay, occurrences } from '../relay.ts'
import { readTlsRecords } from '../tls-records.ts'
import type { Story, Verdict } from './story.ts'

const REQUESTS = 20

/**
 * One call is recorded twice: beside the program in the frontend's pod, where it speaks plaintext, and between that
 * pod's sidecar and the one of payment.
 */
export async function wireIsEncrypted(story: Story): Promise<Verdict> {
  const { mesh } = story
  const payment = await mesh.podOf('payment')
  const [port] = payment.ports
  if (port === undefined) throw new Error('payment has no port')
  const canary = `canary-${randomBytes(12).toString('hex')}`
  const { wire, detour } = await openWire(port, join(mesh.home.socketDir, 'wire.sock'))
  await mesh.advertise(payment, port.containerPort, detour)
  try {
    const url = 'http://payment-service:8080/echo'
    const load = { url, ratePerSecond: 50, requests: REQUESTS, word: canary }
    const { failed, wordsInPlain } = await PodLoad.run(story.place, load)
    const isPipe = detour.advertisedPipe !== undefined
    const { address: caller } = await mesh.registered(await mesh.podOf('frontend'))
    return judgeWire({ inPlain: wordsInPlain, inWire: occurrences(wire, canary), wire, isPipe, caller, failed })
  } finally {
    await mesh.advertise(payment, port.containerPort, {})
    await wire.close()
  }
}

async function openWire(port: PodPort, path: string): Promise<{ wire: RecordingRelay; detour: Detour }> {
  if (port.pipe === undefined) {
    const wire = await RecordingRelay.open({ host: '127.0.0.1', port: port.listenPort })
    return { wire, detour: { advertisedPort: wire.port } }
  }
  return { wire: await RecordingRelay.open({ path: port.pipe }, path), detour: { advertisedPipe: path } }
}

interface Evidence {
  inPlain: number
  inWire: number
  wire: RecordingRelay
  /** Each connection then begins with a PROXY header, and one of them names the caller. */
  isPipe: boolean
  caller: string
  failed: number
}

function judgeWire({ inPlain, inWire, wire, isPipe, caller, failed }: Evidence): Verdict {
  const streams = wire.recordings().filter(({ bytes }) => bytes.length > 0)
  const callers = new Set<string>()
  let records = 0
  let encryptedBytes = 0
  for (const { direction, bytes } of streams) {
    let from = 0
    if (isPipe && direction === 'request') {
      const header = readProxyHeader(bytes)
      if (!header.ok) return { ok: false, text: `a request: ${header.reason}` }
      from = header.bytes
      callers.add(header.source)
    }
    const verdict = readTlsRecords(bytes.subarray(from))
    if (!verdict.ok) return { ok: false, text: `byte ${from + verdict.atByte} of a ${direction}: ${verdict.reason}` }
    records += verdict.records
    encryptedBytes += verdict.applicationBytes
  }
  const behind = isPipe ? ` behind PROXY headers of ${[...callers].join(', ')}` : ''
  return {
    ok: failed === 0 && inPlain > 0 && inWire === 0 && encryptedBytes > 0 && (!isPipe || callers.has(caller)),
    text: `${records} TLS records in ${streams.length} streams (${encryptedBytes} encrypted bytes)${behind} and nothing else; canary found ${inPlain} times in plaintext, ${inWire} times on the wire; ${failed} failed`,
  }
}

/**
 * Is this stream TLS and nothing else? In: the bytes of one direction. Out: a verdict, record by record
 * (RFC 8446 section 5.1): type, version 3.x, length, then that many bytes.
 */
export type RecordVerdict =
  | { ok: true; records: number; applicationBytes: number }
  | { ok: false; atByte: number; reason: string }

const HEADER_BYTES = 5
const HANDSHAKE = 0x16
const APPLICATION_DATA = 0x17
/** change_cipher_spec, alert, handshake, application_data */
const TYPES = new Set([0x14, 0x15, HANDSHAKE, APPLICATION_DATA])
/** 2^14 and the 256 bytes that encryption may add. */
const MAX_RECORD_BYTES = 16_384 + 256

/** The last record may be cut off: the recording ends somewhere. */
export function readTlsRecords(bytes: Uint8Array): RecordVerdict {
  let records = 0
  let applicationBytes = 0
  for (let at = 0; at < bytes.length;) {
    const bad = (reason: string): RecordVerdict => ({ ok: false, atByte: at, reason })
    const [type = 0, major = 3, minor = 1, high = 0, low = 0] = bytes.subarray(at, at + HEADER_BYTES)
    const length = (high << 8) | low
    if (!TYPES.has(type)) return bad(`0x${type.toString(16)} is no TLS record type`)
    if (major !== 3 || minor > 4) return bad(`version ${major}.${minor}`)
    if (length > MAX_RECORD_BYTES) return bad(`record of ${length} bytes`)
    if (records === 0 && type !== HANDSHAKE) return bad('the first record is no handshake')
    records++
    if (type === APPLICATION_DATA) applicationBytes += length
    at += HEADER_BYTES + length
  }
  return { ok: true, records, applicationBytes }
}

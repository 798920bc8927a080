/**
 * Building DER: values in, nodes out, one encoder at the end. Thin names over node-forge's ASN.1, whose strings are
 * bytes as latin1. Reading is der.ts's matter; keys and signatures are node:crypto's.
 */
import asn1, { type Asn1 } from 'node-forge/lib/asn1.js'

export type Asn1Node = Asn1

const { UNIVERSAL, CONTEXT_SPECIFIC } = asn1.Class
const FIRST_GENERALIZED_TIME_EPOCH_MS = Date.UTC(2050, 0, 1)

export function sequence(...items: Asn1Node[]): Asn1Node {
  return asn1.create(UNIVERSAL, asn1.Type.SEQUENCE, true, items)
}

export function set(...items: Asn1Node[]): Asn1Node {
  return asn1.create(UNIVERSAL, asn1.Type.SET, true, items)
}

export function oid(dotted: string): Asn1Node {
  return asn1.create(UNIVERSAL, asn1.Type.OID, false, asn1.oidToDer(dotted).getBytes())
}

/** Contents as they stand: two's complement, shortest form. */
export function integer(content: Uint8Array): Asn1Node {
  return asn1.create(UNIVERSAL, asn1.Type.INTEGER, false, binary(content))
}

export function smallInteger(value: number): Asn1Node {
  return integer(Buffer.from([value]))
}

export function boolean(value: boolean): Asn1Node {
  return asn1.create(UNIVERSAL, asn1.Type.BOOLEAN, false, value ? '\xff' : '\x00')
}

export function octets(content: Uint8Array): Asn1Node {
  return asn1.create(UNIVERSAL, asn1.Type.OCTETSTRING, false, binary(content))
}

/** Bit string of whole bytes, or with the last `unused` bits left out. */
export function bits(content: Uint8Array, unused = 0): Asn1Node {
  return asn1.create(UNIVERSAL, asn1.Type.BITSTRING, false, String.fromCharCode(unused) + binary(content))
}

export function utf8(text: string): Asn1Node {
  return asn1.create(UNIVERSAL, asn1.Type.UTF8, false, binary(Buffer.from(text)))
}

/** UTCTime until 2049, then GeneralizedTime (RFC 5280 4.1.2.5); whole seconds. */
export function time(epochMs: number): Asn1Node {
  const digits = new Date(epochMs).toISOString().replace(/[-:T]|\.\d+/g, '')
  return epochMs < FIRST_GENERALIZED_TIME_EPOCH_MS
    ? asn1.create(UNIVERSAL, asn1.Type.UTCTIME, false, digits.slice(2))
    : asn1.create(UNIVERSAL, asn1.Type.GENERALIZEDTIME, false, digits)
}

/** `[number]` around nodes. */
export function explicit(number: number, ...items: Asn1Node[]): Asn1Node {
  return asn1.create(CONTEXT_SPECIFIC, number, true, items)
}

/** `[number]` in place of a primitive's own tag. */
export function implicit(number: number, content: Uint8Array): Asn1Node {
  return asn1.create(CONTEXT_SPECIFIC, number, false, binary(content))
}

/** A node for DER that is already there. */
export function embedded(der: Uint8Array): Asn1Node {
  return parseAsn1(der)
}

export function toDer(node: Asn1Node): Buffer {
  return Buffer.from(asn1.toDer(node).getBytes(), 'latin1')
}

/** Throws on anything but one value; bit strings stay bytes; depth bounded (deep input exhausted the stack once). */
export function parseAsn1(der: Uint8Array, maxDepth = 32): Asn1Node {
  const options = { strict: true, parseAllBytes: true, decodeBitStrings: false, maxDepth }
  return asn1.fromDer(binary(der), options)
}

/** An extension as certificates and requests carry it. */
export function extension(dotted: string, critical: boolean, value: Asn1Node): Asn1Node {
  const content = octets(toDer(value))
  return critical ? sequence(oid(dotted), boolean(true), content) : sequence(oid(dotted), content)
}

/** SubjectAltName with one URI. */
export function uriName(uri: string): Asn1Node {
  return sequence(implicit(6, Buffer.from(uri, 'latin1')))
}

function binary(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}

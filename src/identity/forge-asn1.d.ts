/**
 * node-forge's ASN.1 module alone: the whole package would bring its ciphers into every sidecar. Only what asn1.ts
 * uses; strings are bytes as latin1. The published types know neither this module nor `maxDepth`.
 */
declare module 'node-forge/lib/asn1.js' {
  export interface ByteBuffer {
    getBytes(): string
  }
  export interface Asn1 {
    tagClass: number
    type: number
    constructed: boolean
    value: string | Asn1[]
  }
  export interface ParseOptions {
    strict: boolean
    parseAllBytes: boolean
    decodeBitStrings: boolean
    maxDepth: number
  }
  interface Asn1Module {
    Class: { UNIVERSAL: number; CONTEXT_SPECIFIC: number }
    Type: Record<
      | 'BOOLEAN'
      | 'INTEGER'
      | 'BITSTRING'
      | 'OCTETSTRING'
      | 'OID'
      | 'UTF8'
      | 'SEQUENCE'
      | 'SET'
      | 'UTCTIME'
      | 'GENERALIZEDTIME',
      number
    >
    create(tagClass: number, type: number, constructed: boolean, value: string | Asn1[]): Asn1
    oidToDer(oid: string): ByteBuffer
    toDer(node: Asn1): ByteBuffer
    fromDer(bytes: string, options: ParseOptions): Asn1
  }
  const module: Asn1Module
  export default module
}

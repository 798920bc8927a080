/** Certificates and requests with any one thing wrong: a good one by default, each option breaks or changes a part. */
import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import {
  OID_CLIENT_AUTH,
  OID_ECDSA_SHA256,
  OID_EXTENSION_REQUEST,
  OID_SERVER_AUTH,
} from '../../src/identity/algorithms.ts'
import {
  type Asn1Node,
  bits,
  boolean,
  embedded,
  explicit,
  extension,
  implicit,
  integer,
  octets,
  oid,
  sequence,
  set,
  smallInteger,
  time,
  toDer,
  utf8,
} from '../../src/identity/asn1.ts'
import { toPem } from '../../src/identity/pem.ts'
import { keyIdentifier } from '../../src/control/ca/template.ts'

export const OID_SHA1 = '1.2.840.10045.4.1'
const DAY_MS = 86_400_000

export function newKey(curve = 'P-256'): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: curve }).privateKey
}

export function spkiOf(key: KeyObject): Buffer {
  return createPublicKey(key).export({ type: 'spki', format: 'der' })
}

export function keyPem(key: KeyObject): string {
  return String(key.export({ type: 'pkcs8', format: 'pem' }))
}

export function subject(name: string): Asn1Node {
  return sequence(set(sequence(oid('2.5.4.3'), utf8(name))))
}

/** GeneralNames in a SubjectAltName. */
export const uri = (text: string): Asn1Node => implicit(6, Buffer.from(text, 'latin1'))
export const dns = (text: string): Asn1Node => implicit(2, Buffer.from(text, 'latin1'))
export const ip = (...parts: number[]): Asn1Node => implicit(7, Buffer.from(parts))

export const san = (critical: boolean, ...names: Asn1Node[]): Asn1Node =>
  extension('2.5.29.17', critical, sequence(...names))
export const keyUsage = (critical: boolean, byte: number): Asn1Node =>
  extension('2.5.29.15', critical, bits(Buffer.of(byte), 0))
export const basicConstraints = (...parts: Asn1Node[]): Asn1Node => extension('2.5.29.19', true, sequence(...parts))
export const extendedUsage = (...oids: string[]): Asn1Node =>
  extension('2.5.29.37', false, sequence(...oids.map((dotted) => oid(dotted))))
export const unknownExtension = (critical: boolean): Asn1Node =>
  extension('1.3.6.1.4.1.55738.666.1', critical, octets(Buffer.of(1)))

export interface Authority {
  key: KeyObject
  name: Asn1Node
}

export interface MintOptions {
  key?: KeyObject
  issuer?: Authority
  signatureOid?: string
  hash?: string
  version?: number
  serial?: Buffer
  notBeforeEpochMs?: number
  notAfterEpochMs?: number
  subject?: Asn1Node
  extensions?: Asn1Node[]
}

/** DER of a certificate. */
export function mint(options: MintOptions): Buffer {
  const key = options.key ?? newKey()
  const issuer = options.issuer ?? { key, name: options.subject ?? subject('self') }
  const algorithm = sequence(oid(options.signatureOid ?? OID_ECDSA_SHA256))
  const now = Date.now()
  const version = options.version ?? 3
  const tbs = sequence(
    ...(version === 1 ? [] : [explicit(0, smallInteger(version - 1))]),
    integer(options.serial ?? Buffer.concat([Buffer.of(0x40), randomBytes(15)])),
    algorithm,
    issuer.name,
    sequence(time(options.notBeforeEpochMs ?? now - DAY_MS), time(options.notAfterEpochMs ?? now + DAY_MS)),
    options.subject ?? sequence(),
    embedded(spkiOf(key)),
    ...(version === 1 ? [] : [explicit(3, sequence(...(options.extensions ?? [])))]),
  )
  return toDer(sequence(tbs, algorithm, bits(sign(options.hash ?? 'sha256', toDer(tbs), issuer.key))))
}

export function mintRoot(name = 'mint root', options: MintOptions = {}): Authority & { der: Buffer; pem: string } {
  const key = options.key ?? newKey()
  const der = mint({
    key,
    subject: subject(name),
    extensions: [
      basicConstraints(boolean(true)),
      keyUsage(true, 0x06),
      extension('2.5.29.14', false, octets(keyIdentifier(spkiOf(key)))),
    ],
    ...options,
  })
  return { key, name: subject(name), der, pem: toPem('CERTIFICATE', der) }
}

/** The extensions of a good leaf; `replace` puts others in their place. */
export function leafExtensions(
  id: string,
  replace: Partial<Record<'san' | 'usage' | 'extended' | 'basic', Asn1Node[]>> = {},
): Asn1Node[] {
  return [
    ...(replace.basic ?? [basicConstraints()]),
    ...(replace.usage ?? [keyUsage(true, 0x80)]),
    ...(replace.extended ?? [extendedUsage(OID_SERVER_AUTH, OID_CLIENT_AUTH)]),
    ...(replace.san ?? [san(true, uri(id))]),
  ]
}

export interface RequestOptions {
  key?: KeyObject
  spki?: Buffer
  version?: number
  signatureAlgorithm?: Asn1Node
  hash?: string | null
  signWith?: KeyObject
  names?: Asn1Node[]
  extensions?: Asn1Node[]
  attributes?: Asn1Node[]
}

/** DER of a certificate request. */
export function mintRequest(id: string, options: RequestOptions = {}): Buffer {
  const key = options.key ?? newKey()
  const extensions = options.extensions ?? [san(true, ...(options.names ?? [uri(id)]))]
  const attributes = options.attributes ?? [sequence(oid(OID_EXTENSION_REQUEST), set(sequence(...extensions)))]
  const info = sequence(
    smallInteger(options.version ?? 0),
    sequence(),
    embedded(options.spki ?? spkiOf(key)),
    explicit(0, ...attributes),
  )
  const hash = options.hash === undefined ? 'sha256' : options.hash
  const signature = sign(hash, toDer(info), options.signWith ?? key)
  return toDer(sequence(info, options.signatureAlgorithm ?? sequence(oid(OID_ECDSA_SHA256)), bits(signature)))
}

export function requestPem(der: Buffer): string {
  return toPem('CERTIFICATE REQUEST', der)
}

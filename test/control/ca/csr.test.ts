/** Requests that a CA must refuse, each for one reason, and mutated ones: whatever is signed was really asked for. */
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import * as fc from 'fast-check'
import t from 'tap'
import { OID_EXTENSION_REQUEST } from '../../../src/identity/algorithms.ts'
import {
  bits,
  boolean,
  embedded,
  extension,
  integer,
  oid,
  sequence,
  set,
  smallInteger,
  toDer,
  utf8,
} from '../../../src/identity/asn1.ts'
import { toPem } from '../../../src/identity/pem.ts'
import { createRequest } from '../../../src/identity/request.ts'
import { verifyCsr } from '../../../src/control/ca/csr.ts'
import {
  basicConstraints,
  dns,
  ip,
  keyUsage,
  mintRequest,
  newKey,
  OID_SHA1,
  type RequestOptions,
  requestPem,
  san,
  spkiOf,
  unknownExtension,
  uri,
} from '../../helpers/mint.ts'

const ID = 'spiffe://cluster.local/ns/default/sa/frontend'
const ROOT = 'spiffe://cluster.local/ns/istio-system/sa/istiod'
const rsa = (modulusLength: number, publicExponent = 65537) =>
  generateKeyPairSync('rsa', { modulusLength, publicExponent }).privateKey
const rsaAlgorithm = embedded(Buffer.from('300d06092a864886f70d01010b0500', 'hex'))
const edAlgorithm = embedded(Buffer.from('300506032b6570', 'hex'))

const good = mintRequest(ID)
const goodPem = requestPem(good)
const pem = (options: RequestOptions): string => requestPem(mintRequest(ID, options))

/** A valid request with the bytes of one place replaced, and every length left as it is. */
function patched(from: string, to: string): string {
  const hex = good.toString('hex')
  if (!hex.includes(from) || from.length !== to.length) throw new Error('nothing to patch')
  return requestPem(Buffer.from(hex.replace(from, to), 'hex'))
}

/** The same with a field's length in longer form; the lengths around it are made right again. */
function longForm(): Buffer {
  const info = good.subarray(3)
  return Buffer.concat([Buffer.of(0x30, 0x82, 0x00, good[2] ?? 0), info])
}

function explicitParameters(): Buffer {
  return generateKeyPairSync('ec', { namedCurve: 'P-256', paramEncoding: 'explicit' }).publicKey.export({
    type: 'spki',
    format: 'der',
  })
}

function offCurve(): Buffer {
  const spki = Buffer.from(spkiOf(newKey()))
  randomBytes(32).copy(spki, spki.length - 32)
  return spki
}

function compressed(): Buffer {
  const point = spkiOf(newKey()).subarray(-64)
  const x = Buffer.concat([Buffer.of(2 + ((point[63] ?? 0) & 1)), point.subarray(0, 32)])
  return Buffer.concat([Buffer.from('3039301306072a8648ce3d020106082a8648ce3d030107032200', 'hex'), x])
}

/** No real modulus: the size is refused before anything is computed with it. */
function largeRsa(): Buffer {
  const modulus = Buffer.concat([Buffer.of(0), randomBytes(520)])
  modulus[1] = 0xff
  const key = toDer(sequence(integer(modulus), integer(Buffer.of(1, 0, 1))))
  return toDer(sequence(sequence(oid('1.2.840.113549.1.1.1'), embedded(Buffer.of(5, 0))), bits(key)))
}

function deep(depth: number): Buffer {
  let der = Buffer.alloc(0)
  for (let i = 0; i < depth; i++) {
    const n = der.length
    const length = n < 128 ? [n] : n < 256 ? [0x81, n] : [0x82, n >> 8, n & 255]
    der = Buffer.concat([Buffer.of(0x30, ...length), der])
  }
  return der
}

const another = newKey()
const weak = (dotted: string, hash: string): string => pem({ signatureAlgorithm: sequence(oid(dotted)), hash })

const REFUSED: [string, string, string][] = [
  ['empty', '', 'not_one_request'],
  ['not PEM', 'hello', 'not_one_request'],
  ['two requests', goodPem + goodPem, 'not_one_request'],
  ['a certificate', toPem('CERTIFICATE', good), 'not_one_request'],
  ['text before the request', `x\n${goodPem}`, 'not_one_request'],
  ['text after the request', `${goodPem}x`, 'not_one_request'],
  ['a key behind the request', goodPem + toPem('PRIVATE KEY', good), 'not_one_request'],
  ['base64 cut short', goodPem.replace(/..\n-----END/, '\n-----END'), 'not_one_request'],
  ['over 8 KiB', pem({ names: [uri(ID), dns('x'.repeat(9000))] }), 'too_large'],
  ['bytes behind the DER', requestPem(Buffer.concat([good, Buffer.of(0)])), 'not_der'],
  ['DER cut short', requestPem(good.subarray(0, -1)), 'not_der'],
  ['a length in longer form', requestPem(longForm()), 'not_der'],
  [
    'an indefinite length',
    requestPem(Buffer.concat([Buffer.of(0x30, 0x80), good.subarray(3), Buffer.of(0, 0)])),
    'not_der',
  ],
  ['a boolean of 01', patched('0101ff', '010101'), 'not_der'],
  ['200 levels of nesting', requestPem(deep(200)), 'too_deep'],
  ['40 levels of nesting', requestPem(deep(40)), 'too_deep'],
  ['version 1', pem({ version: 1 }), 'bad_version'],
  ['a signature by another key', pem({ signWith: another }), 'no_possession'],
  ["another's key", pem({ spki: spkiOf(another) }), 'no_possession'],
  [
    'a changed name',
    patched(Buffer.from('frontend').toString('hex'), Buffer.from('frontenx').toString('hex')),
    'no_possession',
  ],
  [
    'MD5',
    pem({
      key: rsa(2048),
      signatureAlgorithm: embedded(Buffer.from('300d06092a864886f70d0101040500', 'hex')),
      hash: 'md5',
    }),
    'weak_hash',
  ],
  [
    'SHA-1 with RSA',
    pem({
      key: rsa(2048),
      signatureAlgorithm: embedded(Buffer.from('300d06092a864886f70d0101050500', 'hex')),
      hash: 'sha1',
    }),
    'weak_hash',
  ],
  ['SHA-1 with ECDSA', weak(OID_SHA1, 'sha1'), 'weak_hash'],
  ['SHA-224', weak('1.2.840.10045.4.3.1', 'sha224'), 'unknown_signature_algorithm'],
  [
    'ECDSA with NULL parameters',
    pem({ signatureAlgorithm: embedded(Buffer.from('300c06082a8648ce3d0403020500', 'hex')) }),
    'unknown_signature_algorithm',
  ],
  ['an algorithm of another key kind', pem({ signatureAlgorithm: rsaAlgorithm }), 'no_possession'],
  ['RSA of 1024 bits', pem({ key: rsa(1024), signatureAlgorithm: rsaAlgorithm }), 'bad_key'],
  ['RSA with exponent 3', pem({ key: rsa(2048, 3), signatureAlgorithm: rsaAlgorithm }), 'bad_key'],
  ['RSA of 4160 bits', pem({ spki: largeRsa(), signatureAlgorithm: rsaAlgorithm }), 'bad_key'],
  ['P-521', pem({ key: newKey('P-521') }), 'bad_key'],
  ['secp256k1', pem({ key: newKey('secp256k1') }), 'bad_key'],
  ['explicit curve parameters', pem({ spki: explicitParameters() }), 'bad_key'],
  ['a point off the curve', pem({ spki: offCurve() }), 'bad_key'],
  ['a compressed point', pem({ spki: compressed() }), 'bad_key'],
  [
    'an X25519 key',
    pem({ spki: generateKeyPairSync('x25519').publicKey.export({ type: 'spki', format: 'der' }) }),
    'bad_key',
  ],
  ['a CA', pem({ extensions: [san(true, uri(ID)), basicConstraints(boolean(true))] }), 'asks_for_ca'],
  ['a path length', pem({ extensions: [san(true, uri(ID)), basicConstraints(smallInteger(0))] }), 'asks_for_ca'],
  ['keyCertSign', pem({ extensions: [san(true, uri(ID)), keyUsage(true, 0x84)] }), 'asks_for_ca'],
  ['cRLSign', pem({ extensions: [san(true, uri(ID)), keyUsage(true, 0x82)] }), 'asks_for_ca'],
  ['name constraints', pem({ extensions: [extension('2.5.29.30', false, sequence())] }), 'asks_for_constraints'],
  [
    'an unknown critical extension',
    pem({ extensions: [san(true, uri(ID)), unknownExtension(true)] }),
    'unknown_critical_extension',
  ],
  ['an extension twice', pem({ extensions: [san(true, uri(ID)), san(true, uri(ID))] }), 'not_der'],
  [
    'extensions requested twice',
    pem({ attributes: [0, 1].map(() => sequence(oid(OID_EXTENSION_REQUEST), set(sequence(san(true, uri(ID)))))) }),
    'duplicate_attribute',
  ],
  ['two IDs', pem({ names: [uri(ID), uri(`${ID}-2`)] }), 'several_ids'],
  ['no ID among its names', pem({ names: [] }), 'several_ids'],
  ['a DNS name', pem({ names: [uri(ID), dns('frontend')] }), 'other_names'],
  ['a wildcard', pem({ names: [uri(ID), dns('*.default.svc')] }), 'other_names'],
  ['an IP address', pem({ names: [uri(ID), ip(127, 0, 0, 1)] }), 'other_names'],
  ["the control plane's ID", pem({ names: [uri(ROOT)] }), 'other_identity'],
  ["a neighbour's ID", pem({ names: [uri('spiffe://cluster.local/ns/default/sa/checkout')] }), 'other_identity'],
  ['its own ID with a slash behind', pem({ names: [uri(`${ID}/`)] }), 'bad_id'],
  ['a URI that is no SPIFFE ID', pem({ names: [uri('https://example.com/')] }), 'bad_id'],
  ['a NUL in the ID', pem({ names: [uri(`${ID}\0`)] }), 'not_der'],
  ['another trust domain', pem({ names: [uri(ID.replace('cluster.local', 'example.org'))] }), 'foreign_trust_domain'],
]

t.test('each bad request is refused for its own reason', async (t) => {
  for (const [name, text, refusal] of REFUSED) {
    const verdict = verifyCsr(text, ID)
    t.equal(verdict.ok ? 'accepted' : verdict.refusal, refusal, `${name}${verdict.ok ? '' : `: ${verdict.reason}`}`)
  }
})

t.test('good requests give their key, and nothing else is taken', async (t) => {
  const ed = generateKeyPairSync('ed25519').privateKey
  const p384 = newKey('P-384')
  const key = newKey()
  const rows: [string, string, Buffer][] = [
    ["the sidecar's own", createRequest(key, ID), spkiOf(key)],
    [
      'P-384',
      pem({ key: p384, signatureAlgorithm: sequence(oid('1.2.840.10045.4.3.3')), hash: 'sha384' }),
      spkiOf(p384),
    ],
    ['Ed25519', pem({ key: ed, signatureAlgorithm: edAlgorithm, hash: null }), spkiOf(ed)],
    ['without names', pem({ key, extensions: [keyUsage(true, 0x80)] }), spkiOf(key)],
    ['without attributes', pem({ key, attributes: [] }), spkiOf(key)],
    [
      'with an attribute that is nobody’s business',
      pem({ key, attributes: [sequence(oid('1.2.840.113549.1.9.7'), set(utf8('x')))] }),
      spkiOf(key),
    ],
  ]
  for (const bitsOfKey of [2048, 3072]) {
    const one = rsa(bitsOfKey)
    rows.push([`RSA ${bitsOfKey}`, pem({ key: one, signatureAlgorithm: rsaAlgorithm }), spkiOf(one)])
  }
  for (const [name, text, spki] of rows) {
    const verdict = verifyCsr(text, ID)
    t.same(verdict.ok ? verdict.spkiDer : verdict.reason, spki, name)
  }
})

t.test('a thousand damaged requests crash nothing, and none is taken for another', async (t) => {
  const change = fc.record({
    kind: fc.constantFrom('set', 'insert', 'remove', 'copy'),
    at: fc.nat(good.length - 1),
    byte: fc.nat(255),
    length: fc.integer({ min: 1, max: 16 }),
  })
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
      let der: Buffer = good
      for (const { kind, at, byte, length } of changes) {
        const head = der.subarray(0, at)
        if (kind === 'set') der = Buffer.concat([head, Buffer.of(byte), der.subarray(at + 1)])
        else if (kind === 'insert') der = Buffer.concat([head, Buffer.of(byte), der.subarray(at)])
        else if (kind === 'remove') der = Buffer.concat([head, der.subarray(at + length)])
        else der = Buffer.concat([head, der.subarray(at, at + length), der.subarray(at)])
      }
      return !verifyCsr(requestPem(der), ID).ok || der.equals(good)
    }),
    { numRuns: 1000 },
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => !verifyCsr(requestPem(Buffer.from(bytes)), ID).ok),
  )
  fc.assert(
    fc.property(fc.integer({ min: 33, max: 1200 }), (depth) => {
      const verdict = verifyCsr(requestPem(deep(depth)), ID)
      return !verdict.ok && (verdict.refusal === 'too_deep' || verdict.refusal === 'too_large')
    }),
    { numRuns: 200 },
  )
  t.pass('none was signed')
})

/** SPIFFE IDs, DER, PEM and paths, by rows that need no files; the published cases are in corpus.test.ts. */
import { X509Certificate } from 'node:crypto'
import * as fc from 'fast-check'
import t from 'tap'
import { parseCertificate } from '../../src/identity/certificate.ts'
import { whyUntrusted } from '../../src/identity/chain.ts'
import { checkDer, DerCursor, readOid } from '../../src/identity/der.ts'
import { parseBundle, parsePem, toPem } from '../../src/identity/pem.ts'
import { parseSpiffeId, workloadOfSpiffeId, workloadSpiffeId } from '../../src/identity/spiffe-id.ts'
import { loadSvid, verifySvid } from '../../src/identity/svid.ts'
import { basicConstraints, keyPem, leafExtensions, mint, mintRoot, newKey, unknownExtension } from '../helpers/mint.ts'

const ID = 'spiffe://cluster.local/ns/default/sa/frontend'
const DAY_MS = 86_400_000
const root = mintRoot()

t.test('SPIFFE IDs', async (t) => {
  const good = ['spiffe://td', 'spiffe://td/a', ID, 'spiffe://a_b-c.d/A_b-c.D/...', `spiffe://td/${'x'.repeat(2036)}`]
  for (const text of good) t.equal(parseSpiffeId(text).ok, true, text.slice(0, 60))
  const bad = [
    ['', /scheme/],
    ['SPIFFE://td/a', /scheme/],
    ['spiffe:/td/a', /scheme/],
    ['spiffe://', /no trust domain/],
    ['spiffe:///a', /no trust domain/],
    ['spiffe://TD/a', /a-z/],
    ['spiffe://td:80/a', /a-z/],
    ['spiffe://user@td/a', /a-z/],
    ['spiffe://td?x', /a-z/],
    ['spiffe://td#x', /a-z/],
    ['spiffe://t%64/a', /a-z/],
    [`spiffe://${'t'.repeat(256)}/a`, /over 255/],
    ['spiffe://td/', /empty/],
    ['spiffe://td/a/', /empty/],
    ['spiffe://td//a', /empty/],
    ['spiffe://td/./a', /dot/],
    ['spiffe://td/a/..', /dot/],
    ['spiffe://td/%61', /A-Z/],
    ['spiffe://td/a?b', /A-Z/],
    ['spiffe://td/a b', /A-Z/],
    ['spiffe://td/\u00e4', /A-Z/],
    ['spiffe://td/a\0', /A-Z/],
    ['spiffe://td/a\n', /A-Z/],
    [`spiffe://td/${'x'.repeat(2037)}`, /longer/],
  ] as const
  for (const [text, reason] of bad)
    t.match(parseSpiffeId(text), { ok: false, reason }, JSON.stringify(text.slice(0, 60)))
  t.equal(workloadSpiffeId('cluster.local', 'default', 'frontend'), ID)
  t.same(workloadOfSpiffeId(ID), { namespace: 'default', serviceAccount: 'frontend' })
  for (const text of ['spiffe://td', 'spiffe://td/ns/a', `${ID}/b`, 'spiffe://td/sa/a/ns/b'])
    t.equal(workloadOfSpiffeId(text), undefined)
  for (const name of ['', '..', 'a/b', 'a b'])
    t.throws(() => workloadSpiffeId('td', 'default', name), /not a SPIFFE ID/)
})

t.test('DER is read in its one form only', async (t) => {
  const hex = (text: string): Buffer => Buffer.from(text, 'hex')
  for (const text of [
    '3000',
    '30030101ff',
    '020100',
    '02020080',
    '06032a8648',
    '3006020101020102',
    '0303070080',
    'a003020101',
  ])
    t.doesNotThrow(() => checkDer(hex(text), 8), text)
  const bad = [
    '',
    '30',
    '3001',
    '300000',
    '30800000',
    '308100',
    '30820001ff',
    '010101',
    '010200ff',
    '02020001',
    '0200',
    '0600',
    '06028001',
    '060181',
    '1f0100',
    '1000',
    '2403040100',
    '0301',
    '030108',
    '2203020101',
  ]
  for (const text of bad) t.throws(() => checkDer(hex(text), 8), { code: 'BAD_DER' }, text)
  t.throws(() => checkDer(hex('3008300630043002'.concat('3000')), 3), /too deep/)
  const oids = {
    '06032b6570': '1.3.101.112',
    '0603883703': '2.999.3',
    '06092a864886f70d01010b': '1.2.840.113549.1.1.11',
  }
  for (const [der, dotted] of Object.entries(oids)) t.equal(readOid(hex(der), new DerCursor(hex(der)).next()), dotted)
})

t.test('certificates read as node:crypto reads them, and damaged ones crash nothing', async (t) => {
  const key = newKey()
  const der = mint({ key, issuer: root, extensions: leafExtensions(ID) })
  const parsed = parseCertificate(der)
  const node = new X509Certificate(der)
  if (!parsed.ok) return t.fail(parsed.reason)
  t.equal(parsed.fields.serialHex.toUpperCase(), node.serialNumber)
  t.equal(parsed.fields.notAfterEpochMs, Date.parse(node.validTo))
  t.same(parsed.fields.extendedKeyUsage, node.keyUsage)
  t.equal(`URI:${parsed.fields.subjectAltName?.uris[0]}`, node.subjectAltName)
  fc.assert(
    fc.property(fc.nat(der.length - 1), fc.nat(255), (at, byte) => {
      const damaged = Buffer.from(der)
      damaged[at] = byte
      const verdict = verifySvid(damaged)
      return typeof verdict.ok === 'boolean' && !verifySvid(der.subarray(0, at)).ok
    }),
    { numRuns: 500 },
  )
  return undefined
})

t.test('the way to a root, at a time', async (t) => {
  const now = Date.now()
  const leaf = mint({ issuer: root, extensions: leafExtensions(ID) })
  const rows: [string, Buffer, Buffer[], number, RegExp | undefined][] = [
    ['good', leaf, [root.der], now, undefined],
    ['good, the second root', leaf, [mintRoot().der, root.der], now, undefined],
    ['expired', leaf, [root.der], now + DAY_MS + 2000, /expired/],
    ['not valid yet', leaf, [root.der], now - DAY_MS - 2000, /not valid yet/],
    ['no root', leaf, [], now, /none of the roots/],
    ['another root', leaf, [mintRoot('another').der], now, /none of the roots/],
    ['a root of the same name', leaf, [mintRoot().der], now, /not signed/],
    [
      'a root that is no CA',
      leaf,
      [mintRoot('mint root', { key: root.key, extensions: [basicConstraints()] }).der],
      now,
      /no CA/,
    ],
    [
      'an expired root',
      leaf,
      [mintRoot('mint root', { key: root.key, notAfterEpochMs: now - 5000 }).der],
      now,
      /root has expired/,
    ],
    [
      'an unknown critical extension',
      mint({ issuer: root, extensions: [unknownExtension(true)] }),
      [root.der],
      now,
      /critical/,
    ],
    [
      'a serial of zero',
      mint({ issuer: root, serial: Buffer.of(0), extensions: leafExtensions(ID) }),
      [root.der],
      now,
      /not positive/,
    ],
    [
      'a negative serial',
      mint({ issuer: root, serial: Buffer.of(0x80), extensions: leafExtensions(ID) }),
      [root.der],
      now,
      /not positive/,
    ],
    ['not a certificate', Buffer.from('x'), [root.der], now, /malformed/],
  ]
  for (const [name, der, roots, at, reason] of rows) {
    const why = whyUntrusted(der, roots, at)
    if (reason === undefined) t.equal(why, undefined, name)
    else t.match(why, reason, `${name}: ${why}`)
  }
})

t.test('PEM and the pairs in it', async (t) => {
  const key = newKey()
  const chain = toPem('CERTIFICATE', mint({ key, issuer: root, extensions: leafExtensions(ID) }))
  t.same(
    parsePem(chain + root.pem)?.map((block) => block.label),
    ['CERTIFICATE', 'CERTIFICATE'],
  )
  t.equal(parsePem(chain.replace('-----END CERTIFICATE', '-----END KEY')), undefined)
  t.equal(parsePem(chain.slice(0, -40)), undefined, 'cut short')
  t.match(parseBundle(root.pem + chain), { ok: true })
  t.match(parseBundle(root.pem + keyPem(key)), { ok: false, reason: /PRIVATE KEY/ })
  t.match(loadSvid(chain, keyPem(key), 'cluster.local'), { ok: true, loaded: { spiffeId: ID } })
  t.match(loadSvid(chain, keyPem(key), 'example.org'), { ok: false, reason: /trust domain/ })
  t.match(loadSvid(chain, keyPem(newKey())), { ok: false, reason: /not that of the certificate/ })
})

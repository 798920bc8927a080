/** Bad certificates over real TLS sockets, in both directions: none is served, none is spoken to. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import tls from 'node:tls'
import t, { type Test } from 'tap'
import { OID_CLIENT_AUTH, OID_SERVER_AUTH } from '../../../src/identity/algorithms.ts'
import { boolean, smallInteger } from '../../../src/identity/asn1.ts'
import { toPem } from '../../../src/identity/pem.ts'
import type { Credential, CredentialSource } from '../../../src/sidecar/ports.ts'
import { TlsAcceptor } from '../../../src/sidecar/tls/acceptor.ts'
import { dialTls } from '../../../src/sidecar/tls/dial.ts'
import type { Peer } from '../../../src/sidecar/tls/verify.ts'
import {
  basicConstraints,
  dns,
  extendedUsage,
  keyPem,
  keyUsage,
  leafExtensions,
  mint,
  mintRoot,
  type MintOptions,
  newKey,
  OID_SHA1,
  san,
  subject,
  unknownExtension,
  uri,
} from '../../helpers/mint.ts'

const ID = 'spiffe://cluster.local/ns/default/sa/frontend'
const OWN = 'spiffe://cluster.local/ns/default/sa/checkout'
const DAY_MS = 86_400_000
const root = mintRoot()

interface Shown {
  key: KeyObject
  chain: string
}

function leaf(options: MintOptions & { id?: string }, ...intermediates: Buffer[]): Shown {
  const key = options.key ?? newKey()
  const der = mint({ issuer: root, extensions: leafExtensions(options.id ?? ID), ...options, key })
  return { key, chain: [der, ...intermediates].map((one) => toPem('CERTIFICATE', one)).join('') }
}

const replaced = (parts: Parameters<typeof leafExtensions>[1]): Shown => leaf({ extensions: leafExtensions(ID, parts) })
const otherRoot = mintRoot('another root')
const twin = mintRoot() // same name, other key
const oldRoot = mintRoot('old root', { notAfterEpochMs: Date.now() - DAY_MS })
const innocentKey = newKey()
const innocent = mint({ key: innocentKey, issuer: root, subject: subject('leaf'), extensions: leafExtensions(ID) })

const BAD: [string, Shown][] = [
  ['expired', leaf({ notAfterEpochMs: Date.now() - 60_000 })],
  ['not valid yet', leaf({ notBeforeEpochMs: Date.now() + DAY_MS / 2 })],
  ['of another trust domain', leaf({ id: 'spiffe://other.example/ns/default/sa/frontend' })],
  ['with two URI names', replaced({ san: [san(true, uri(ID), uri(`${ID}-2`))] })],
  ['with the same URI name twice', replaced({ san: [san(true, uri(ID), uri(ID))] })],
  ['that is a CA', replaced({ basic: [basicConstraints(boolean(true))] })],
  ['that may sign certificates', replaced({ usage: [keyUsage(true, 0x84)] })],
  ['that may sign revocation lists', replaced({ usage: [keyUsage(true, 0x82)] })],
  ['without KeyUsage', replaced({ usage: [] })],
  ['with a KeyUsage that is not critical', replaced({ usage: [keyUsage(false, 0x80)] })],
  ['without digitalSignature', replaced({ usage: [keyUsage(true, 0x20)] })],
  ['for servers only', replaced({ extended: [extendedUsage(OID_SERVER_AUTH)] })],
  ['for clients only', replaced({ extended: [extendedUsage(OID_CLIENT_AUTH)] })],
  ['for code signing', replaced({ extended: [extendedUsage('1.3.6.1.5.5.7.3.3')] })],
  ['signed by itself', leaf({ issuer: undefined as never, subject: subject('self') })],
  ['of another root', leaf({ issuer: otherRoot })],
  ['of a root with our root’s name', leaf({ issuer: twin })],
  ['of an expired root, sent along', leaf({ issuer: oldRoot }, oldRoot.der)],
  ['with the trust domain itself as ID', leaf({ id: 'spiffe://cluster.local' })],
  ['with a root path', leaf({ id: 'spiffe://cluster.local/' })],
  ['with a DNS name only', replaced({ san: [san(true, dns('frontend.default.svc.cluster.local'))] })],
  ['without names', replaced({ san: [] })],
  ['with the ID as a DNS name', replaced({ san: [san(true, dns(ID))] })],
  ['with the ID in the common name only', leaf({ subject: subject(ID), extensions: leafExtensions(ID, { san: [] }) })],
  ['signed over SHA-1', leaf({ signatureOid: OID_SHA1, hash: 'sha1' })],
  ['with a URI that is no SPIFFE ID', leaf({ id: 'https://cluster.local/ns/default/sa/frontend' })],
  ['with an ID in capitals', leaf({ id: 'SPIFFE://CLUSTER.LOCAL/ns/default/sa/frontend' })],
  ['with a dotted path', leaf({ id: 'spiffe://cluster.local/ns/default/../default/sa/frontend' })],
  ['with a NUL in the ID', leaf({ id: `${ID}\0.evil` })],
  ['with a NUL in the trust domain', leaf({ id: 'spiffe://cluster.local\0.evil/ns/default/sa/frontend' })],
  ['with a name that is not critical under an empty subject', replaced({ san: [san(false, uri(ID))] })],
  ['with an unknown critical extension', leaf({ extensions: [...leafExtensions(ID), unknownExtension(true)] })],
  ['with its names given twice', replaced({ san: [san(true, uri(ID)), san(true, uri(ID))] })],
  ['issued by a leaf', leaf({ issuer: { key: innocentKey, name: subject('leaf') } }, innocent)],
  ['that is the root', { key: root.key, chain: root.pem }],
  ['of version 1', leaf({ version: 1 })],
  [
    'under a path length that forbids it',
    leaf({ extensions: leafExtensions(ID, { basic: [basicConstraints(boolean(true), smallInteger(0))] }) }),
  ],
]

const GOOD: [string, Shown][] = [
  ['as the CA makes it', leaf({})],
  ['on P-384', leaf({ key: newKey('P-384') })],
  ['with an RSA key', leaf({ key: generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey })],
  ['with an Ed25519 key', leaf({ key: generateKeyPairSync('ed25519').privateKey })],
  ['with a DNS name beside the ID', replaced({ san: [san(true, uri(ID), dns('frontend'))] })],
  ['without extended usages', replaced({ extended: [] })],
  [
    'with a subject, and names that are not critical',
    leaf({ subject: subject('x'), extensions: leafExtensions(ID, { san: [san(false, uri(ID))] }) }),
  ],
]

function source(shown: Shown, spiffeId: string): CredentialSource {
  const credential: Credential = {
    generation: 1,
    spiffeId,
    keyPem: keyPem(shown.key),
    certChainPem: shown.chain,
    rootsPem: root.pem,
    serial: '01',
    notBeforeEpochMs: 0,
    notAfterEpochMs: Infinity,
  }
  return { current: () => credential, onChange: () => () => undefined }
}

const own = source(leaf({ id: OWN }), OWN)
/** An attacker's options: anything goes. */
const lax = { rejectUnauthorized: false, ciphers: 'DEFAULT:@SECLEVEL=0', ALPNProtocols: ['istio'], servername: 'x' }

interface Ledger {
  accepted: (Peer | null)[]
  refused: string[]
}

/** A listener as the sidecar has one, which answers `served` to whom it accepts. */
async function listen(
  t: Test,
  acceptor: TlsAcceptor,
  ledger: Ledger,
  where: net.ListenOptions,
): Promise<net.AddressInfo | string> {
  const server = net.createServer((raw) => {
    raw.once('data', (head) => {
      raw.pause()
      acceptor.accept(raw, head, (error, socket, peer) => {
        if (error !== null || socket === null) ledger.refused.push(error?.message ?? 'no socket')
        else {
          ledger.accepted.push(peer)
          socket.end('served')
        }
      })
    })
    raw.on('error', () => undefined)
  })
  await new Promise<void>((resolve) => server.listen(where, resolve))
  t.teardown(() => {
    acceptor.close()
    server.close()
  })
  return server.address() as net.AddressInfo | string
}

/** What came back, as text. */
function ask(options: tls.ConnectionOptions): Promise<string> {
  return new Promise((resolve) => {
    let text = ''
    const socket = tls.connect(options)
    socket.on('data', (chunk) => (text += chunk.toString()))
    socket.on('error', () => undefined)
    socket.on('close', () => resolve(text))
  })
}

function folder(t: Test): string {
  const dir = mkdtempSync(join(tmpdir(), 'pm-tls-'))
  t.teardown(() => rmSync(dir, { recursive: true }))
  return dir
}

t.test('no bad client certificate is served, over a UNIX socket', async (t) => {
  const ledger: Ledger = { accepted: [], refused: [] }
  const acceptor = new TlsAcceptor({ credentials: own, alpn: ['istio'], requireClientCertificate: true })
  const path = (await listen(t, acceptor, ledger, { path: join(folder(t), 's') })) as string
  for (const [name, shown] of BAD) {
    const text = await ask({ ...lax, path, key: keyPem(shown.key), cert: shown.chain })
    t.equal(text, '', `a certificate ${name} (${ledger.refused.at(-1)})`)
  }
  t.equal(await ask({ ...lax, path }), '', 'no certificate')
  const tls12 = {
    ...lax,
    path,
    key: keyPem(innocentKey),
    cert: toPem('CERTIFICATE', innocent),
    maxVersion: 'TLSv1.2' as const,
  }
  t.equal(await ask(tls12), '', 'TLS 1.2')
  t.equal(await ask({ ...tls12, maxVersion: 'TLSv1.3', ALPNProtocols: ['http/1.1'] }), '', 'an ALPN of others')
  t.equal(ledger.accepted.length, 0, 'nothing reached the stage above')
  t.equal(ledger.refused.length, BAD.length + 3, 'each refusal was told')
})

t.test('good client certificates are served, over TCP, IPv6 where there is one, and UNIX sockets', async (t) => {
  const ledger: Ledger = { accepted: [], refused: [] }
  const options = { credentials: own, alpn: ['istio-http/1.1', 'istio'], requireClientCertificate: true }
  const path = (await listen(t, new TlsAcceptor(options), ledger, { path: join(folder(t), 's') })) as string
  const { port } = (await listen(t, new TlsAcceptor(options), ledger, {
    port: 0,
    host: '127.0.0.1',
  })) as net.AddressInfo
  for (const [name, shown] of GOOD)
    for (const where of [{ path }, { port, host: '127.0.0.1' }]) {
      const text = await ask({ ...lax, ...where, key: keyPem(shown.key), cert: shown.chain })
      t.equal(text, 'served', `a certificate ${name}${text === '' ? ` (${ledger.refused.at(-1)})` : ''}`)
      t.equal(ledger.accepted.at(-1)?.spiffeId, ID)
    }
})

/** A peer that answers anybody, with what it is given. */
async function rogue(t: Test, shown: Shown): Promise<string> {
  const options = { ...lax, key: keyPem(shown.key), cert: shown.chain, requestCert: true }
  const server = tls.createServer(options, (socket) => {
    socket.on('error', () => undefined)
    socket.end('served')
  })
  server.on('tlsClientError', () => undefined)
  const path = join(folder(t), 's')
  await new Promise<void>((resolve) => server.listen({ path }, resolve))
  t.teardown(() => server.close())
  return path
}

function dial(target: net.NetConnectOpts, allowed: ReadonlySet<string> | null): Promise<string> {
  return new Promise((resolve) => {
    const options = {
      credentials: own,
      sni: 'outbound_.80_._.x',
      alpn: ['istio'],
      allowedIds: allowed,
      timeoutMs: 5000,
    }
    dialTls(target, options, (error, socket, peer) => {
      if (socket === null) resolve(`refused: ${error?.message}`)
      else {
        socket.destroy()
        resolve(peer?.spiffeId ?? 'nobody')
      }
    })
  })
}

t.test('no bad server certificate is spoken to', async (t) => {
  for (const [name, shown] of BAD)
    t.match(await dial({ path: await rogue(t, shown) }, null), /^refused/, `a certificate ${name}`)
  const good = await rogue(t, leaf({}))
  t.match(await dial({ path: good }, new Set([`${ID}-2`])), /may not serve/, 'a good one of another identity')
  t.match(await dial({ path: good }, new Set([ID.slice(0, -1)])), /may not serve/, 'a prefix of the identity')
  t.match(await dial({ path: good }, new Set()), /may not serve/, 'nobody is allowed')
  t.match(await dial({ path: '/nonexistent/s' }, null), /ENOENT/, 'nobody is there')
})

t.test('good server certificates are, when the identity is allowed', async (t) => {
  for (const [name, shown] of GOOD)
    t.equal(await dial({ path: await rogue(t, shown) }, new Set([ID])), ID, `a certificate ${name}`)
})

t.test('a session is worth nothing without the key, be it of this server or of a laxer one', async (t) => {
  const shown = leaf({})
  const ledger: Ledger = { accepted: [], refused: [] }
  const acceptor = new TlsAcceptor({ credentials: own, alpn: ['istio'], requireClientCertificate: true })
  const path = (await listen(t, acceptor, ledger, { path: join(folder(t), 's') })) as string
  const sessions: Buffer[] = []
  const collect = (options: tls.ConnectionOptions): Promise<string> =>
    new Promise((resolve) => {
      let text = ''
      const socket = tls.connect(options)
      socket.on('session', (session) => sessions.push(session))
      socket.on('data', (chunk) => (text += chunk.toString()))
      socket.on('error', () => undefined)
      socket.on('close', () => resolve(text))
    })
  t.equal(await collect({ ...lax, path, key: keyPem(shown.key), cert: shown.chain }), 'served')
  const ours = sessions.length
  await collect({ ...lax, path: await rogue(t, leaf({ id: OWN })) })
  t.ok(sessions.length > ours, 'the laxer server gave tickets')
  for (const session of sessions) t.equal(await collect({ ...lax, path, session }), '', 'it is worth nothing here')
  t.equal(ledger.accepted.length, 1)
})

t.test('half-open handshakes and plaintext are dropped, and each is told once', async (t) => {
  const ledger: Ledger = { accepted: [], refused: [] }
  const acceptor = new TlsAcceptor({
    credentials: own,
    alpn: ['istio'],
    requireClientCertificate: true,
    handshakeTimeoutMs: 50,
  })
  const path = (await listen(t, acceptor, ledger, { path: join(folder(t), 's') })) as string
  const closed = (bytes: string): Promise<string> =>
    new Promise((resolve) => {
      let text = ''
      const socket = net.connect(path, () => socket.write(bytes))
      socket.on('data', (chunk) => (text += chunk.toString('latin1')))
      socket.on('error', () => undefined)
      socket.on('close', () => resolve(text))
    })
  await closed('\x16\x03\x01')
  t.notMatch(await closed('GET / HTTP/1.1\r\n\r\n'), /HTTP/, 'no hint in plaintext')
  t.equal(ledger.accepted.length, 0)
  t.equal(ledger.refused.length, 2)
})

t.test('without a certificate of its own a sidecar neither serves nor dials', async (t) => {
  const none: CredentialSource = { current: () => undefined, onChange: () => () => undefined }
  const ledger: Ledger = { accepted: [], refused: [] }
  const acceptor = new TlsAcceptor({ credentials: none, alpn: ['istio'], requireClientCertificate: true })
  const path = (await listen(t, acceptor, ledger, { path: join(folder(t), 's') })) as string
  t.equal(await ask({ ...lax, path }), '')
  t.match(ledger.refused[0], /no valid certificate/)
  const refused = await new Promise<string>((resolve) => {
    const options = { credentials: none, sni: 'x', alpn: ['istio'], allowedIds: null, timeoutMs: 1000 }
    dialTls({ path }, options, (error) => resolve(error?.message ?? ''))
  })
  t.match(refused, /no valid certificate/)
})

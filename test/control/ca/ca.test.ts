/** The CA over its socket: who gets a certificate, who does not, and what is remembered of it. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ChannelCredentials, Client, Metadata, type ServiceError, status } from '@grpc/grpc-js'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { CertificateAuthority } from '../../../src/control/ca/ca.ts'
import { startCaServer } from '../../../src/control/ca/server.ts'
import { MemoryStore } from '../../../src/control/store/memory.ts'
import { parseCertificate } from '../../../src/identity/certificate.ts'
import { parsePem, toPem } from '../../../src/identity/pem.ts'
import { createRequest } from '../../../src/identity/request.ts'
import { CREATE_CERTIFICATE, type CertificateResponse } from '../../../src/xds/ca-service.ts'
import { JumpClock } from '../../helpers/jump-clock.ts'
import { keyPem, leafExtensions, mint, mintRoot, mintRequest, newKey, requestPem } from '../../helpers/mint.ts'
import { requireTool } from '../../helpers/tools.ts'

const ID = 'spiffe://cluster.local/ns/default/sa/frontend'
const OWNER = { pod: 'frontend-0', namespace: 'default', serviceAccount: 'frontend' }
const OPENSSL = 'openssl'
const log = pino({ level: 'silent' })

interface Shown {
  key: string
  cert: string
}

class Bench {
  readonly dir = mkdtempSync(join(tmpdir(), 'pm-ca-'))
  readonly clock = new JumpClock()
  readonly store = new MemoryStore()
  readonly socket = join(this.dir, 'ca.sock')

  static async start(t: Test): Promise<Bench & { ca: CertificateAuthority }> {
    const bench = new Bench()
    const ca = await bench.open()
    const server = await startCaServer({ ca, socket: bench.socket, log })
    t.teardown(async () => {
      await server.close()
      rmSync(bench.dir, { recursive: true })
    })
    return Object.assign(bench, { ca })
  }

  open(): Promise<CertificateAuthority> {
    const { store, clock } = this
    const lives = { defaultTtlMs: 86_400_000, maxTtlMs: 86_400_000 }
    return CertificateAuthority.open({
      dir: join(this.dir, 'ca'),
      store,
      trustDomain: 'cluster.local',
      ...lives,
      clock,
      log,
    })
  }

  /** A call with whatever proof; the chain, or the status. */
  ask(
    rootsPem: string,
    csr: string,
    proof: { token?: string; shown?: Shown; validityDuration?: number } = {},
  ): Promise<string[] | ServiceError> {
    const { token, shown, validityDuration = 0 } = proof
    const key = shown === undefined ? null : Buffer.from(shown.key)
    const cert = shown === undefined ? null : Buffer.from(shown.cert)
    const credentials = ChannelCredentials.createSsl(Buffer.from(rootsPem), key, cert, {
      checkServerIdentity: () => undefined,
    })
    const client = new Client(`unix:${this.socket}`, credentials, { 'grpc.use_local_subchannel_pool': 1 })
    const metadata = new Metadata()
    if (token !== undefined) metadata.set('authorization', `Bearer ${token}`)
    return new Promise((resolve) => {
      const done = (error: ServiceError | null, response?: CertificateResponse): void => {
        client.close()
        resolve(error ?? response?.certChain ?? [])
      }
      const { path, requestSerialize, responseDeserialize } = CREATE_CERTIFICATE
      client.makeUnaryRequest(path, requestSerialize, responseDeserialize, { csr, validityDuration }, metadata, done)
    })
  }
}

function chainOf(answer: string[] | ServiceError): string[] {
  if (Array.isArray(answer)) return answer
  throw answer
}

const key = newKey()
const csr = createRequest(key, ID)

t.test('a token buys one certificate, which renews itself', async (t) => {
  const bench = await Bench.start(t)
  const { ca } = bench
  t.equal(statSync(bench.socket).mode & 0o777, 0o600)
  const chain = chainOf(await bench.ask(ca.rootsPem, csr, { token: ca.issueToken(OWNER) }))
  t.equal(chain.length, 2)
  t.equal(chain[1], ca.rootsPem)
  const leaf = new X509Certificate(chain[0] ?? '')
  t.ok(leaf.checkPrivateKey(createPrivateKey(keyPem(key))))
  t.same(
    ca.certificates().items.map((item) => [item.pod, item.spiffeId, item.issued]),
    [['frontend-0', ID, 1]],
  )

  const shown = { key: keyPem(key), cert: chain[0] ?? '' }
  const nextKey = newKey()
  const next = chainOf(await bench.ask(ca.rootsPem, createRequest(nextKey, ID), { shown }))
  t.not(next[0], chain[0])
  t.ok(
    Array.isArray(await bench.ask(ca.rootsPem, csr, { shown })),
    'the one before still renews: an answer may be lost',
  )
  t.equal(ca.certificates().items[0]?.issued, 3, 'all three are the same pod’s')

  await ca.close()
  const again = await bench.open()
  t.same(again.certificates(), ca.certificates(), 'a restart knows all of it')
})

t.test('what is in a certificate', async (t) => {
  const bench = await Bench.start(t)
  const { ca } = bench
  const [pem = '', rootPem = ''] = chainOf(
    await bench.ask(ca.rootsPem, csr, { token: ca.issueToken(OWNER), validityDuration: 3600 }),
  )
  const parsed = parseCertificate(parsePem(pem)?.[0]?.der ?? Buffer.alloc(0))
  if (!parsed.ok) return t.fail(parsed.reason)
  const { fields } = parsed
  const now = bench.clock.nowEpochMs()
  t.equal(fields.version, 3)
  t.equal(fields.serialHex.length, 32, '16 bytes')
  t.ok(fields.subjectEmpty)
  t.same(fields.subjectAltName, { critical: true, uris: [ID], others: 0 })
  t.same(fields.keyUsage, { critical: true, digitalSignature: true, keyCertSign: false, cRLSign: false })
  t.same(fields.extendedKeyUsage, ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'])
  t.ok(fields.extensions.includes('2.5.29.14') && fields.extensions.includes('2.5.29.35'), 'key identifiers')
  t.equal(fields.notBeforeEpochMs, Math.floor(now / 1000) * 1000 - 120_000)
  t.equal(fields.notAfterEpochMs, Math.floor(now / 1000) * 1000 + 3_600_000)

  if (!requireTool(t, OPENSSL)) return undefined
  writeFileSync(join(bench.dir, 'leaf.pem'), pem)
  writeFileSync(join(bench.dir, 'root.pem'), rootPem)
  for (const purpose of ['sslserver', 'sslclient']) {
    const args = ['verify', '-x509_strict', '-check_ss_sig', '-purpose', purpose, '-CAfile', 'root.pem', 'leaf.pem']
    t.match(execFileSync(OPENSSL, args, { cwd: bench.dir, encoding: 'utf8' }), /leaf\.pem: OK/, `openssl, ${purpose}`)
  }
  return undefined
})

t.test('who is refused, and how', async (t) => {
  const bench = await Bench.start(t)
  const { ca, clock } = bench
  const rootsPem = ca.rootsPem
  const used = ca.issueToken(OWNER)
  const [first = ''] = chainOf(await bench.ask(rootsPem, csr, { token: used }))
  const mine = { key: keyPem(key), cert: first }
  const stranger = newKey()
  const strangers = mintRoot('stranger')
  const foreign = mint({ key: stranger, issuer: strangers, extensions: leafExtensions(ID) })
  const selfSigned = mint({ key: stranger, extensions: leafExtensions(ID) })
  const server = ca.issueForServer(ca.serverId)
  const fresh = (pod: string) => ca.issueToken({ ...OWNER, pod })
  const neighbour = 'spiffe://cluster.local/ns/default/sa/checkout'
  const neighbourKey = newKey()
  const neighbourToken = ca.issueToken({ pod: 'checkout-0', namespace: 'default', serviceAccount: 'checkout' })
  chainOf(await bench.ask(rootsPem, createRequest(neighbourKey, neighbour), { token: neighbourToken }))

  type Proof = Parameters<Bench['ask']>[2]
  const rows: [string, string, Proof, number, RegExp][] = [
    ['nobody', csr, {}, status.UNAUTHENTICATED, /no_credentials/],
    ['a used token', csr, { token: used }, status.PERMISSION_DENIED, /replayed_token/],
    ['a used token beside a good certificate', csr, { token: used, shown: mine }, status.PERMISSION_DENIED, /replayed/],
    [
      'an unknown token',
      csr,
      { token: `${'A'.repeat(16)}.${'A'.repeat(43)}` },
      status.UNAUTHENTICATED,
      /unknown_token/,
    ],
    [
      'a known ID with another secret',
      csr,
      { token: `${fresh('p1').slice(0, 17)}${'A'.repeat(43)}` },
      status.UNAUTHENTICATED,
      /unknown_token/,
    ],
    ['a token cut short', csr, { token: fresh('p2').slice(0, -1) }, status.UNAUTHENTICATED, /unknown_token/],
    ['an empty token', csr, { token: '' }, status.UNAUTHENTICATED, /unknown_token|no_credentials/],
    [
      'a token for another ID',
      createRequest(stranger, neighbour),
      { token: fresh('p3') },
      status.PERMISSION_DENIED,
      /other_identity/,
    ],
    [
      "a token for the control plane's ID",
      createRequest(stranger, ca.serverId),
      { token: fresh('p4') },
      status.PERMISSION_DENIED,
      /other_identity/,
    ],
    [
      'a certificate for another ID',
      createRequest(stranger, neighbour),
      { shown: mine },
      status.PERMISSION_DENIED,
      /other_identity/,
    ],
    [
      'a certificate of another root',
      csr,
      { shown: { key: keyPem(stranger), cert: toPem('CERTIFICATE', foreign) } },
      status.UNAUTHENTICATED,
      /no_credentials/,
    ],
    [
      'a certificate signed by itself',
      csr,
      { shown: { key: keyPem(stranger), cert: toPem('CERTIFICATE', selfSigned) } },
      status.UNAUTHENTICATED,
      /no_credentials/,
    ],
    [
      "the control plane's certificate",
      createRequest(stranger, ca.serverId),
      { shown: { key: server.keyPem, cert: server.certChainPem } },
      status.PERMISSION_DENIED,
      /not_a_workload/,
    ],
    ['a life too long', csr, { token: fresh('p5'), validityDuration: 86_401 }, status.INVALID_ARGUMENT, /too_long/],
    [
      'a neighbour’s key',
      requestPem(mintRequest(ID, { key: neighbourKey })),
      { token: fresh('p6') },
      status.PERMISSION_DENIED,
      /key_in_use/,
    ],
    [
      "the control plane's key",
      createRequest(createPrivateKey(server.keyPem), ID),
      { token: fresh('p7') },
      status.PERMISSION_DENIED,
      /key_in_use/,
    ],
    ['no request', '', { token: fresh('p8') }, status.INVALID_ARGUMENT, /not_one_request/],
    ['a huge request', 'x'.repeat(100_000), { token: fresh('p9') }, status.RESOURCE_EXHAUSTED, /larger/],
  ]
  const before = ca.certificates()
  for (const [name, request, proof, code, message] of rows) {
    const answer = await bench.ask(rootsPem, request, proof)
    if (Array.isArray(answer)) t.fail(`${name} was given a certificate`)
    else {
      t.equal(answer.code, code, `${name}: ${answer.details}`)
      t.match(answer.details, message)
    }
  }
  t.same(ca.certificates(), before, 'nothing was issued')

  const late = fresh('late')
  clock.jumpWall(600_000)
  t.match(
    await bench.ask(rootsPem, csr, { token: late }),
    { code: status.UNAUTHENTICATED },
    'a token after ten minutes',
  )
  clock.jumpWall(86_400_000)
  t.match(
    await bench.ask(rootsPem, csr, { shown: mine }),
    { code: status.UNAUTHENTICATED, details: /untrusted_certificate: the certificate has expired/ },
    'a certificate after its life, whatever OpenSSL’s clock says',
  )
  t.throws(() => ca.issueToken({ pod: 'x', namespace: 'istio-system', serviceAccount: 'istiod' }), /own identity/)
  t.throws(() => ca.issueToken({ pod: 'x', namespace: 'a/b', serviceAccount: 'x' }), /not a SPIFFE ID/)
})

t.test('a token is good once, also for two at the same time and over a restart', async (t) => {
  const bench = await Bench.start(t)
  const { ca } = bench
  const token = ca.issueToken(OWNER)
  const both = await Promise.all([bench.ask(ca.rootsPem, csr, { token }), bench.ask(ca.rootsPem, csr, { token })])
  t.equal(both.filter((answer) => Array.isArray(answer)).length, 1)
  const kept = ca.issueToken({ ...OWNER, pod: 'frontend-1' })
  await ca.close()
  const again = await bench.open()
  t.match(again.callerOfToken(token), { ok: false, refusal: 'replayed_token' })
  t.match(again.callerOfToken(kept), { ok: true, caller: { spiffeId: ID, pod: 'frontend-1' } })
  t.notMatch(JSON.stringify(bench.store.list('')), token.slice(17), 'the store holds no secret')
})

t.test('a pod that asks all the time is slowed down, its neighbour of the same identity is not', async (t) => {
  const bench = await Bench.start(t)
  const { ca, clock } = bench
  const certificate = async (pod: string): Promise<boolean> =>
    (await ca.issue({ spiffeId: ID, pod, namespace: 'default' }, csr, 0)).ok
  const burst: boolean[] = []
  for (let i = 0; i < 10; i++) burst.push(await certificate('frontend-0'))
  t.equal(burst.filter(Boolean).length, 5)
  t.ok(await certificate('frontend-1'))
  await clock.advance(1000, () => undefined)
  t.ok(await certificate('frontend-0'))
  t.notOk(await certificate('frontend-0'))
})

t.test('certificates never outlive the root, nor begin before it', async (t) => {
  const bench = await Bench.start(t)
  const { ca, clock } = bench
  const root = ca.certificates().root
  clock.jumpWall(Date.parse(root.notAfter) - clock.nowEpochMs() - 3_600_000)
  const verdict = await ca.issue({ spiffeId: ID, pod: 'p', namespace: 'default' }, csr, 0)
  t.equal(verdict.ok && new Date(verdict.notAfterEpochMs).toISOString(), root.notAfter)
})

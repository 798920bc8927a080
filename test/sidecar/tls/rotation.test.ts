/** A sidecar's identity over time: a simulated year, outages, clocks that jump, restarts, and real rotation under load. */
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, unlinkSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { CertificateAuthority } from '../../../src/control/ca/ca.ts'
import { serverCredentials } from '../../../src/control/ca/server-credentials.ts'
import { startCaServer } from '../../../src/control/ca/server.ts'
import { MemoryStore } from '../../../src/control/store/memory.ts'
import { parsePem } from '../../../src/identity/pem.ts'
import { type Clock, systemClock } from '../../../src/lib/clock.ts'
import { TlsAcceptor } from '../../../src/sidecar/tls/acceptor.ts'
import { CaError, type CertificateIssuer, type IssueRequest } from '../../../src/sidecar/tls/issuer.ts'
import { CredentialManager, type CredentialManagerOptions } from '../../../src/sidecar/tls/credential.ts'
import { dialTls } from '../../../src/sidecar/tls/dial.ts'
import { JumpClock } from '../../helpers/jump-clock.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const log = pino({ level: 'silent' })
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** The CA without the wire. */
class DirectIssuer implements CertificateIssuer {
  readonly ca: CertificateAuthority
  away = false
  asked = 0
  pending = 0

  constructor(ca: CertificateAuthority) {
    this.ca = ca
  }

  async issue({ csrPem, token, credential }: IssueRequest): Promise<string[]> {
    this.asked++
    this.pending++
    try {
      if (this.away) throw new CaError('nobody answers', false)
      const der = parsePem(credential?.certChainPem ?? '')?.[0]?.der ?? Buffer.alloc(0)
      const who = token === undefined ? this.ca.callerOfCertificate(der) : this.ca.callerOfToken(token)
      const answer = who.ok ? await this.ca.issue(who.caller, csrPem, 0) : who
      if (!answer.ok) throw new CaError(`${answer.refusal}: ${answer.reason}`, true)
      return answer.certChain
    } finally {
      this.pending--
    }
  }
}

interface Mesh {
  dir: string
  ca: CertificateAuthority
  /** Options of a sidecar, with a fresh token where wanted. */
  sidecar: (account: string, token: boolean) => CredentialManagerOptions
}

async function mesh(t: Test, clock: Clock, ttlMs: number): Promise<Mesh> {
  const dir = mkdtempSync(join(tmpdir(), 'pm-rot-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const authority = { dir: join(dir, 'ca'), store: new MemoryStore(), trustDomain: 'cluster.local' }
  const ca = await CertificateAuthority.open({ ...authority, defaultTtlMs: ttlMs, maxTtlMs: DAY_MS, clock, log })
  return {
    dir,
    ca,
    sidecar: (account, token) => {
      const podDir = join(dir, account)
      mkdirSync(podDir, { recursive: true, mode: 0o700 })
      const tokenFile = join(podDir, 'token')
      if (token)
        writeFileSync(tokenFile, ca.issueToken({ pod: `${account}-0`, namespace: 'default', serviceAccount: account }))
      return {
        spiffeId: `spiffe://cluster.local/ns/default/sa/${account}`,
        trustDomain: 'cluster.local',
        podDir,
        caSocket: join(dir, 'ca.sock'),
        rootCertFile: join(dir, 'ca', 'root-cert.pem'),
        tokenFile,
        clock,
        log,
      }
    },
  }
}

interface Simulation {
  clock: JumpClock
  issuer: DirectIssuer
  manager: CredentialManager
  refused: CaError[]
  options: CredentialManagerOptions
  ca: CertificateAuthority
  advance(ms: number): Promise<void>
  /** ms without a valid certificate, seen at timers. */
  gaps: number
}

async function simulation(t: Test): Promise<Simulation> {
  const clock = new JumpClock()
  const { ca, sidecar } = await mesh(t, clock, DAY_MS)
  const issuer = new DirectIssuer(ca)
  const refused: CaError[] = []
  const options = { ...sidecar('frontend', true), issuer, onRefused: (error: CaError) => refused.push(error) }
  const manager = new CredentialManager(options)
  await manager.start()
  const simulation = { clock, issuer, manager, refused, options, ca, gaps: 0 }
  const answered = async (): Promise<void> => {
    while (issuer.pending > 0) await turn()
    await turn()
  }
  let asked = issuer.asked
  const settle = (): Promise<void> | undefined => {
    if (manager.current() === undefined) simulation.gaps++
    if (issuer.asked === asked) return undefined
    asked = issuer.asked
    return answered()
  }
  t.teardown(() => manager.close())
  return Object.assign(simulation, {
    async advance(ms: number): Promise<void> {
      await turn()
      await clock.advance(ms, settle)
      await turn()
    },
  })
}

t.test('a year: two certificates a day, never a moment without one, no busy timer', async (t) => {
  const sim = await simulation(t)
  const serials = new Set<string>()
  sim.manager.onChange((credential) => serials.add(credential.serial))
  await sim.advance(365 * DAY_MS)
  t.ok(serials.size > 660 && serials.size < 815, `${serials.size} certificates`)
  t.equal(sim.gaps, 0)
  t.equal(sim.issuer.asked, serials.size + 1, 'none was asked for in vain')
  t.equal(sim.ca.certificates().items[0]?.issued, serials.size + 1)
  t.ok(sim.clock.fired < 1.1 * ((365 * DAY_MS) / 30_000), `${sim.clock.fired} timers`)
  t.same(readdirSync(join(sim.options.podDir, 'certs')).length, 2, 'one generation on disk, and the link to it')
})

t.test("the control plane's own certificate is renewed at half of its life, and as the wall clock says", async (t) => {
  const clock = new JumpClock()
  const { ca } = await mesh(t, clock, DAY_MS)
  const server = serverCredentials({ ca, requireClientCertificate: true })
  const seen = new Set<string>()
  server.credentials._addWatcher((options) => seen.add(String(options?.cert)))
  await clock.advance(10 * DAY_MS, () => undefined)
  t.ok(seen.size >= 19 && seen.size <= 20, `${seen.size} in ten days`)
  const before = seen.size
  clock.jumpWall(13 * HOUR_MS)
  await clock.advance(30_000, () => undefined)
  t.equal(seen.size, before + 1)
  server.close()
  await clock.advance(10 * DAY_MS, () => undefined)
  t.equal(seen.size, before + 1, 'no more after close')
})

t.test(
  'a CA away for most of a life is not noticed; away for longer, there is no certificate, and then a new one',
  async (t) => {
    const sim = await simulation(t)
    sim.issuer.away = true
    await sim.advance(0.95 * DAY_MS)
    t.equal(sim.gaps, 0)
    t.ok(sim.issuer.asked > 100, `${sim.issuer.asked} attempts`)
    t.match(sim.manager.describe(), { valid: true, lastError: 'nobody answers' })
    sim.issuer.away = false
    await sim.advance(60_000)
    t.match(sim.manager.describe(), { valid: true, lastError: null, generation: 2 })

    sim.issuer.away = true
    await sim.advance(1.1 * DAY_MS)
    t.equal(sim.manager.current(), undefined, 'an expired certificate is not used')
    t.match(sim.manager.describe(), { valid: false })
    t.same(sim.refused, [], 'nobody answered, so nothing was refused')
    sim.issuer.away = false
    await sim.advance(60_000)
    t.ok(sim.refused.length > 0, 'the CA does not renew what has expired: its owner is told')
    const token = sim.ca.issueToken({ pod: 'frontend-0', namespace: 'default', serviceAccount: 'frontend' })
    writeFileSync(sim.options.tokenFile, token)
    await sim.advance(60_000)
    t.match(sim.manager.describe(), { valid: true, generation: 3 }, 'a new token heals it')
  },
)

t.test(
  'when the wall clock leaps forward, renewal follows within 30 s; when it goes back, nothing spins',
  async (t) => {
    const sim = await simulation(t)
    sim.clock.jumpWall(13.5 * HOUR_MS)
    await sim.advance(30_000)
    t.match(sim.manager.describe(), { generation: 2, valid: true })
    const { fired } = sim.clock
    sim.clock.jumpWall(-600_000)
    await sim.advance(HOUR_MS)
    t.ok(sim.clock.fired - fired <= 121, `${sim.clock.fired - fired} timers in an hour`)
    t.match(sim.manager.describe(), { generation: 2, valid: true })
  },
)

t.test('a restarted sidecar serves with what is on disk while the CA is away', async (t) => {
  const sim = await simulation(t)
  const { options, clock } = sim
  const serial = sim.manager.current()?.serial
  sim.manager.close()
  sim.issuer.away = true
  clock.jumpWall(0.7 * DAY_MS)
  const restarted = new CredentialManager(options)
  await restarted.start()
  t.equal(restarted.current()?.serial, serial, 'at once')
  sim.issuer.away = false
  await clock.advance(30_000, turn)
  t.not(restarted.current()?.serial, serial, 'and it is past half of its life, so a new one follows')
  restarted.close()

  const certs = join(options.podDir, 'certs')
  const key = join(certs, 'current', 'key.pem')
  t.equal(statSync(key).mode & 0o777, 0o600)
  t.equal(statSync(certs).mode & 0o777, 0o700)
  t.notOk(readdirSync(options.podDir).includes('token'), 'the token is gone')
  const rows: [string, () => Partial<CredentialManagerOptions>][] = [
    ['another identity', () => ({ spiffeId: 'spiffe://cluster.local/ns/default/sa/checkout' })],
    ['a key that others may read', () => (chmodSync(key, 0o644), {})],
    ['another key', () => (chmodSync(key, 0o600), writeFileSync(key, 'x'), {})],
    ['no key', () => (unlinkSync(key), {})],
  ]
  for (const [name, spoil] of rows) {
    const manager = new CredentialManager({ ...options, ...spoil() })
    await t.rejects(manager.start(), { code: 'CA', refused: true }, name)
    manager.close()
  }
})

t.test('an expired pair on disk is not used, and a used token does not help', async (t) => {
  const sim = await simulation(t)
  sim.manager.close()
  const used = sim.ca.issueToken({ pod: 'x', namespace: 'default', serviceAccount: 'frontend' })
  const first = new CredentialManager({ ...sim.options, podDir: join(sim.options.podDir, 'other') })
  writeFileSync(sim.options.tokenFile, used)
  await first.start()
  first.close()
  sim.clock.jumpWall(DAY_MS + 1000)
  await t.rejects(new CredentialManager(sim.options).start(), { refused: true, message: /no valid certificate/ })
  sim.clock.jumpWall(-DAY_MS)
  rmSync(join(sim.options.podDir, 'certs'), { recursive: true })
  writeFileSync(sim.options.tokenFile, used)
  await t.rejects(new CredentialManager(sim.options).start(), { refused: true, message: /replayed_token/ })
})

/** Sends a line and gets it back. */
function echo(socket: TLSSocket, line: string): Promise<string> {
  return new Promise((resolve) => {
    const closed = (): void => resolve('closed')
    socket.once('data', (chunk) => {
      socket.off('close', closed)
      resolve(chunk.toString())
    })
    socket.once('close', closed)
    socket.write(line)
  })
}

t.test('certificates rotate under load, over the real CA socket: no connection is dropped or refused', async (t) => {
  const { ca, dir, sidecar } = await mesh(t, systemClock, 3000)
  const caServer = await startCaServer({ ca, socket: join(dir, 'ca.sock'), log })
  const server = new CredentialManager(sidecar('checkout', true))
  const client = new CredentialManager(sidecar('frontend', true))
  await Promise.all([server.start(), client.start()])
  const acceptor = new TlsAcceptor({ credentials: server, alpn: ['istio'], requireClientCertificate: true })
  const refused: string[] = []
  const callers = new Set<string>()
  const listener = net.createServer((raw) => {
    raw.on('error', () => undefined)
    acceptor.accept(raw, null, (error, socket, peer) => {
      if (error !== null) refused.push(error.message)
      callers.add(peer?.spiffeId ?? '')
      socket?.pipe(socket)
    })
  })
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  const { port } = listener.address() as net.AddressInfo
  t.teardown(async () => {
    server.close()
    client.close()
    acceptor.close()
    listener.close()
    await caServer.close()
  })
  const allowedIds = new Set(['spiffe://cluster.local/ns/default/sa/checkout'])
  const connect = (): Promise<TLSSocket> =>
    new Promise((resolve, reject) => {
      const options = {
        credentials: client,
        sni: 'outbound_.80_._.checkout',
        alpn: ['istio'],
        allowedIds,
        timeoutMs: 5000,
      }
      dialTls({ host: '127.0.0.1', port }, options, (error, socket) =>
        socket === null ? reject(error) : resolve(socket),
      )
    })
  const long = await connect()
  let short = 0
  const rotations = (manager: CredentialManager): number => (manager.describe()?.issued ?? 0) - 1
  while (rotations(server) < 2 || rotations(client) < 2) {
    const socket = await connect()
    if ((await echo(socket, `short ${short}`)) !== `short ${short}`) return t.fail('a short connection broke')
    socket.destroy()
    short++
    if ((await echo(long, `long ${short}`)) !== `long ${short}`) return t.fail('the long connection broke')
  }
  long.destroy()
  t.same(refused, [])
  t.same([...callers], ['spiffe://cluster.local/ns/default/sa/frontend'])
  t.ok(short > 10, `${short} connections`)
  const issued = ca.certificates().items.map((item) => [item.pod, item.issued >= 3])
  t.same(issued, [
    ['checkout-0', true],
    ['frontend-0', true],
  ])
  return undefined
})

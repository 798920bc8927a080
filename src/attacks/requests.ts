/**
 * Attacks by request: what a program may send anyway, to where it may send it. user-db's policy must refuse the frontend
 * by its certificate, whatever the bytes say. Both modes promise all of them.
 */
import { anyOf, skipped, type Attack, type Outcome } from './attack.ts'
import type { Facts } from './facts.ts'
import { httpText, judged, talk, type HttpRequest } from './talk.ts'

const CRLF = '\r\n'

function ask(facts: Facts, host: string, port: number, request: HttpRequest, what = ''): () => Promise<Outcome> {
  return async () => judged(await talk({ host, port }, { first: httpText(request) }), facts.secret, what)
}

/** As user-db's own callers reach it, with these fields added. */
function withHeaders(facts: Facts, ...sets: string[][]): Promise<Outcome> {
  const { service, port } = facts.userDb
  return anyOf(sets.map((headers) => ask(facts, service, port, { host: service, headers })))
}

function byName(facts: Facts): Promise<Outcome> {
  const { service, port } = facts.userDb
  const names = [service, `${service}.default`, `${service}.default.svc`, `${service}.default.svc.cluster.local`]
  return anyOf(names.map((name) => ask(facts, name, port, { host: `${name}:${port}` })))
}

function byVirtualAddress(facts: Facts): Promise<Outcome> {
  const { virtual, port } = facts.userDb
  const v4 = virtual.filter((address) => !address.includes(':'))
  return anyOf(v4.map((host) => ask(facts, host, port, { host: `${host}:${port}` })))
}

function byVirtualAddress6(facts: Facts): Promise<Outcome> {
  const { virtual, port } = facts.userDb
  const v6 = virtual.filter((address) => address.includes(':'))
  return anyOf(v6.map((host) => ask(facts, host, port, { host: `[${host}]:${port}` })))
}

function forgedClientCert(facts: Facts): Promise<Outcome> {
  const { principal } = facts.payment
  const cert = (form: string): string[] => [`x-forwarded-client-cert: ${form}`]
  return withHeaders(
    facts,
    cert(`By=spiffe://${facts.userDb.principal};Hash=00;Subject="";URI=spiffe://${principal}`),
    cert(`URI=spiffe://${principal},URI=spiffe://${principal}`),
  )
}

function forgedPeerMetadata(facts: Facts): Promise<Outcome> {
  const { payment } = facts
  const metadata = Buffer.from(JSON.stringify({ NAME: payment.pod, WORKLOAD_NAME: payment.workload })).toString(
    'base64',
  )
  const id = `sidecar~${payment.address}~${payment.pod}.default~default.svc.cluster.local`
  return withHeaders(
    facts,
    [`x-envoy-peer-metadata: ${metadata}`, `x-envoy-peer-metadata-id: ${id}`],
    ['x-envoy-internal: true', 'x-envoy-original-path: /version', `x-envoy-downstream-service-node: ${id}`],
  )
}

function forgedAddress(facts: Facts): Promise<Outcome> {
  const { address } = facts.payment
  return withHeaders(
    facts,
    [`x-forwarded-for: ${address}`, `x-real-ip: ${address}`],
    [`forwarded: for=${address};by=127.0.0.1`, `x-envoy-external-address: ${address}`, 'x-forwarded-for: 127.0.0.1'],
  )
}

function hostGames(facts: Facts): Promise<Outcome> {
  const { userDb, payment } = facts
  const hosts = [
    userDb.service.toUpperCase(),
    `${userDb.service}.`,
    `${userDb.service}:80`,
    `${userDb.service}:${userDb.port}:${userDb.port}`,
    payment.service,
    `inbound|${userDb.appPort}||`,
    '',
  ]
  const two = httpText({ host: payment.service, headers: [`host: ${userDb.service}`] })
  return anyOf([
    ...hosts.map((host) => ask(facts, userDb.service, userDb.port, { host })),
    ask(facts, payment.service, payment.port, { host: userDb.service }),
    ask(facts, payment.service, payment.port, { host: `${userDb.service}:${userDb.port}` }),
    async () => judged(await talk({ host: userDb.service, port: userDb.port }, { first: two }), facts.secret),
  ])
}

function absoluteForm(facts: Facts): Promise<Outcome> {
  const { userDb, payment, allowed } = facts
  const targets = [userDb.service, userDb.address, ...userDb.virtual.filter((address) => !address.includes(':'))]
  return anyOf(
    [userDb, payment, { service: allowed.name, port: allowed.port }].flatMap(({ service, port }) =>
      targets.map((target) =>
        ask(facts, service, port, { path: `http://${target}:${userDb.port}/users?id=1`, host: service }),
      ),
    ),
  )
}

/** A second request hidden in the first one's body, sent where the first is allowed. */
function smuggling(facts: Facts): Promise<Outcome> {
  const { userDb, payment, allowed } = facts
  const hidden = (service: string): string =>
    `GET /users?id=1 HTTP/1.1${CRLF}host: ${service}:${userDb.port}${CRLF}connection: close${CRLF}${CRLF}`
  const head = (name: string, fields: string[], body: string): string =>
    ['POST /version HTTP/1.1', `host: ${name}`, ...fields, '', body].join(CRLF)
  return anyOf(
    [
      { name: allowed.name, port: allowed.port },
      { name: payment.service, port: payment.port },
    ].flatMap(({ name, port }) => {
      const inner = hidden(userDb.service)
      const chunked = 'transfer-encoding: chunked'
      const length = `content-length: ${inner.length}`
      const streams = [
        head(name, [length, chunked], `0${CRLF}${CRLF}${inner}`),
        head(name, ['content-length: 4', chunked], `${inner.length.toString(16)}${CRLF}${inner}${CRLF}0${CRLF}${CRLF}`),
        head(name, ['content-length: 0', length], inner),
        head(name, ['transfer-encoding: xchunked', length], inner),
        head(name, ['transfer-encoding : chunked', length], inner),
        head(name, [`content-length: +${inner.length}`], inner),
        head(name, ['content-length: 0', '', inner], ''),
        `GET /version HTTP/1.1\nhost: ${name}\n\n${inner}`,
        `GET /version HTTP/1.1${CRLF}host: ${name}\r${inner}${CRLF}${CRLF}`,
        `GET /version HTTP/1.1${CRLF}host: ${name}${CRLF}x: y\r\n\r\n${inner}`,
      ]
      return streams.map((first) => async () => judged(await talk({ host: name, port }, { first }), facts.secret))
    }),
  )
}

/** A connection that has changed its protocol is no longer looked into: on an allowed one, ask for what is not. */
function upgrade(facts: Facts): Promise<Outcome> {
  const { userDb, payment, allowed } = facts
  const inner = httpText({ host: `${userDb.service}:${userDb.port}` })
  const offers = [
    [
      'connection: upgrade',
      'upgrade: websocket',
      'sec-websocket-version: 13',
      'sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==',
    ],
    ['connection: upgrade, http2-settings', 'upgrade: h2c', 'http2-settings: AAMAAABkAAQAAP__'],
  ]
  return anyOf(
    [allowed.name, payment.service].flatMap((name) =>
      offers.map((fields) => async () => {
        const first = ['GET /version HTTP/1.1', `host: ${name}`, ...fields, '', inner].join(CRLF)
        return judged(await talk({ host: name, port: allowed.port }, { first }), facts.secret)
      }),
    ),
  )
}

/** The sidecar as a proxy for other places than those it was asked at. */
function connectMethod(facts: Facts): Promise<Outcome> {
  const { userDb, allowed, own } = facts
  const doors = [
    { host: allowed.name, port: allowed.port },
    { host: userDb.service, port: userDb.port },
    ...(own.httpProxyPort === undefined ? [] : [{ host: '127.0.0.1', port: own.httpProxyPort }]),
  ]
  const targets = [`${userDb.service}:${userDb.port}`, `${userDb.virtual[0]}:${userDb.port}`]
  return anyOf(
    doors.flatMap((door) =>
      targets.map((target) => async () => {
        const first = `CONNECT ${target} HTTP/1.1${CRLF}host: ${target}${CRLF}${CRLF}${httpText({ host: target })}`
        return judged(await talk(door, { first }), facts.secret)
      }),
    ),
  )
}

/** Payment may ask user-db: can it be made to, for the frontend? */
async function borrowedHands(facts: Facts): Promise<Outcome> {
  const { userDb, payment } = facts
  const url = `http://${userDb.service}:${userDb.port}/users?id=1`
  if (payment.service === '') return skipped('there is no payment')
  const fields = ['x-original-url', 'x-rewrite-url', 'x-forwarded-host', 'x-envoy-original-dst-host', 'x-host']
  return anyOf([
    ...fields.map((field) =>
      ask(facts, payment.service, payment.port, {
        host: payment.service,
        path: '/echo',
        headers: [`${field}: ${url}`],
      }),
    ),
    ask(facts, payment.service, payment.port, { host: payment.service, path: '//user-db-service:9090/users?id=1' }),
    ask(facts, payment.service, payment.port, { host: payment.service, path: `/..%2f..%2fusers?id=1` }),
  ])
}

export const REQUESTS: readonly Attack[] = [
  { name: 'by-name', tries: 'GET to user-db by its names', env: true, run: byName },
  { name: 'by-virtual-address', tries: 'GET to its virtual address', env: true, run: byVirtualAddress },
  { name: 'by-virtual-address-6', tries: 'the same over IPv6', env: true, run: byVirtualAddress6 },
  { name: 'forged-client-cert', tries: 'x-forwarded-client-cert of payment', env: true, run: forgedClientCert },
  { name: 'forged-peer-metadata', tries: 'x-envoy-peer-metadata of payment', env: true, run: forgedPeerMetadata },
  { name: 'forged-address', tries: 'x-forwarded-for, forwarded: payment', env: true, run: forgedAddress },
  { name: 'host-games', tries: 'Host: other cases, dots, ports, services', env: true, run: hostGames },
  { name: 'absolute-form', tries: 'GET http://user-db... sent to others', env: true, run: absoluteForm },
  { name: 'smuggling', tries: 'a second request in a body', env: true, run: smuggling },
  { name: 'upgrade', tries: 'WebSocket and h2c, then user-db', env: true, run: upgrade },
  { name: 'connect-method', tries: 'CONNECT user-db through the sidecar', env: true, run: connectMethod },
  { name: 'borrowed-hands', tries: 'payment as a proxy, by fields and paths', env: true, run: borrowedHands },
]

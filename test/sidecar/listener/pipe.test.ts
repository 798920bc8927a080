/** Listeners on UNIX sockets: their files, and the PROXY headers that connections begin with. */
import { existsSync, linkSync, lstatSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { TimerWheel } from '../../../src/lib/timer-wheel.ts'
import { encodeProxyHeader } from '../../../src/sidecar/codec/proxy-v2.ts'
import { readProxyHeader } from '../../../src/sidecar/listener/proxy-header.ts'
import type { envoy } from '../../../src/xds/generated/xds.js'
import { EXTENSION, pack } from '../../../src/xds/type-urls.ts'
import {
  createPlane,
  httpChain,
  listen,
  type Plane,
  routes,
  staticCluster,
  tcpListener,
  type XdsListener,
} from '../../helpers/data-plane.ts'
import { ManualClock } from '../../helpers/manual-clock.ts'
import { exchange, pipe, piped, socketFolder } from './pipes.ts'

async function plane(t: Test): Promise<Plane> {
  const made = createPlane()
  const echo = net.createServer({ allowHalfOpen: true }, (socket) => socket.on('error', () => {}).pipe(socket))
  made.plane.setClusters([staticCluster('echo', await listen(echo))])
  t.teardown(async () => {
    await made.plane.drain(0)
    echo.close()
  })
  return made
}

const CALLER = { host: '10.244.0.7', port: 41_000 }
const HEADER = encodeProxyHeader(CALLER, { host: '240.240.0.5', port: 8080 })
const LOCAL = Buffer.from(HEADER.map((byte, i) => (i === 12 ? 0x20 : byte)))
const unlistened = async (path: string): Promise<void> => {
  // a killed process leaves its file: bound elsewhere, the name given to nobody
  const server = net.createServer()
  await new Promise<void>((resolve) => server.listen(`${path}.old`, resolve))
  linkSync(`${path}.old`, path)
  await new Promise((resolve) => server.close(resolve))
}

t.test('the header names the caller: whole, byte by byte, with the next bytes; rules by address see it', async (t) => {
  const { plane: p, records } = await plane(t)
  const path = join(socketFolder(t), 'in.sock')
  const ip = (addressPrefix: string, value: number): envoy.config.rbac.v3.Principal => ({
    directRemoteIp: { addressPrefix, prefixLen: { value } },
  })
  const rules = {
    action: 1 as const,
    policies: { far: { principals: [ip('10.9.0.0', 16), ip('fd00:9::', 32)], permissions: [{ any: true }] } },
  }
  const listener = tcpListener('in', 'echo')
  listener.filterChains![0]!.filters!.unshift({ typedConfig: pack(EXTENSION.networkRbac, { rules }) })
  t.same(await p.setListeners([piped(path, listener)]), [])
  t.match(p.listenerStats(), [{ name: 'in', address: path, bound: true, numAddresses: 1 }])
  t.equal(lstatSync(path).mode & 0o777, 0o600)
  t.equal(await exchange({ path }, [HEADER, 'ping'], true), 'ping')
  t.equal(await exchange({ path }, [Buffer.concat([HEADER, Buffer.from('together')])], true), 'together')
  const bytes = Array.from(Buffer.concat([HEADER, Buffer.from('slow')]), (byte) => Buffer.of(byte))
  t.equal(await exchange({ path }, bytes, true), 'slow')
  t.equal(await exchange({ path }, [LOCAL, 'probe'], true), 'probe')
  await records.at(3)
  t.same(
    records.ended.map((x) => x.downstreamRemoteAddress),
    ['10.244.0.7:41000', '10.244.0.7:41000', '10.244.0.7:41000', ''],
  )
  t.equal(records.ended[0]!.downstreamLocalAddress, '240.240.0.5:8080')
  for (const host of ['10.9.1.1', 'fd00:9::1']) {
    const far = encodeProxyHeader({ host, port: 1 }, { host, port: 1 })
    await t.rejects(exchange({ path }, [far, 'x']).then((text) => (text === '' ? Promise.reject(new Error()) : text)))
    t.match(records.last.connectionTerminationDetails, /matched_policy\[far\]/)
  }
})

t.test('no header, half of one, garbage, another version: nothing gets through', async (t) => {
  const { plane: p, records } = await plane(t)
  const path = join(socketFolder(t), 'in.sock')
  t.same(await p.setListeners([piped(path, tcpListener('in', 'echo'))]), [])
  const cut = (at: number, byte: number): Buffer => Buffer.from(HEADER.map((b, i) => (i === at ? byte : b)))
  for (const [bytes, half] of [
    ['GET / HTTP/1.1\r\nHost: a\r\n\r\n', false],
    ['PROXY TCP4 10.244.0.7 240.240.0.5 1 2\r\nhello', false],
    [Buffer.from([0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0]), false],
    [HEADER.subarray(0, 20), true],
    ['', true],
    [cut(11, 0x0b), false],
    [cut(12, 0x31), false],
    [cut(13, 0x31), false],
  ] as const)
    t.equal(await exchange({ path }, [bytes], half).catch(() => ''), '', JSON.stringify(bytes))
  t.equal(records.opened.length, 0, 'nothing was dialled')
  t.equal(await exchange({ path }, [HEADER, 'fine'], true), 'fine')
})

t.test('whoever says nothing, or stops halfway, is cut off after five seconds', async (t) => {
  const clock = new ManualClock()
  const wheel = new TimerWheel(clock)
  const server = net.createServer({ pauseOnConnect: true }, (raw) => {
    readProxyHeader(raw, wheel, () => t.fail('there is no header'))
  })
  const port = await listen(server)
  t.teardown(() => {
    server.close()
    wheel.close()
  })
  for (const bytes of [Buffer.alloc(0), HEADER.subarray(0, 27)]) {
    const accepted = new Promise((resolve) => server.once('connection', resolve))
    const gone = exchange({ port, host: '127.0.0.1' }, [bytes])
    const raw = (await accepted) as net.Socket
    while (raw.bytesRead < bytes.length) await new Promise((resolve) => setImmediate(resolve))
    clock.advance(4000)
    t.notOk(raw.destroyed)
    clock.advance(2000)
    await t.rejects(gone, { code: 'ECONNRESET' })
  }
})

t.test('the inspectors see what comes after the header', async (t) => {
  const { plane: p } = await plane(t)
  const path = join(socketFolder(t), 'in.sock')
  const answer = { match: { prefix: '/' }, directResponse: { status: 200, body: { inlineString: 'http' } } }
  const listener: XdsListener = {
    ...tcpListener('in', 'echo'),
    trafficDirection: 1,
    listenerFilters: [{ name: 'http', typedConfig: pack(EXTENSION.httpInspector, {}) }],
  }
  listener.filterChains!.push(
    httpChain(
      { routeConfig: routes('r', answer), inbound: true },
      { filterChainMatch: { applicationProtocols: ['http/1.1', 'http/1.0'] } },
    ),
  )
  t.same(await p.setListeners([piped(path, listener)]), [])
  t.match(await exchange({ path }, [HEADER, 'GET / HTTP/1.0\r\n\r\n']), /http$/)
  t.equal(await exchange({ path }, [HEADER, 'not so\r\n'], true), 'not so\r\n')
})

t.test('a socket that nobody listens on makes room; what somebody uses, or is no socket, does not', async (t) => {
  const { plane: p } = await plane(t)
  const folder = socketFolder(t)
  const [stale, used, file] = ['stale', 'used', 'file'].map((name) => join(folder, name)) as [string, string, string]
  await unlistened(stale)
  t.ok(lstatSync(stale).isSocket())
  const other = net.createServer((socket) => socket.on('error', () => {}).end('other'))
  await new Promise<void>((resolve) => other.listen(used, resolve))
  t.teardown(() => other.close())
  writeFileSync(file, 'kept')
  const at = (path: string): XdsListener => ({ ...tcpListener(path, 'echo'), address: pipe(path) })
  t.match(await p.setListeners([stale, used, file].map(at)), [
    { name: used, detail: `${used}: somebody listens there` },
    { name: file, detail: `${file}: a file that is no socket is there` },
  ])
  t.equal(await exchange({ path: stale }, ['mine'], true), 'mine')
  t.equal(await exchange({ path: used }, []), 'other')
  t.equal(readFileSync(file, 'utf8'), 'kept')
  t.same(await p.setListeners([]), [])
  t.notOk(existsSync(stale), 'its own file is removed')
  t.ok(existsSync(used))
  t.ok(existsSync(file))
})

t.test('a newer listener at the same path keeps its file when the older one closes', async (t) => {
  const [old, young] = [await plane(t), await plane(t)]
  const path = join(socketFolder(t), 'in.sock')
  const listener: XdsListener = { ...tcpListener('in', 'echo'), address: pipe(path, 0o660) }
  t.same(await old.plane.setListeners([listener]), [])
  t.equal(lstatSync(path).mode & 0o777, 0o660)
  unlinkSync(path) // who clears the folder does not ask
  t.same(await young.plane.setListeners([listener]), [])
  const { ino } = lstatSync(path)
  await old.plane.drain(0)
  t.equal(lstatSync(path).ino, ino)
  t.equal(await exchange({ path }, ['young'], true), 'young')
  await young.plane.drain(0)
  t.notOk(existsSync(path))
})

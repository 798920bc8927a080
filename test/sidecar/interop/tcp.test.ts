/**
 * TCP through two sidecars with mutual TLS between them: half-closes and resets of either side stay what they are, a server
 * may speak first, TLS of a program's own goes through by its server name (openssl), redis where it is installed.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import net, { type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import tls from 'node:tls'
import t, { type Test } from 'tap'
import { hasNoPeer } from '../../../src/sidecar/transport/stream-handle.ts'
import { requireTool } from '../../helpers/tools.ts'
import { bootstrap, cluster, httpListener, makeCertificates, startProxy, TYPE } from '../standalone/rig.ts'
import { listen } from './apps.ts'
import { run } from './peers.ts'
import { startSite, tcpListener, tlsFiles } from './rig.ts'

const SESSIONS = 1000
const AT_ONCE = 50
const host = '127.0.0.1'
const open = (port: number): Socket => net.connect({ port, host, allowHalfOpen: true }).on('error', () => {})

async function textOf(socket: Socket): Promise<string> {
  let text = ''
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) text += String(chunk)
  return text
}

/** How a socket ends: 'end' or the error's code. A reset right behind bytes is told as an end, by libuv. */
async function endOf(socket: Socket): Promise<string> {
  socket.resume()
  return new Promise((resolve) => {
    socket
      .once('end', () => resolve(hasNoPeer(socket) ? 'ECONNRESET' : 'end'))
      .once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''))
  })
}

/** Answers when all of the request has come: its length, and the request. */
async function answerAtEnd(socket: Socket): Promise<void> {
  const text = await textOf(socket)
  socket.end(`${text.length} ${text}`)
}

/** Up to the end of the connection, which is a reset but for `/whole`. */
function cutAnswer(socket: Socket): void {
  socket.once('data', (head) => {
    socket.write('HTTP/1.0 200 OK\r\n\r\npart')
    if (String(head).startsWith('GET /whole')) socket.end()
    else setTimeout(() => socket.resetAndDestroy(), 5)
  })
}

if (requireTool(t, 'openssl')) {
  void t.test('TCP', async (t) => {
    let onServer: (socket: Socket) => void = () => {}
    const server = (handle: (socket: Socket) => void): Promise<number> =>
      listen(
        t,
        net.createServer({ allowHalfOpen: true }, (socket) => handle(socket.on('error', () => {}))),
      )
    const apps = [
      { name: 'half', port: await server((socket) => void answerAtEnd(socket)), speaks: 'tcp' },
      { name: 'greets', port: await server((socket) => void socket.end('220 hello\r\n')), speaks: 'tcp' },
      { name: 'any', port: await server((socket) => onServer(socket)), speaks: 'tcp' },
      { name: 'dead', port: 1, speaks: 'tcp' },
      { name: 'cuts', port: await server(cutAnswer), speaks: 'http1' },
    ] as const
    const redis = await redisPort(t)
    const site = await startSite(t, [
      ...apps,
      ...(redis === null ? [] : [{ name: 'redis', port: redis, speaks: 'tcp' } as const]),
    ])
    const port = (name: string): number => site.port(name, 'two sidecars')

    await t.test('1,000 sessions that close their half first get all of their answer', async (t) => {
      let left = SESSIONS
      const wrong: string[] = []
      const lane = async (): Promise<void> => {
        while (left > 0) {
          const request = `${'r'.repeat((left * 37) % 20_000)}${left--}`
          const socket = open(port('half'))
          socket.end(request)
          const answer = await textOf(socket)
          if (answer !== `${request.length} ${request}`) wrong.push(`${request.length}: ${answer.slice(0, 40)}`)
        }
      }
      await Promise.all(Array.from({ length: AT_ONCE }, lane))
      t.same(wrong, [])
    })

    await t.test('a server that speaks first', async (t) => {
      t.equal(await textOf(open(port('greets'))), '220 hello\r\n')
      t.equal(await endOf(open(port('greets'))), 'end')
    })

    /** A connection through both sidecars, by both of its ends. */
    const pair = async (): Promise<[Socket, Socket]> => {
      const accepted = new Promise<Socket>((resolve) => (onServer = resolve))
      const client = open(port('any'))
      client.write('x')
      const far = await accepted
      await once(far, 'data')
      return [client, far]
    }
    await t.test('a server that closes its half first still reads', async (t) => {
      const [client, far] = await pair()
      far.end('bye')
      t.equal(await textOf(client), 'bye')
      client.end('still here')
      t.equal(await textOf(far), 'still here')
    })
    await t.test('a reset is a reset at the other end, either way', async (t) => {
      const [first, far] = await pair()
      const farEnd = endOf(far)
      first.resetAndDestroy()
      t.equal(await farEnd, 'ECONNRESET')
      const [second, other] = await pair()
      const clientEnd = endOf(second)
      other.resetAndDestroy()
      t.equal(await clientEnd, 'ECONNRESET')
      for (let i = 0; i < 20; i++) {
        const [third, sender] = await pair()
        const lastEnd = endOf(third)
        sender.write('cut')
        sender.resetAndDestroy()
        t.equal(await lastEnd, 'ECONNRESET', 'behind its last bytes')
        t.equal(await endOf(open(port('dead'))), 'ECONNRESET', 'nobody there')
      }
    })
    await t.test('a body that only the end of its connection ends is cut by a reset', async (t) => {
      for (let i = 0; i < 10; i++) {
        const response = await fetch(`http://${host}:${port('cuts')}/`)
        await t.rejects(response.text())
        t.equal(await (await fetch(`http://${host}:${port('cuts')}/whole`)).text(), 'part')
      }
    })
    await t.test('redis', async (t) => {
      if (redis === null || !requireTool(t, 'redis-cli')) return
      const ask = async (...words: string[]): Promise<string> =>
        (await run('redis-cli', ['-p', String(port('redis')), ...words])).out.toString().trim()
      t.equal(await ask('set', 'word', 'mesh'), 'OK')
      t.equal(await ask('get', 'word'), 'mesh')
      const value = 'v'.repeat(1_000_000)
      t.equal((await run('redis-cli', ['-p', String(port('redis')), '-x', 'set', 'big'], Buffer.from(value))).code, 0)
      t.equal(await ask('strlen', 'big'), '1000000')
    })
  })

  void t.test('TLS by its server name, which openssl ends with the program itself', async (t) => {
    const folder = makeCertificates(join(t.testdir({}), 'certs'))
    const port = await listen(
      t,
      tls.createServer(tlsFiles(folder), (socket) =>
        socket.on('error', () => {}).once('data', (chunk) => socket.end(`secret ${chunk}`)),
      ),
    )
    const passthrough = {
      ...httpListener('in', 'app'),
      listener_filters: [{ name: 'inspector', typed_config: { '@type': TYPE.tlsInspector } }],
      filter_chains: tcpListener('in', 'app', { filter_chain_match: { server_names: ['server.example.com'] } })[
        'filter_chains'
      ],
    }
    const { ports } = await startProxy(t, bootstrap([passthrough], [cluster('app', port)]))
    const client = (name: string) =>
      run(
        'openssl',
        [
          ...`s_client -quiet -verify_return_error -connect ${host}:${ports.get('in')} -servername ${name}`.split(' '),
          ...`-verify_hostname server.example.com -CAfile ${join(folder, 'ca.pem')}`.split(' '),
        ],
        Buffer.from('word\n'),
      )
    t.equal((await client('server.example.com')).out.toString(), 'secret word\n')
    t.not((await client('other.example.com')).code, 0, 'no chain is for it')
  })
}

/** A server of its own; `null` where redis is not installed. */
async function redisPort(t: Test): Promise<number | null> {
  if (!requireTool(t, 'redis-server')) return null
  const free = net.createServer().listen(0, host)
  await once(free, 'listening')
  const { port } = free.address() as net.AddressInfo
  free.close()
  const flags = ['--port', String(port), '--bind', host, '--save', '', '--appendonly', 'no']
  const program = 'redis-server'
  const child: ChildProcess = spawn(program, flags, { stdio: 'ignore', cwd: tmpdir() })
  t.teardown(() => void child.kill('SIGKILL'))
  for (;;) {
    const probe = net.connect(port, host)
    const up = await Promise.race([
      once(probe, 'connect').then(
        () => true,
        () => false,
      ),
      once(probe, 'error').then(() => false),
    ])
    probe.destroy()
    if (up) return port
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

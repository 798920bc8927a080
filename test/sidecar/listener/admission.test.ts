/** A proxy that runs out of file descriptors: it keeps some for upstreams, and does not spin. Certificates that end. */
import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t from 'tap'
import { entryCommand } from '../../../src/lib/entry.ts'
import { exchangeBytes, listen } from '../../helpers/data-plane.ts'
import { ManualClock } from '../../helpers/manual-clock.ts'
import { meshPair } from '../../helpers/mesh-pair.ts'
import * as standalone from '../standalone/rig.ts'
import { eventually, get, Wire } from './front.ts'

const LIMIT = 128

/** User and system time, in ticks. */
const cpuTicks = (pid: number): number =>
  readFileSync(`/proc/${pid}/stat`, 'latin1')
    .split(') ')[1]!
    .split(' ')
    .slice(11, 13)
    .map(Number)
    .reduce((a, b) => a + b)

t.test('near its limit of open files', { skip: process.platform !== 'linux' && 'needs /proc' }, async (t) => {
  const appPort = await standalone.startApp(t, (_req, res) => void res.end('ok'))
  const file = join(t.testdir({}), 'proxy.json')
  const config = standalone.bootstrap([standalone.httpListener('in', 'app')], [standalone.cluster('app', appPort)])
  writeFileSync(file, JSON.stringify(config))
  const { command, args } = entryCommand('sidecar')
  const script = `ulimit -n ${LIMIT}; exec "$@"`
  const child = spawn('/bin/sh', ['-c', script, 'sh', command, ...args, '-c', file], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.teardown(() => void child.kill('SIGKILL'))
  let port = 0
  for await (const line of createInterface(child.stdout)) {
    port = Number(/^(?:listener )?in .*:(\d+)$/.exec(line)?.[1] ?? port)
    if (line === 'ready') break
  }
  const wires = Array.from({ length: 2 * LIMIT }, () => new Wire(t, port))
  const open = (): Wire[] => wires.filter((wire) => !wire.ended)
  await eventually(() => open().length <= LIMIT - 32)
  t.ok(open().length > 20, `${open().length} are served`)
  const [first] = open()
  t.match(await first!.send(get('/')).sees(/ok$/), / 200 /, 'upstreams can still be reached')
  const before = cpuTicks(child.pid!)
  for (let i = 0; i < 50; i++) await new Wire(t, port).end()
  t.ok(cpuTicks(child.pid!) - before < 100, 'refusing costs little')
  for (const wire of wires) wire.socket.destroy()
  let text = ''
  while (!text.endsWith('ok')) text = await exchangeBytes(port, get('/', 'Connection: close\r\n')).catch(() => '')
  t.pass('when others have gone, there is room')
})

const DAY_MS = 86_400_000
const LEFT_MS = 60_000

/** A minute before certificates of now, which are good for a day, end; goes on by what the test adds. */
class WallClock extends ManualClock {
  readonly #startEpochMs = Date.now() + DAY_MS - LEFT_MS - this.nowMs()
  override nowEpochMs(): number {
    return this.#startEpochMs + this.nowMs()
  }
}

t.test('a link ends with the certificate of its peer, on both sides', async (t) => {
  for (const side of ['accepting', 'dialling'] as const) {
    const waiting: http.ServerResponse[] = []
    const app = http.createServer((req, res) => void (req.url === '/wait' ? waiting.push(res) : res.end('ok')))
    const appPort = await listen(app)
    const clock = new WallClock()
    const made = await meshPair(appPort, { link: 'auto', [side === 'accepting' ? 'server' : 'client']: { clock } })
    t.teardown(async () => {
      await made.close()
      app.closeAllConnections()
      app.close()
    })
    const wire = new Wire(t, made.port).send(get('/wait'))
    await eventually(() => waiting.length === 1)
    const links = (): number => made.server.plane.listenerStats()[0]!.connections
    t.equal(links(), 1)
    clock.advance(LEFT_MS - 5000)
    t.equal(wire.text, '')
    clock.advance(10_000)
    t.match(await wire.sees(/HTTP\/1\.1 \d+/), / 503 /, side)
    await eventually(() => links() === 0)
  }
})

import t from 'tap'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { applyLoad } from '../../bench/load-tool.ts'
import { NginxPair } from '../../bench/peers/nginx.ts'
import { cpuMs, hasProc, rssMiB } from '../../bench/processes.ts'
import { median, percentile } from '../../bench/report.ts'
import { requireTool } from '../helpers/tools.ts'

const app = createServer((_request, response) => response.end('x'.repeat(1024))).listen(0, '127.0.0.1')
await once(app, 'listening')
const appPort = (app.address() as AddressInfo).port
t.teardown(() => app.close().closeAllConnections())

t.test('two nginx pass a request on through mutual TLS', async (t) => {
  if (!requireTool(t, 'nginx') || !requireTool(t, 'openssl')) return
  const pair = await NginxPair.start(appPort)
  if ('missing' in pair) throw new Error(`missing: ${pair.missing}`)
  t.teardown(() => pair.stop())
  const response = await fetch(pair.url)
  t.equal(response.status, 200)
  t.equal((await response.text()).length, 1024)
  t.equal(pair.pids().length, 2, 'one worker each')
  const load = await applyLoad({ url: pair.url, connections: 4, seconds: 1 })
  t.ok(load.requests > 10, `${load.requests} requests by ${load.tool}`)
  t.equal(load.errors, 0)
  t.ok(load.p50Ms > 0 && load.p50Ms <= load.p99Ms)
})

t.test('a process has CPU time and memory', { skip: hasProc ? false : 'needs /proc' }, async (t) => {
  t.ok(cpuMs([process.pid]) > 0)
  const size = rssMiB(process.pid)
  t.ok(size > 20 && size < 4000, `${size} MiB`)
})

t.test('percentiles are by nearest rank', async (t) => {
  const values = Array.from({ length: 100 }, (_, i) => 100 - i)
  t.same([percentile(values, 0.5), percentile(values, 0.99), percentile([7], 0.99), median([3, 1, 2])], [50, 99, 7, 2])
})

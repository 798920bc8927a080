/** The DNS server on port 53 of a network of its own, and what the C library's resolver makes of it there, as JSON. */
import { execFile } from 'node:child_process'
import { systemClock } from '../../../src/lib/clock.ts'
import { createLog } from '../../../src/lib/log.ts'
import { DnsServer } from '../../../src/sidecar/capture/dns.ts'

const PYTHON = `import socket, sys
print(min(a[4][0] for a in socket.getaddrinfo(sys.argv[1], 80, socket.AF_INET, socket.SOCK_STREAM)))`

const server = new DnsServer({
  address: '127.0.0.1',
  port: 53,
  upstream: undefined,
  mayLeave: () => false,
  clock: systemClock,
  log: createLog('test'),
})
server.setNames(
  new Map([
    ['web.default.svc.cluster.local', ['240.240.0.5', '2001:2::5']],
    ['many.default.svc.cluster.local', Array.from({ length: 60 }, (_, i) => `240.240.1.${i}`)],
  ]),
)
await server.start()
if (server.fault !== '') throw new Error(server.fault)

const found: Record<string, string> = {}
/** The lowest address; '' where there is none. */
async function ask(key: string, command: string, args: string[]): Promise<void> {
  const out = await new Promise<string>((done) => {
    execFile(command, args, (_error, stdout) => done(stdout))
  })
  const addresses = out.split('\n').map((line) => line.split(' ')[0] ?? '')
  found[key] = addresses.filter((address) => address !== '').toSorted()[0] ?? ''
}

for (const [database, name] of [
  ['ahostsv4', 'web'],
  ['ahostsv6', 'web'],
  ['ahostsv4', 'web.default'],
  ['ahostsv4', 'web.default.svc.cluster.local.'],
  ['ahostsv4', 'nobody'],
  ['ahostsv4', 'example.com'],
  ['ahostsv4', 'own-name'],
  ['ahostsv4', 'many'],
] as const)
  await ask(`getent ${database} ${name}`, 'getent', [database, name])
for (const name of ['web', 'many']) await ask(`python3 getaddrinfo ${name}`, 'python3', ['-c', PYTHON, name])
server.close()
process.stdout.write(JSON.stringify(found))

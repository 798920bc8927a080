/**
 * A mesh in mode `ns` with a world outside, all in namespaces of this process's own (`unshare --user --map-root-user --net
 * --mount --fork`): behind a cable a host 198.51.100.7, named outside.example, serves HTTP on port 80 and an echo on 7.
 * Prints what pods get of it, a line of JSON each.
 */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { E2eMesh, programYaml } from './mesh.ts'

const WORLD = `
require('http').createServer((q, r) => r.end('outside saw ' + q.headers.host)).listen(80, () => console.log('ready'))
require('net').createServer((s) => s.pipe(s)).listen(7)`

const REGISTRY_ONLY = `
apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: istio-system}
data:
  mesh: |
    outboundTrafficPolicy:
      mode: REGISTRY_ONLY
---
`

const ends: (() => unknown)[] = []

async function main(): Promise<void> {
  await makeWorld()
  const mesh = await E2eMesh.start({ teardown: (work) => ends.push(work) }, 'ns')
  hosts(join(mesh.dir, 'hosts'))
  const port7 = { 'traffic.sidecar.istio.io/includeOutboundPorts': '7' }
  const client = programYaml({ name: 'client', command: 'exec sleep 100000', annotations: port7 })
  const plain = programYaml({
    name: 'plain',
    command: 'exec sleep 100000',
    annotations: { ...port7, 'sidecar.istio.io/inject': 'false' },
  })
  await mesh.apply(client + plain)
  const tell = async (name: string, workload: string, line: string): Promise<void> => {
    console.log(JSON.stringify({ name, ...(await mesh.run(workload, line)) }))
  }
  const echo = `exec 3<>/dev/tcp/198.51.100.7/7 && echo word >&3 && head -n1 <&3`
  for (const [policy, text] of [
    ['ALLOW_ANY', client + plain],
    ['REGISTRY_ONLY', client + plain + REGISTRY_ONLY],
  ] as const) {
    await mesh.apply(text)
    for (const workload of ['client', 'plain']) {
      await tell(`${policy} ${workload} by name`, workload, 'curl -sS -m 5 http://outside.example/')
      await tell(
        `${policy} ${workload} by address`,
        workload,
        'curl -sS -m 5 -o - -w " %{http_code}" http://198.51.100.7/',
      )
      await tell(`${policy} ${workload} other port`, workload, `timeout 5 bash -c '${echo}'`)
      await tell(
        `${policy} ${workload} this machine`,
        workload,
        'curl -sS -m 5 -w " %{http_code}" http://198.51.100.1/',
      )
    }
  }
}

/** The world is another network namespace, which a process holds. */
async function makeWorld(): Promise<void> {
  const ip = (words: string): unknown => execFileSync('ip', words.split(' '), { stdio: 'inherit' })
  const holder = spawn('unshare', ['--net', '--', 'sh', '-c', 'echo ready; exec cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  ends.push(() => holder.kill())
  await once(holder.stdout, 'data')
  ip('link set lo up')
  ip(`link add outside0 type veth peer name eth0 netns ${holder.pid}`)
  ip('address add 198.51.100.1/24 dev outside0')
  ip('link set outside0 up')
  const enter = ['nsenter', `--target=${holder.pid}`, '--net', '--']
  const there = 'ip link set lo up; ip address add 198.51.100.7/24 dev eth0; ip link set eth0 up'
  execFileSync('nsenter', [...enter.slice(1), 'sh', '-c', there], { stdio: 'inherit' })
  const server = spawn('nsenter', [...enter.slice(1), process.execPath, '-e', WORLD], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  ends.push(() => server.kill())
  await once(server.stdout, 'data')
}

function hosts(file: string): void {
  writeFileSync(file, '127.0.0.1 localhost\n198.51.100.7 outside.example\n')
  execFileSync('mount', ['--bind', file, '/etc/hosts'])
}

try {
  await main()
} finally {
  for (const end of ends.toReversed()) await end()
}

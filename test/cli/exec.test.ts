import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { InterceptMode } from '../../src/client/contract.ts'
import { entryCommand } from '../../src/lib/entry.ts'
import { homeLayout, podDir } from '../../src/lib/home.ts'
import { requireNamespaces } from '../helpers/tools.ts'
import { cli, exitOf, removeHome, tempHome, type Ran } from './processes.ts'

const WORKLOAD = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: talker}
spec:
  selector: {matchLabels: {app: talker}}
  template:
    metadata:
      labels: {app: talker}
      annotations: {pocketmesh.dev/command: exec sleep 1000}
    spec:
      containers: [{name: app, image: none, env: [{name: COLOUR, value: blue}]}]
`

/** Says that it runs, then what it gets. */
const TRAP = `trap 'echo ended; exit 3' TERM; echo ready; while :; do sleep 0.1; done`

interface Mesh {
  home: string
  run: (...args: string[]) => Promise<Ran>
}

async function startMesh(t: Test, intercept: InterceptMode): Promise<Mesh> {
  const home = tempHome()
  const run = (...args: string[]): Promise<Ran> => cli(args, { home })
  t.teardown(async () => {
    await run('down')
    removeHome(home)
  })
  writeFileSync(join(home, 'mesh.yaml'), WORKLOAD)
  const up = await run('up', '-f', 'mesh.yaml', '-d', '--wait', '--intercept', intercept)
  t.equal(up.code, 0, up.out + up.err)
  t.match(up.out, `mode ${intercept}: `)
  return { home, run }
}

/** What both modes have in common: streams, folders, codes, signals. */
async function checkExec(t: Test, { home, run }: Mesh): Promise<void> {
  const ownDir = podDir(homeLayout(home), 'default', 'talker-0')
  const rows: [string, string[], Partial<Ran>][] = [
    [
      'the container’s variables and folder',
      ['talker', '--', 'sh', '-c', 'echo $COLOUR; pwd'],
      { out: `blue\n${home}\n` },
    ],
    ['a pod and its container by name', ['talker-0', '-c', 'app', '--', 'echo', 'a b'], { out: 'a b\n' }],
    ['the sidecar’s folder', ['talker', '-c', 'istio-proxy', '--', 'pwd'], { out: `${ownDir}\n` }],
    ['an exit code', ['talker', '--', 'sh', '-c', 'echo oops >&2; exit 7'], { code: 7, err: 'oops\n' }],
    ['an end by signal', ['talker', '--', 'sh', '-c', 'kill -KILL $$'], { code: 137 }],
    ['the same beside the sidecar', ['talker', '-c', 'istio-proxy', '--', 'sh', '-c', 'kill -TERM $$'], { code: 143 }],
  ]
  for (const [name, args, want] of rows)
    t.same({ ...(await run('exec', ...args)) }, { code: 0, out: '', err: '', ...want }, name)
  for (const container of [[], ['-c', 'istio-proxy']]) {
    const none = await run('exec', 'talker', ...container, '--', 'no-such-command')
    t.match(none, { code: 127, out: '', err: /^error: there is no command "no-such-command"/ })
  }
  const input = await cli(['exec', 'talker', '--', 'cat'], { home, input: 'through' })
  t.equal(input.out, 'through', 'standard input')
  t.match(await run('exec', 'talker', '-c', 'other', '--', 'true'), { code: 1, err: /"talker -c other"/ })
  for (const container of [[], ['-c', 'istio-proxy']]) {
    const { command, args } = entryCommand('cli')
    const line = [...args, '--home', home, 'exec', 'talker', ...container, '--', 'sh', '-c', TRAP]
    const child = spawn(command, line, { stdio: ['ignore', 'pipe', 'inherit'] })
    t.teardown(() => child.kill('SIGKILL'))
    let out = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text))
    while (!out.includes('ready')) await once(child.stdout, 'data')
    child.kill('SIGTERM')
    t.same(
      [await exitOf(child), out],
      [[3, null], 'ready\nended\n'],
      `a signal reaches the command ${container.join(' ')}`,
    )
  }
}

t.test('exec in mode ns runs in the pod’s namespaces, or beside its sidecar', async (t) => {
  if (!(await requireNamespaces(t))) return
  const mesh = await startMesh(t, 'ns')
  await checkExec(t, mesh)
  const { run } = mesh
  const inside = await run(
    'exec',
    'talker',
    '--',
    'sh',
    '-c',
    'cat /proc/1/comm; echo $POD_IP; ip -br address show eth0',
  )
  t.match(inside.out, /^cat\n(10\.244\.\d+\.\d+)\neth0@\S+ +UP +\1\/32 /)
  const beside = await run('exec', 'talker', '-c', 'istio-proxy', '--', 'ip', '-br', 'address', 'show', 'proxy0')
  t.match(beside.out, / 169\.254\.1\.1\/32 /)
  for (const container of ['app', 'istio-proxy']) {
    const status = await run(
      'exec',
      'talker',
      '-c',
      container,
      '--',
      'grep',
      '-E',
      'CapEff|CapBnd|NoNewPrivs',
      '/proc/self/status',
    )
    t.match(status.out, /^CapEff:\t0+\nCapBnd:\t0+\nNoNewPrivs:\t1\n$/, container)
  }
  const other = await run('up', '-f', 'mesh.yaml', '-d', '--intercept', 'env')
  t.match(other, { code: 1, err: /the mesh runs in mode ns: end it with "down" before starting it in mode env/ })
  const injected = await run('inject', '-f', 'mesh.yaml')
  t.match(injected.out, /pocketmesh\.dev\/interception: "ns: /, 'inject shows what the mesh has')
  writeFileSync(join(mesh.home, 'injected.yaml'), injected.out)
  const pidOf = async (): Promise<unknown> => JSON.parse((await run('ps', '-o', 'json')).out).pods[0].pid
  const before = await pidOf()
  t.match(await run('up', '-d', '--wait', '-f', 'injected.yaml'), { code: 0, out: /deployment\/talker configured/ })
  t.equal(await pidOf(), before, 'a sidecar that is written down changes nothing')
})

t.test('exec in mode env runs in the environment of the program, or of its sidecar', async (t) => {
  const mesh = await startMesh(t, 'env')
  await checkExec(t, mesh)
  t.match((await mesh.run('exec', 'talker', '--', 'sh', '-c', 'echo $HTTP_PROXY')).out, /^http:\/\/127\.0\.0\.1:\d+\n$/)
  t.equal((await mesh.run('exec', 'talker', '-c', 'istio-proxy', '--', 'sh', '-c', 'echo $HTTP_PROXY')).out, '\n')
  t.match((await mesh.run('inject', '-f', 'mesh.yaml')).out, /pocketmesh\.dev\/interception: "env: /)
})

/** `exec` as a user runs it: a process of its own, whose streams, exit code and signals are those of the command. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import t, { type Test } from 'tap'
import type { InterceptMode } from '../../src/client/contract.ts'
import { entryCommand } from '../../src/lib/entry.ts'
import { podDir } from '../../src/lib/home.ts'
import { E2eMesh } from '../e2e/mesh.ts'
import { requireNamespaces } from '../helpers/tools.ts'
import { cli, exitOf, type Ran } from './processes.ts'

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
/** Each stream, the container's variables, its folder, and an exit code. */
const ALL_STREAMS = 'echo $COLOUR; pwd; cat; echo oops >&2; exit 7'
/** Says that it runs, then what it gets. */
const TRAP = `trap 'echo ended; exit 3' TERM; echo ready; while :; do sleep 0.1; done`
/** What the kernel grants: nothing, and no way to more. */
const RIGHTS = `grep -E 'CapEff|CapBnd|NoNewPrivs' /proc/self/status | tr -d '\\t0\\n'`
const NO_RIGHTS = 'CapEff:CapBnd:NoNewPrivs:1'

/** `words`: a command line, the pod's command last. */
interface Row {
  name: string
  words: string[]
  input?: string
  /** Absent: ends with 0, no output. */
  want: { [K in keyof Ran]?: Ran[K] | RegExp }
}

async function startMesh(t: Test, mode: InterceptMode): Promise<E2eMesh> {
  const mesh = await E2eMesh.start(t, mode)
  await mesh.apply(WORKLOAD)
  return mesh
}

/** At once: they have nothing to do with each other. */
async function checkRows(t: Test, mesh: E2eMesh, rows: readonly Row[]): Promise<void> {
  const ran = rows.map(({ words, input = '' }) =>
    cli(['exec', ...words], { home: mesh.home.dir, cwd: mesh.dir, input }),
  )
  for (const [i, { name, want }] of rows.entries())
    t.match(await ran[i], { code: 0, out: /^$/, err: /^$/, ...want }, name)
}

const sh = (script: string): string[] => ['--', 'sh', '-c', script]
const PROXY = ['-c', 'istio-proxy']

/** What both modes have in common. */
function commonRows(mesh: E2eMesh): Row[] {
  const streams = { code: 7, out: `blue\n${mesh.dir}\nthrough`, err: /^oops\n$/ }
  return [
    { name: 'streams and exit code', words: ['talker', ...sh(ALL_STREAMS)], input: 'through', want: streams },
    {
      name: 'no terminal is made of a pipe',
      words: ['talker', ...sh('[ -t 0 ] || [ -t 1 ] || echo none')],
      want: { out: /^none\n$/ },
    },
    { name: 'an end by signal', words: ['talker', ...sh('kill -KILL $$')], want: { code: 137 } },
    { name: 'the same beside the sidecar', words: ['talker', ...PROXY, ...sh('kill -TERM $$')], want: { code: 143 } },
    {
      name: 'no such command',
      words: ['talker', '--', 'none-such'],
      want: { code: 127, err: /^error: there is no command "none-such"/ },
    },
  ]
}

/** Which pod and container, where there is one: no mode makes a difference. */
const TARGETS: Row[] = [
  {
    name: 'a pod and its container by name',
    words: ['talker-0', '-c', 'app', '--', 'echo', 'a b'],
    want: { out: /^a b\n$/ },
  },
  {
    name: 'no such container',
    words: ['talker', '-c', 'other', '--', 'true'],
    want: { code: 1, err: /"talker -c other"/ },
  },
  { name: 'no such workload', words: ['walker', '--', 'true'], want: { code: 1, err: /walker/ } },
]

/** Sent to `exec` alone, as a shell script or a service manager would. */
async function checkSignal(t: Test, mesh: E2eMesh, container: string[]): Promise<void> {
  const { command, args } = entryCommand('cli')
  const line = [...args, '--home', mesh.home.dir, 'exec', 'talker', ...container, ...sh(TRAP)]
  const child = spawn(command, line, { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  let out = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text))
  while (!out.includes('ready')) await once(child.stdout, 'data')
  const closed = once(child.stdout, 'close')
  child.kill('SIGTERM')
  t.same(await exitOf(child), [3, null], `the command ends it ${container.join(' ')}`)
  await closed
  t.equal(out, 'ready\nended\n', 'after it was told')
}

t.test('exec in mode ns runs in the pod’s namespaces, or beside its sidecar', async (t) => {
  if (!(await requireNamespaces(t))) return
  const mesh = await startMesh(t, 'ns')
  const ownDir = podDir(mesh.home, 'default', 'talker-0')
  const inside = `cat /proc/1/comm; echo $POD_IP; ip -br address show eth0; ${RIGHTS}`
  const beside = `pwd; ip -br address show proxy0; ${RIGHTS}`
  await checkRows(t, mesh, [
    ...commonRows(mesh),
    {
      name: 'in the pod',
      words: ['talker', ...sh(inside)],
      want: { out: new RegExp(`^cat\n(10\\.244\\.\\d+\\.\\d+)\neth0@\\S+ +UP +\\1/32 [^\n]*\n${NO_RIGHTS}$`) },
    },
    {
      name: 'beside its sidecar',
      words: ['talker', ...PROXY, ...sh(beside)],
      want: { out: new RegExp(`^${ownDir}\nproxy0@\\S+ +UP +169\\.254\\.1\\.1/32 [^\n]*\n${NO_RIGHTS}$`) },
    },
  ])
  await Promise.all([checkSignal(t, mesh, []), checkSignal(t, mesh, PROXY)])
})

t.test('exec in mode env runs in the environment of the program, or of its sidecar', async (t) => {
  const mesh = await startMesh(t, 'env')
  const ownDir = podDir(mesh.home, 'default', 'talker-0')
  await checkRows(t, mesh, [
    ...commonRows(mesh),
    ...TARGETS,
    {
      name: 'in the pod',
      words: ['talker', ...sh('echo $HTTP_PROXY')],
      want: { out: /^http:\/\/127\.0\.0\.1:\d+\n$/ },
    },
    {
      name: 'beside its sidecar',
      words: ['talker', ...PROXY, ...sh('pwd; echo $HTTP_PROXY')],
      want: { out: `${ownDir}\n\n` },
    },
  ])
  await Promise.all([checkSignal(t, mesh, []), checkSignal(t, mesh, PROXY)])
})

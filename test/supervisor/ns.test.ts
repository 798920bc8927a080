/** Mode `ns`: pods in namespaces of their own, made by the real tools; the proxies are stand-ins. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t, { type Test } from 'tap'
import { ControlClient } from '../../src/client/control.ts'
import type { EnvResponse, PodStatus } from '../../src/client/contract.ts'
import { SupervisorClient } from '../../src/client/supervisor.ts'
import type { Home } from '../../src/lib/home.ts'
import { createLog } from '../../src/lib/log.ts'
import { processStartTime } from '../../src/lib/process-start.ts'
import { startSupervisor } from '../../src/supervisor/supervisor.ts'
import { requireNamespaces } from '../helpers/tools.ts'
import { applyOf, eventually, fakeSidecarEntry, makeHome, webYaml } from './mesh.ts'

process.env['POCKETMESH_LOG'] = 'silent'

/** Listens where Kubernetes programs do, on a port that nobody but root has elsewhere. */
const SERVER = `exec node -e 'require("http").createServer((q, r) => r.end(process.pid + " " + process.env.POD_IP)).listen(80)'`

function lowPort(text: string): string {
  return text.replace('containerPort: 8080', 'containerPort: 80').replace('targetPort: 8080', 'targetPort: 80')
}

interface Outcome {
  code: number | null
  out: string
}

function inside({ enter, env, cwd }: EnvResponse, script: string): Outcome {
  const [command, ...args] = [...enter, '/bin/sh', '-c', script]
  const { status, stdout, stderr } = spawnSync(command, args, { env, cwd, encoding: 'utf8' })
  return { code: status, out: `${stdout}${stderr}`.trim() }
}

async function startMesh(t: Test, home: Home) {
  const supervisor = await startSupervisor({
    home,
    intercept: 'ns',
    log: createLog('supervisor'),
    entry: fakeSidecarEntry,
  })
  const control = new ControlClient(home)
  const api = new SupervisorClient(home)
  t.teardown(() => Promise.all([supervisor.stop(), control.close(), api.close()]))
  return { supervisor, control, api }
}

t.test('pods in namespaces of their own', async (t) => {
  if (!(await requireNamespaces(t))) return
  const home = makeHome(t)
  const dir = mkdtempSync(join(tmpdir(), 'program-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const { supervisor, control, api } = await startMesh(t, home)
  await control.apply(applyOf(lowPort(webYaml({ replicas: 2, command: SERVER })), dir))
  await supervisor.ready()
  const pods = async (): Promise<PodStatus[]> => (await api.ps()).pods.filter((pod) => pod.workload === 'web')
  const run = async (script: string, pod = 'web-0'): Promise<Outcome> => inside(await api.env(pod, 'default'), script)

  await t.test('replicas have addresses of their own and the same low port', async (t) => {
    const answer = await api.ps()
    t.equal(answer.mesh.intercept, 'ns')
    const [a, b] = (await control.pods()).items.filter((pod) => pod.workload === 'web')
    t.match(a?.address, /^10\.244\.0\.\d+$/)
    t.match(a?.address6, /^fd00:10:244::/)
    t.not(a?.address, b?.address)
    t.match(a?.ports[0], { containerPort: 80, appPort: 80, pipe: /pod-.*-80\.sock$/ })
    const { out } = await run('ip -o address show dev eth0; cat /etc/resolv.conf; hostname; cat /etc/hosts')
    t.match(out, a?.address ?? '')
    t.match(out, 'nameserver 169.254.1.1\nsearch default.svc.cluster.local svc.cluster.local cluster.local')
    t.match(out, `${a?.address} web-0`)
  })

  await t.test('the PID shown is the program’s, as this machine counts', async (t) => {
    const [pod] = await pods()
    t.match(readFileSync(`/proc/${pod?.pid}/cmdline`, 'utf8'), /^node/)
    t.not(readlinkSync(`/proc/${pod?.pid}/ns/net`), readlinkSync('/proc/self/ns/net'))
    t.not(readlinkSync(`/proc/${pod?.pid}/ns/net`), readlinkSync(`/proc/${pod?.sidecar?.pid}/ns/net`))
    t.match(readFileSync(`/proc/${pod?.sidecar?.pid}/status`, 'utf8'), /CapEff:\s0{16}\nCapBnd:\s0{16}/)
  })

  await t.test('a command runs as the program does', async (t) => {
    t.match(await run('pwd; id -u; grep -E "CapEff|CapBnd|NoNewPrivs" /proc/self/status'), {
      code: 0,
      out: new RegExp(`^${dir}\n${process.getuid?.()}\nCapEff:\\s0{16}\nCapBnd:\\s0{16}\nNoNewPrivs:\\s1$`),
    })
    t.match(await run('exit 7'), { code: 7 })
    t.match((await run('ls /proc | grep -c "^[0-9]"')).out, /^[3-6]$/, 'it sees the pod’s processes alone')
  })

  await t.test('a command runs beside the proxy', async (t) => {
    const beside = inside(await api.env('web-0', 'default', 'istio-proxy'), 'ip -o route; ls')
    t.match(beside.out, 'local default dev lo')
    t.match(beside.out, 'bootstrap.json')
  })

  await t.test('the mesh and its files are out of reach', async (t) => {
    t.match(await run(`ls -A ${home.dir} ${home.podsDir}; touch ${home.dir}/x`), { code: /[12]/ })
    t.match(await run(`echo x >> ${join(process.cwd(), 'package.json')}`), { code: 2, out: /Read-only/ })
    t.match(await run(`echo x >> ${process.execPath}`), { code: 2, out: /Read-only|Text file busy|Permission denied/ })
    t.match(await run('unshare --user true'), { code: 1 })
    t.match(await run('ls /proc/1/root /proc/1/fd/9/'), { code: 2, out: /denied/ })
    t.match(await run('echo yes > /tmp/own && cat /tmp/own'), { out: 'yes' })
    t.match(await run('cat /tmp/own', 'web-1'), { code: 1 })
    t.match(await run('touch written && ls'), { code: 0, out: /written/ }, 'its own folder is its own')
  })

  await t.test('a program that dies is started again in its pod', async (t) => {
    const [before] = await pods()
    await api.kill({ target: 'web-0', namespace: 'default' })
    await eventually('it is not ready', async () => (await pods()).find((pod) => !pod.ready))
    await supervisor.ready()
    const [after] = await pods()
    t.match(after, { name: 'web-0', restarts: 1, exit: 'signal SIGKILL' })
    t.not(after?.pid, before?.pid)
    t.equal(after?.sidecar?.pid, before?.sidecar?.pid)
  })

  await t.test('without its proxy a pod is cut off', async (t) => {
    // the stand-in listens nowhere: what counts is that there is no other way, and that the place outlives the process
    await api.kill({ target: 'web-0/istio-proxy', namespace: 'default' })
    t.match((await run('ip route get 192.0.2.1')).out, 'via 169.254.1.1 dev eth0')
    await supervisor.ready()
    t.match((await run('ip route get 192.0.2.1')).out, 'via 169.254.1.1 dev eth0')
  })

  await t.test('a pod whose namespaces are ended is replaced', async () => {
    const [before] = await pods()
    const { processes } = JSON.parse(readFileSync(home.stateFile, 'utf8')) as {
      processes: { pid: number; what: string }[]
    }
    const pause = processes.find((one) => one.what === 'default/web-0 pause')
    process.kill(pause?.pid ?? 0, 'SIGKILL')
    await eventually('its program is gone', () => (alive([before?.pid ?? 0]).length === 0 ? true : undefined))
    await eventually('another is there', async () => {
      const own = await pods()
      return own.length === 2 && own.every((pod) => pod.ready && pod.pid !== before?.pid) ? true : undefined
    })
  })

  await t.test('down leaves nothing', async (t) => {
    const all = JSON.parse(readFileSync(home.stateFile, 'utf8')) as { processes: { pid: number }[] }
    const pids = [...(await pods()).map((pod) => pod.pid ?? 0), ...all.processes.map((one) => one.pid)]
    await supervisor.stop()
    t.same(alive(pids), [])
    t.same(readdirSync(home.socketDir), [])
    t.same(mountsBelow(home), [])
  })
})

t.test('no process outlives a supervisor that is killed, not even one that hides', async (t) => {
  if (!(await requireNamespaces(t))) return
  const home = makeHome(t)
  const file = join(home.dir, '..', 'web.yaml')
  // a session of its own is no way out of the pod
  const stubborn = `trap "" TERM HUP; setsid sh -c 'trap "" TERM HUP; sleep 4711' & while :; do sleep 1; done`
  writeFileSync(file, webYaml({ replicas: 2, command: stubborn }).replace(/ports: \[\{name: http, containerPort.*/, ''))
  const args = ['--import=tsx', 'test/supervisor/mesh-process.ts', home.dir, file, 'ns']
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  t.equal((await lines.next()).value, 'ready')
  const { processes } = JSON.parse(readFileSync(home.stateFile, 'utf8')) as {
    processes: { pid: number; what: string }[]
  }
  const guardian = processes.find((one) => one.what === 'guardian')?.pid ?? 0
  await eventually('its programs run', () => (sleepers().length === 2 ? true : undefined))
  // both at once: nobody is left to end anything but the kernel
  process.kill(guardian, 'SIGSTOP')
  child.kill('SIGKILL')
  await once(child, 'exit')
  process.kill(guardian, 'SIGKILL')
  const all = processes.map((one) => one.pid)
  await eventually(
    'all have ended',
    () => (alive(all).length === 0 && sleepers().length === 0 ? true : undefined),
    5000,
  )
  t.pass('all have ended')
})

t.test('a start that fails names the step, and leaves nothing', async (t) => {
  if (!(await requireNamespaces(t))) return
  const bin = mkdtempSync(join(tmpdir(), 'tools-'))
  t.teardown(() => rmSync(bin, { recursive: true, force: true }))
  writeFileSync(join(bin, 'ip'), '#!/bin/sh\necho no cable today >&2; exit 1\n', { mode: 0o755 })
  const home = makeHome(t)
  const path = process.env['PATH'] ?? ''
  const { control, api } = await startMesh(t, home)
  process.env['PATH'] = `${bin}:${path}`
  t.teardown(() => (process.env['PATH'] = path))
  await control.apply(applyOf(webYaml({ command: SERVER }), tmpdir()))
  const pod = await eventually('a reason', async () =>
    (await api.ps()).pods.find((one) => one.workload === 'web' && /cable/.test(one.reason ?? '')),
  )
  t.match(pod.reason, /at "network: the cable between program and proxy": no cable today .*check --pre/)
})

function alive(pids: readonly number[]): number[] {
  return pids.filter((pid) => pid > 0 && processStartTime(pid) !== undefined)
}

function sleepers(): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8') === 'sleep\u00004711\u0000'
    } catch {
      return false
    }
  })
}

function mountsBelow(home: Home): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line.includes(home.dir))
}

t.test('a program that cannot even start is tried again, and hinders no end', async (t) => {
  if (!(await requireNamespaces(t))) return
  const home = makeHome(t)
  const dir = mkdtempSync(join(tmpdir(), 'program-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const { supervisor, control, api } = await startMesh(t, home)
  const restarted = (): Promise<PodStatus> =>
    eventually('it is tried again', async () =>
      (await api.ps()).pods.find((pod) => pod.workload === 'web' && pod.restarts > 1),
    )
  await control.apply(applyOf(webYaml({ command: 'nothing-of-this-name' }), dir))
  t.match(await restarted(), { state: /backoff|running|starting/, exit: 'code 127' })
  await control.apply(applyOf(webYaml({ command: SERVER }), home.dir))
  const hidden = await eventually('a reason', async () =>
    (await api.ps()).pods.find((pod) => /which no program may see/.test(pod.reason ?? '')),
  )
  t.match(hidden.reason, home.dir)
  await supervisor.stop()
})

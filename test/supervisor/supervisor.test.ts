import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createServer } from 'node:net'
import { createInterface } from 'node:readline'
import t from 'tap'
import { ControlClient } from '../../src/client/control.ts'
import type { PodStatus } from '../../src/client/contract.ts'
import { SupervisorClient } from '../../src/client/supervisor.ts'
import type { Home } from '../../src/lib/home.ts'
import { createLog } from '../../src/lib/log.ts'
import { processStartTime } from '../../src/lib/process-start.ts'
import { startSupervisor } from '../../src/supervisor/supervisor.ts'
import { applyOf, eventually, fakeSidecarEntry, makeHome, webYaml } from './mesh.ts'

process.env['POCKETMESH_LOG'] = 'silent'

t.test('a mesh from its first Deployment to its end', async (t) => {
  const home = makeHome(t)
  const supervisor = await startSupervisor({ home, log: createLog('supervisor'), entry: fakeSidecarEntry })
  const control = new ControlClient(home)
  const api = new SupervisorClient(home)
  t.teardown(() => Promise.all([supervisor.stop(), control.close(), api.close()]))
  const apply = (text: string): Promise<unknown> => control.apply(applyOf(text, home.dir))
  const pods = async (): Promise<PodStatus[]> => (await api.ps()).pods
  const get = async (pod: PodStatus): Promise<string> =>
    (await fetch(`http://127.0.0.1:${pod.ports[0]?.appPort}`)).text()
  const endpoints = async (): Promise<string[]> =>
    ((await control.services()).items[0]?.endpoints ?? []).map((endpoint) => endpoint.pod)

  await t.test('an applied Deployment starts, and is ready once its port accepts', async (t) => {
    await apply(webYaml())
    await supervisor.ready()
    const [pod] = await pods()
    t.match(pod, { name: 'web-0', namespace: 'default', version: 'v1', state: 'running', ready: true, reason: null })
    t.ok(pod?.sidecar?.pid)
    t.match(await get(pod as PodStatus), /^v1 \d+$/)
    t.same(await endpoints(), ['web-0'])
  })

  await t.test('a program that dies is withdrawn, and started again on the same port', async (t) => {
    const [before] = await pods()
    t.match((await api.kill({ target: 'web-0', namespace: 'default' })).message, /web-0 killed/)
    await eventually('the endpoint is withdrawn', async () => ((await endpoints()).length === 0 ? true : undefined))
    const after = await eventually('it is ready again', async () => (await pods()).find((pod) => pod.ready))
    t.match(after, { restarts: 1, exit: 'signal SIGKILL', ports: before?.ports })
    t.not(after.pid, before?.pid)
  })

  await t.test('a sidecar that dies is started again at once, its pod is not ready meanwhile', async (t) => {
    const [before] = await pods()
    await api.kill({ target: 'web-0/istio-proxy', namespace: 'default' })
    await eventually('the pod is not ready', async () => (await pods()).find((pod) => !pod.ready))
    const after = await eventually('it is ready again', async () => (await pods()).find((pod) => pod.ready))
    t.not(after.sidecar?.pid, before?.sidecar?.pid)
    t.equal(after.pid, before?.pid, 'its program goes on')
    t.equal(after.sidecar?.restarts, 1)
  })

  await t.test('a pod whose sidecar finds its port taken makes room for one with other ports', async (t) => {
    const [before] = await pods()
    const port = before?.ports[0]?.listenPort
    const thief = createServer()
    t.teardown(() => thief.close())
    // while it runs: the stand-in for the sidecar binds nothing
    await once(thief.listen(port, '127.0.0.1'), 'listening')
    await api.kill({ target: 'web-0/istio-proxy', namespace: 'default' })
    const after = await eventually('another pod is ready', async () =>
      (await pods()).find((pod) => pod.ready && pod.name !== 'web-0'),
    )
    t.not(after.ports[0]?.listenPort, port)
    await eventually('it is the only one left', async () => ((await pods()).length === 1 ? true : undefined))
  })

  await t.test('a changed template replaces the pod, and one is ready all the time', async (t) => {
    await apply(webYaml({ version: 'v2' }))
    let least = 1
    const done = await eventually('the new pod alone', async () => {
      const all = await pods()
      least = Math.min(least, (await endpoints()).length)
      return all.length === 1 && all[0]?.version === 'v2' && all[0].ready ? all[0] : undefined
    })
    t.equal(least, 1)
    t.equal(done.name, 'web-0') // the name that is free
    t.match(await get(done), /^v2/)
  })

  await t.test('scale starts and stops pods', async (t) => {
    await control.scale('default', 'web', { replicas: 3 })
    await supervisor.ready()
    t.same((await endpoints()).sort(), ['web-0', 'web-1', 'web-2'])
    await control.scale('default', 'web', { replicas: 1 })
    await eventually('one is left', async () => ((await pods()).length === 1 ? true : undefined))
    t.equal((await endpoints()).length, 1)
  })

  await t.test('restart replaces the pods of a workload', async (t) => {
    const [before] = await pods()
    t.match((await api.restart({ target: 'web', namespace: 'default' })).message, /web restarted/)
    const [after, ...more] = await pods()
    t.not(after?.pid, before?.pid)
    t.same(more, [])
    await t.rejects(api.restart({ target: 'none', namespace: 'default' }), { message: /no pod or workload "none"/ })
  })

  await t.test('exec gets the environment of a workload', async (t) => {
    const answer = await api.env('web', 'default')
    t.match(answer, { cwd: home.dir, env: { VERSION: 'v2', POD_NAMESPACE: 'default', HTTP_PROXY: /^http:/ } })
    t.match(answer.env['POCKETMESH_UPSTREAM_WEB'], /^http:\/\/127\.0\.0\.1:\d+$/)
  })

  await t.test('a pod without a command fails with a reason, and hurts nothing else', async (t) => {
    await apply(
      webYaml({ version: 'v2' })
        .replaceAll('web', 'broken')
        .replace(/pocketmesh\.dev\/command:.*/, ''),
    )
    await supervisor.ready()
    const broken = (await pods()).find((pod) => pod.workload === 'broken')
    t.match(broken, { state: 'failed', ready: false, reason: /pocketmesh\.dev\/command/ })
    t.ok((await pods()).some((pod) => pod.workload === 'web' && pod.ready))
    await control.deleteObject('Deployment', 'default', 'broken')
  })

  await t.test('a pod without a sidecar reaches Services as in Kubernetes', async (t) => {
    const command = `node -e 'setInterval(() => fetch("http://" + process.env.WEB_SERVICE_HOST + ":" + process.env.WEB_SERVICE_PORT).then((r) => r.text()).then((x) => console.log("got", x)).catch(() => 0), 100)'`
    const yaml = webYaml({ command, annotations: 'sidecar.istio.io/inject: "false"' })
    // a plain endpoint, since this test's sidecars proxy nothing
    await apply(webYaml({ version: 'v3', annotations: 'sidecar.istio.io/inject: "false"' }))
    await apply(
      yaml
        .slice(yaml.indexOf('---'))
        .replace('metadata: {name: web}', 'metadata: {name: cron}')
        .replaceAll('app: web', 'app: cron')
        .replace(/ports:.*/, ''),
    )
    const cron = await eventually('cron runs', async () =>
      (await pods()).find((pod) => pod.workload === 'cron' && pod.ready),
    )
    t.equal(cron.sidecar, null)
    await eventually('it has got an answer', () =>
      /got v3/.test(readFileSync(cron.logFile, 'utf8')) ? true : undefined,
    )
    await control.deleteObject('Deployment', 'default', 'cron')
  })

  await t.test('a published Service has a URL, and a sidecar behind it', async (t) => {
    const yaml = webYaml({ version: 'v3' })
    const port = 18_000 + (process.pid % 1000)
    await apply(
      yaml
        .slice(0, yaml.indexOf('---'))
        .replace('{name: web}', `{name: web, annotations: {pocketmesh.dev/publish: "${port}"}}`),
    )
    const gateway = await eventually('the gateway is ready', async () =>
      (await pods()).find((pod) => pod.namespace === 'istio-system' && pod.ready),
    )
    t.equal(gateway.name, 'istio-ingressgateway-0')
    t.same((await api.ps()).published, [{ service: 'web', namespace: 'default', url: `http://127.0.0.1:${port}` }])
    t.match(gateway.reason, null)
  })

  await t.test('the control plane is started again, at the time asked for', async (t) => {
    const before = (await api.ps()).mesh.control
    await api.kill({ target: 'control', namespace: 'default', forMs: 300 })
    const after = await eventually('it runs again', async () => {
      const { control } = (await api.ps()).mesh
      return control.state === 'running' && control.pid !== before.pid ? control : undefined
    })
    t.equal(after.restarts, 1)
    await control.ready(20_000)
    await control.deleteObject('Deployment', 'default', 'web')
    await eventually('what is deleted then stops', async () =>
      (await pods()).some((pod) => pod.workload === 'web') ? undefined : true,
    )
  })

  await t.test('a second supervisor is refused with the first one’s PID', async (t) => {
    const file = join(dirname(home.dir), 'none.yaml')
    writeFileSync(file, webYaml())
    const { child, lines } = runMesh(home, file)
    t.match(await lines.next(), { value: new RegExp(`running already \\(supervisor PID ${process.pid}`) })
    await exit(child)
  })

  await t.test('down ends everything, a pod too that waits to tell a control plane that is away', async (t) => {
    await apply(webYaml({ replicas: 2 }))
    await supervisor.ready()
    await apply(webYaml({ replicas: 2, version: 'never-ready', command: 'exec sleep 1000' }))
    await eventually('a pod that is not ready yet', async () =>
      (await pods()).some((pod) => pod.version === 'never-ready' && pod.sidecar !== null) ? true : undefined,
    )
    const pids = await pidsOf(api)
    t.ok(pids.length >= 5)
    await api.kill({ target: 'control', namespace: 'default', forMs: 60_000 })
    const restart = api.restart({ target: 'web', namespace: 'default' }).catch(() => undefined)
    await eventually('its withdrawal', async () =>
      (await pods()).some((pod) => pod.state === 'stopping') ? true : undefined,
    )
    await api.down()
    await supervisor.ended
    await restart
    t.same(alive(pids), [])
  })
})

t.test('no process outlives a supervisor that is killed', async (t) => {
  const home = makeHome(t)
  const file = join(dirname(home.dir), 'web.yaml')
  // a program that does not end when asked to, with a child of its own
  const stubborn = `trap "" TERM HUP; sleep 600 & while :; do sleep 1; done`
  writeFileSync(file, webYaml({ replicas: 2, command: stubborn }).replace(/ports: \[\{name: http, containerPort.*/, ''))
  const { child, lines } = runMesh(home, file)
  t.equal((await lines.next()).value, 'ready')
  const api = new SupervisorClient(home)
  const pids = await pidsOf(api)
  await api.close()
  const { processes } = JSON.parse(readFileSync(home.stateFile, 'utf8')) as { processes: { pid: number }[] }
  const all = [...new Set([...pids, ...processes.map((one) => one.pid)])]
  t.ok(all.length >= 6, `${all.length} processes`)
  child.kill('SIGKILL')
  await exit(child)
  await eventually('all have ended', () => (alive(all).length === 0 ? true : undefined), 5000)
  t.same(groups(all), [], 'nor have their children stayed')
  // the guardian takes them away once it has ended the processes
  await eventually('no socket is left', () => (readdirSync(home.socketDir).length === 0 ? true : undefined), 5000)

  await t.test('the next one starts as if nothing had been, and Ctrl-C ends it', async (t) => {
    const { child, lines } = runMesh(home, file)
    t.equal((await lines.next()).value, 'ready')
    const api = new SupervisorClient(home)
    const pids = await pidsOf(api)
    await api.close()
    child.kill('SIGINT')
    t.equal(await exit(child), 0)
    t.same(alive(pids), [])
    t.same(groups(pids), [])
  })
})

t.test('Ctrl-C while the mesh starts ends it', async (t) => {
  const home = makeHome(t)
  const file = join(dirname(home.dir), 'web.yaml')
  writeFileSync(file, webYaml())
  const { child } = runMesh(home, file)
  const pids = await eventually('it has started its control plane', () => {
    const text = existsSync(home.stateFile) ? readFileSync(home.stateFile, 'utf8') : '{"processes":[]}'
    const { processes } = JSON.parse(text) as { processes: { pid: number; what: string }[] }
    return processes.some((one) => one.what === 'control') ? processes.map((one) => one.pid) : undefined
  })
  child.kill('SIGINT')
  t.equal(await exit(child), 0)
  t.same(alive(pids), [])
  t.notOk(existsSync(home.stateFile))
})

t.test('what even a guardian could not end is ended by the next supervisor', async (t) => {
  const home = makeHome(t)
  const file = join(dirname(home.dir), 'web.yaml')
  writeFileSync(file, webYaml({ command: 'exec sleep 600' }).replace(/ports: \[\{name: http, containerPort.*/, ''))
  const first = runMesh(home, file)
  t.equal((await first.lines.next()).value, 'ready')
  type State = { processes: { pid: number; what: string }[] }
  const { processes } = JSON.parse(readFileSync(home.stateFile, 'utf8')) as State
  const guardian = processes.find((one) => one.what === 'guardian')
  const program = processes.find((one) => one.what.endsWith(' server'))
  first.child.kill('SIGSTOP')
  process.kill(guardian?.pid ?? 0, 'SIGKILL')
  first.child.kill('SIGKILL')
  await exit(first.child)
  t.same(alive([program?.pid ?? 0]), [program?.pid], 'the program is an orphan')
  const second = runMesh(home, file)
  t.equal((await second.lines.next()).value, 'ready')
  t.same(alive([program?.pid ?? 0]), [])
  second.child.kill('SIGTERM')
  await exit(second.child)
})

function runMesh(home: Home, file: string): { child: ChildProcess; lines: AsyncIterator<string> } {
  const args = ['--import=tsx', 'test/supervisor/mesh-process.ts', home.dir, file]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  return { child, lines: createInterface({ input: child.stdout })[Symbol.asyncIterator]() }
}

function exit(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode)
  return new Promise((done) => child.once('exit', done))
}

async function pidsOf(api: SupervisorClient): Promise<number[]> {
  const { mesh, pods } = await api.ps()
  return [mesh.control.pid, ...pods.flatMap((pod) => [pod.pid, pod.sidecar?.pid])].filter((pid) => pid != null)
}

function alive(pids: readonly number[]): number[] {
  return pids.filter((pid) => processStartTime(pid) !== undefined)
}

/** Those of these process groups that still have a member; one that waits for its parent is none. */
function groups(pgids: readonly number[]): string[] {
  const pids = existsSync('/proc/self/stat') ? readdirSync('/proc').filter((name) => /^\d+$/.test(name)) : []
  return pids.filter((pid) => {
    const stat = statOf(pid)
    const [state = '', , pgid] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return pgids.includes(Number(pgid)) && state !== 'Z'
  })
}

/** '' once it has ended. */
function statOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'latin1')
  } catch {
    return ''
  }
}

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { entryCommand } from '../../src/lib/entry.ts'
import { processStartTime } from '../../src/lib/process-start.ts'
import { cli, exitOf, removeHome, tempHome, type Ran } from './processes.ts'

/** A pod without a sidecar is enough here: the mesh's own traffic has tests of its own. */
const deployment = (name: string, command: string): string => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}}
spec:
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata:
      labels: {app: ${name}, version: v1}
      annotations:
        sidecar.istio.io/inject: "false"
        pocketmesh.dev/command: ${JSON.stringify(command)}
    spec:
      containers: [{name: app, image: none, env: [{name: COLOUR, value: blue}]}]
---`

const TALKER = 'echo hello from $COLOUR; exec sleep 1000'

t.test('up -d starts a mesh, other verbs work on it, down leaves nothing behind', async (t) => {
  const home = tempHome()
  t.teardown(() => removeHome(home))
  const run = (...args: string[]): Promise<Ran> => cli(args, { home })
  t.teardown(() => run('down'))
  writeFileSync(join(home, 'mesh.yaml'), deployment('talker', TALKER) + deployment('other', 'exec sleep 1000'))

  const bad = await cli(['up', '-d', '-f', '-'], { home, input: 'kind: Nope' })
  t.equal(bad.code, 65, bad.err)
  t.notOk(existsSync(join(home, 'store')), 'nothing was started for a bad file')

  const up = await run('up', '-f', 'mesh.yaml', '-d', '--wait', '--timeout', '60', '--intercept', 'env')
  t.equal(up.code, 0, up.out + up.err)
  t.match(
    up.out,
    /^deployment\/talker created\ndeployment\/other created\nmesh .* intercept=env {2}control plane running/,
  )
  t.match(up.out, /all 2 ready in [\d.]+ m?s; revision \d+ stored; no proxy is connected\n/)
  t.match(up.out, /any local process can still dial a program's own port/)

  const ps = JSON.parse((await run('ps', '-o', 'json')).out)
  t.equal(ps.schema, 'pocketmesh.dev/ps/v1')
  t.same(
    ps.pods.map((p: { name: string; state: string }) => `${p.name} ${p.state}`),
    ['other-0 running', 'talker-0 running'],
  )
  const pids: number[] = [ps.mesh.supervisorPid, ps.mesh.control.pid, ...ps.pods.map((p: { pid: number }) => p.pid)]

  t.match((await run('logs', 'talker')).out, /^talker-0 \| hello from blue$/m)
  const exec = await run('exec', 'talker', '--', 'sh', '-c', 'echo $COLOUR; pwd; exit 7')
  t.same([exec.code, exec.out], [7, `blue\n${home}\n`])
  t.equal((await run('exec', 'talker', '--', 'no-such-command')).code, 127)
  t.equal((await run('exec', 'nobody', '--', 'true')).code, 1)
  t.match((await run('restart', 'talker')).out, /^talker restarted/)
  t.match((await run('kill', 'other-0', '--for', '1ms')).out, /killed/)
  t.match((await run('scale', 'deployment/talker', '--replicas', '2')).out, 'deployment/talker scaled to 2\n')

  const strict = { apiVersion: 'authentication.istio.io/v1alpha1', kind: 'MeshPolicy', metadata: { name: 'default' } }
  const policy = (mtls: object): string => JSON.stringify({ ...strict, spec: { peers: [{ mtls }] } })
  const shutOut = /warning: MeshPolicy default asks for STRICT mutual TLS: .*running without one: other, talker\n/
  for (const verb of [['apply', '--dry-run'], ['diff'], ['apply']]) {
    const ran = await cli([...verb, '-f', '-'], { home, input: policy({}) })
    t.match(ran.err, shutOut, `${verb.join(' ')} names those who would be refused`)
  }
  t.match((await run('check')).out, /STRICT mutual TLS: .*other, talker/, 'check names those who are')
  const permissive = await cli(['apply', '-f', '-'], { home, input: policy({ mode: 'PERMISSIVE' }) })
  t.same([permissive.code, permissive.err], [0, ''])

  writeFileSync(join(home, 'mesh.yaml'), deployment('talker', TALKER))
  const again = await run('up', '-f', 'mesh.yaml', '-d')
  t.equal(again.code, 0, again.err)
  t.match(again.out, /deployment\/other deleted/, 'what the file no longer brings is pruned')

  t.equal((await run('down')).out, 'the mesh has ended\n')
  for (const pid of pids) t.equal(processStartTime(pid), undefined, `process ${pid} has ended`)
  t.match((await run('logs', 'talker')).out, /hello from blue/, 'logs stay')
  t.match((await run('down', '--purge')).out, /forgotten/)
  t.notOk(existsSync(join(home, 'store')))
})

t.test(
  'a table of images stands beside the manifests; a port that is taken is told, and no URL is shown',
  async (t) => {
    const home = tempHome()
    t.teardown(() => removeHome(home))
    const run = (...args: string[]): Promise<Ran> => cli(args, { home })
    t.teardown(() => run('down'))
    const taken = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    t.teardown(() => taken.close())
    const { port } = taken.address() as AddressInfo
    const files = join(home, 'files')
    mkdirSync(files)
    const bare = deployment('talker', TALKER).replace(/ +pocketmesh.dev\/command.*\n/, '')
    const service = `
apiVersion: v1
kind: Service
metadata: {name: talker, annotations: {pocketmesh.dev/publish: "${port}"}}
spec: {selector: {app: talker}, ports: [{name: http, port: 80}]}`
    writeFileSync(join(files, 'mesh.yaml'), bare + service)

    const without = await run('up', '-f', files, '-d', '--wait', '--intercept', 'env')
    t.same([without.code, /error: cannot become ready: talker-0/.test(without.err)], [75, true], without.err)
    t.match(
      without.out,
      /talker-0: no command for container "app": .* list image "none" under images: in .*pocketmesh.yaml/,
    )
    t.match(without.out, new RegExp(`Service talker cannot be published: port ${port} is taken by another program`))
    t.notMatch(without.out, 'http://127.0.0.1')

    writeFileSync(join(files, 'pocketmesh.yaml'), `images: {none: ${JSON.stringify(TALKER)}}`)
    const up = await run('up', '-f', files, '-d', '--wait', '--intercept', 'env')
    t.equal(up.code, 0, up.out + up.err)
    t.match((await run('logs', 'talker')).out, /hello from blue/)
  },
)

t.test('up in the foreground shows logs, and ends with its programs on Ctrl-C with 130', async (t) => {
  const home = tempHome()
  t.teardown(() => removeHome(home))
  writeFileSync(join(home, 'mesh.yaml'), deployment('talker', 'while :; do echo tick; sleep 0.1; done'))
  const { command, args } = entryCommand('cli')
  const up = spawn(command, [...args, '--home', home, 'up', '--intercept', 'env', join(home, 'mesh.yaml')])
  t.teardown(() => up.kill('SIGKILL'))
  let out = ''
  up.stdout.setEncoding('utf8').on('data', (text: string) => (out += text))
  up.stderr.resume()
  while (!/^talker-0 \| tick$/m.test(out)) await once(up.stdout, 'data')
  t.match(out, /all 1 ready/)
  const second = await cli(['up', '-f', join(home, 'mesh.yaml')], { home })
  t.same([second.code, /a mesh is running in .* already/.test(second.err)], [1, true])
  const pid = JSON.parse((await cli(['ps', '-o', 'json'], { home })).out).pods[0].pid
  up.kill('SIGINT')
  t.same(await exitOf(up), [130, null])
  t.equal(processStartTime(pid), undefined)
})

import { mkdirSync, writeFileSync } from 'node:fs'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import t from 'tap'
import { entryCommand } from '../../src/lib/entry.ts'
import { DEPLOYMENT, ROUTE, SERVICE } from '../control/api/api-harness.ts'
import { cli, exitOf, removeHome, startControl, tempHome, type Ran } from './processes.ts'

const home = tempHome()
t.teardown(() => removeHome(home))
const run = (args: string[], input?: string): Promise<Ran> =>
  cli(args, { home, ...(input === undefined ? {} : { input }) })

t.test('without a mesh: help and version work, calls end with 69, slips with 64, bad files with 65', async (t) => {
  const rows: [args: string[], code: number, out: RegExp, err: RegExp][] = [
    [['version'], 0, /^pocketmesh \d+\.\d+\.\d+\n$/, /^$/],
    [['--help'], 0, /proxy-config[^]*completion/, /^$/],
    [['help', 'apply'], 0, /Examples:\n {2}# A file\n {2}pocketmesh apply -f canary\.yaml/, /^$/],
    [['explain', 'vs.spec.htp'], 64, /^$/, /did you mean "VirtualService\.spec\.http"/],
    [['completion', 'bash'], 0, /complete -o default -F _pocketmesh pocketmesh/, /^$/],
    [['get', 'vs'], 69, /^$/, /no control plane is running in .*pocketmesh up/],
    [['help', 'aply'], 64, /^$/, /there is no verb "aply"; did you mean "apply"\?/],
    [['control', '--help'], 0, /--trust-domain NAME/, /^$/],
    [['gte', 'vs'], 64, /^$/, /there is no verb "gte"; did you mean "get"\?/],
    [['get', 'vs', '--outptu', 'json'], 64, /^$/, /unknown option '--outptu'[^]*--output/],
    [['authz', 'check', '--from', 'a'], 64, /^$/, /--to/],
    [['authz', 'check', '--from', 'a', '--to', 'b'], 69, /^$/, /no control plane is running/],
    [['apply', '-f', '/no/such'], 65, /^$/, /no file or folder/],
    [['control', '--ttl', 'x'], 64, /^$/, /--ttl is in seconds/],
    [['check', '--pre', '-o', 'json'], 0, /"title": "machine"/, /^$/],
    [['down'], 0, /no mesh was running/, /^$/],
  ]
  const all = await Promise.all(rows.map(([args]) => run(args)))
  for (const [i, [args, code, out, err]] of rows.entries()) {
    const ran = all[i] ?? { code: null, out: '', err: '' }
    const what = args.join(' ')
    t.equal(ran.code, code, `${what}: ${ran.err}`)
    t.match(ran.out, out, what)
    t.match(ran.err, err, what)
  }
})

t.test('objects are applied, compared, listed, watched and deleted through a real control plane', async (t) => {
  const control = await startControl(home)
  t.teardown(() => control.kill())

  const files = join(home, 'files')
  mkdirSync(files)
  writeFileSync(join(files, 'b-route.yaml'), ROUTE(10))
  writeFileSync(join(files, 'a.yml'), `${SERVICE}--- \n${DEPLOYMENT}`)
  writeFileSync(join(files, 'readme.txt'), 'not: [yaml')

  const dry = await run(['apply', '-f', files, '--dry-run'])
  t.match(dry.out, /^service\/checkout-service created \(dry run\)\n/)
  const applied = await run(['apply', '-f', files])
  t.equal(
    applied.out,
    'service/checkout-service created\ndeployment/checkout-v1 created\nvirtualservice/checkout-route created\nrevision 1 stored; no proxy is connected\n',
    applied.err,
  )
  t.match((await run(['apply', files])).out, /virtualservice\/checkout-route unchanged/)

  const [same, diff, bad] = await Promise.all([
    run(['diff', '-f', files]),
    run(['diff', '-f', '-'], ROUTE(50)),
    run(['apply', '-f', '-'], ROUTE(50).replace('hosts', 'hostz')),
  ])
  t.equal(same.code, 0)
  t.equal(diff.code, 1)
  t.match(diff.out, /--- live\/virtualservice\/default\/checkout-route[^]*\n-.*weight: 90\n\+.*weight: 50/)

  const blank = await run(['apply', '-f', '-'], '# nothing\n--- \n')
  t.same([blank.code, blank.err], [65, 'error: there is no object in what was given\n'])

  t.equal(bad.code, 65)
  t.match(bad.err, /^\(stdin\):7:3 {2}error[^]*\n {4}7 \| {3}hostz: \[checkout-service\]\n/)

  t.match((await run(['get', 'vs'])).out, /^NAME +GATEWAYS +HOSTS +AGE\ncheckout-route +- +checkout-service +\d+s\n$/)
  t.match((await run(['get', 'svc', '-A', '-o', 'wide'])).out, /^NAMESPACE[^]*240\.240\.0\.\d+ +8080\/http[^]*a\.yml:1/)
  t.equal((await run(['get', 'vs', '-l', 'app=checkout', '-o', 'name'])).out, 'virtualservice/checkout-route\n')
  const none = await run(['get', 'dr', '-n', 'other'])
  t.same([none.code, none.out], [0, ''])
  t.match(none.err, /nothing found in namespace "other"/)
  t.match((await run(['get', 'all'])).out, /# services[^]*# deployments[^]*# virtualservices/)
  t.match(
    (await run(['describe', 'svc/checkout-service'])).out,
    /none: no pod[^]*VirtualServices:\n {2}checkout-route\.default/,
  )
  t.match(
    (await run(['describe', 'deploy', 'checkout-v1'])).out,
    /Kind: +Deployment \(apps\/v1\)[^]*pocketmesh\.dev\/command/,
  )

  const yaml = await run(['get', 'vs', 'checkout-route', '-o', 'yaml'])
  t.equal((await run(['apply', '-f', '-'], yaml.out)).out.split('\n')[0], 'virtualservice/checkout-route unchanged')
  const list = JSON.parse((await run(['get', 'svc,vs', '-o', 'json'])).out)
  t.same([list.kind, list.items.length], ['List', 2])

  t.match((await run(['proxy-status'])).err, /no proxy is connected/)
  t.match((await run(['cert', 'ls'])).out, /^root [0-9a-f]+ /)
  t.equal((await run(['check'])).code, 79)

  const { command, args } = entryCommand('cli')
  const watch = spawn(command, [...args, '--home', home, 'get', 'vs', '-w'])
  const lines: string[] = []
  watch.stdout.setEncoding('utf8').on('data', (text: string) => lines.push(...text.split('\n')))
  await once(watch.stdout, 'data')
  t.match((await run(['delete', '-f', files])).out, /virtualservice\/checkout-route deleted/)
  while (!lines.some((line) => line === 'virtualservice/checkout-route deleted')) await once(watch.stdout, 'data')
  watch.kill('SIGINT')
  t.not((await exitOf(watch))[0], 0)
  const gone = await run(['delete', 'vs', 'checkout-route'])
  t.same([gone.code, gone.err], [1, 'error: there is no VirtualService "checkout-route" in namespace "default"\n'])
  t.equal((await run(['delete', 'vs/checkout-route', '--ignore-not-found'])).code, 0)
})

t.test(
  'a second control plane is refused with the first one’s PID; the first ends with its stdin or a signal',
  async (t) => {
    const own = tempHome()
    t.teardown(() => removeHome(own))
    const first = await startControl(own, ['--exit-with-stdin'])
    const second = await cli(['control', '--home', own], { home: own })
    t.equal(second.code, 1)
    t.match(second.err, new RegExp(`^control: another control plane holds .*PID ${first.pid}, started 20.*\n$`))
    first.stdin?.end()
    t.same(await exitOf(first), [0, null])
    const third = await startControl(own)
    third.kill('SIGTERM')
    t.same(await exitOf(third), [0, null])
  },
)

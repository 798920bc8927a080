/** What leaves the mesh, under both outbound traffic policies; the world outside is a namespace of the test's own. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import t from 'tap'
import { requireNamespaces, requireTool } from '../helpers/tools.ts'

const UNSHARE = ['--user', '--map-root-user', '--net', '--mount', '--fork', '--kill-child', '--']

t.test('egress from pods of mode ns', async (t) => {
  if (!(await requireNamespaces(t)) || !requireTool(t, 'curl') || !requireTool(t, 'bash')) return
  const inside = [process.execPath, '--import=tsx', 'test/e2e/egress-process.ts']
  const child = spawn('unshare', [...UNSHARE, ...inside], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  const ended = once(child, 'exit')
  const got = new Map<string, { code: number; out: string }>()
  for await (const line of createInterface({ input: child.stdout })) {
    const { name, code, out } = JSON.parse(line) as { name: string; code: number; out: string }
    got.set(name, { code, out })
  }
  t.same(await ended, [0, null])

  for (const workload of ['client', 'plain']) {
    t.match(got.get(`ALLOW_ANY ${workload} by name`), { code: 0, out: 'outside saw outside.example' })
    t.match(got.get(`ALLOW_ANY ${workload} by address`), { code: 0, out: /^outside saw 198.51.100.7 200$/ })
    t.match(got.get(`ALLOW_ANY ${workload} other port`), { code: 0, out: 'word' })
    t.notMatch(got.get(`ALLOW_ANY ${workload} this machine`)?.out, / 200$/, 'this machine is not the outside world')
    t.match(got.get(`REGISTRY_ONLY ${workload} by name`), { code: 6 }, 'it has no name')
    t.notMatch(got.get(`REGISTRY_ONLY ${workload} by address`)?.out, / 200$/)
    t.not(got.get(`REGISTRY_ONLY ${workload} other port`)?.code, 0)
  }
})

/** What is said of a machine that does not allow mode `ns`: each step with the one setting that would. */
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { namespaceSupport } from '../../src/supervisor/ns/support.ts'
import { chooseMode } from '../../src/supervisor/intercept.ts'
import { requireNamespaces } from '../helpers/tools.ts'

type Row = [what: RegExp, tool: string, at: string, hint: RegExp]

const IPV6: Row = [/the same for IPv6/, 'ip', '-6 route', /ipv6\.disable/]
const BROKEN: Row[] = [
  [/user namespaces \(broken\)/, 'unshare', '--map-root-user', /sysctl|container|sandbox/],
  [/network namespaces/, 'ip', 'link set lo', /sysctl|container|sandbox/],
  [/veth/, 'ip', 'veth', /modprobe veth/],
  [/every address local/, 'ip', 'local default', /CONFIG_IP_MULTIPLE_TABLES/],
  ...(existsSync('/proc/sys/net/ipv6') ? [IPV6] : []),
  [/entering namespaces/, 'nsenter', '--net', /setns|container/],
  [/private folders/, 'mount', 'tmpfs', /sysctl|container|sandbox/],
  [/read-only folders/, 'mount', 'remount', /sysctl|container|sandbox/],
  [/a \/proc of its own/, 'mount', '-t proc', /unmount|systempaths/],
  [/without capabilities/, 'setpriv', '--bounding-set', /util-linux must be/],
]

/** A tool that fails at one thing, before the real ones on PATH. */
function breakTool(t: Test, tool: string, at: string, says = 'broken'): void {
  const path = process.env['PATH'] ?? ''
  const bin = t.testdir()
  const script = `#!/bin/sh\ncase "$*" in *"${at}"*) echo ${says} >&2; exit 1;; esac\nPATH='${path}' exec ${tool} "$@"\n`
  writeFileSync(join(bin, tool), script, { mode: 0o755 })
  process.env['PATH'] = `${bin}:${path}`
}

t.test('hints follow what was said, and where it runs', async (t) => {
  if (!(await requireNamespaces(t))) return
  const { PATH: path = '', KUBERNETES_SERVICE_HOST: kubernetes } = process.env
  t.teardown(() => {
    process.env['PATH'] = path
    if (kubernetes === undefined) delete process.env['KUBERNETES_SERVICE_HOST']
  })
  breakTool(t, 'unshare', '--map-root-user', 'unshare failed: No space left on device')
  t.match((await namespaceSupport()).findings.at(-1), { hint: /user\.max_user_namespaces=/ })
  process.env['PATH'] = path
  breakTool(t, 'mount', '-t proc')
  process.env['KUBERNETES_SERVICE_HOST'] = '10.0.0.1'
  t.match((await namespaceSupport()).findings.at(-1), { hint: /procMount: Unmasked/ })
})

t.test('a machine that does not allow it', async (t) => {
  if (!(await requireNamespaces(t))) return
  const path = process.env['PATH'] ?? ''
  t.teardown(() => (process.env['PATH'] = path))
  for (const [what, tool, at, hint] of BROKEN) {
    process.env['PATH'] = path
    breakTool(t, tool, at)
    const { ok, findings } = await namespaceSupport()
    t.notOk(ok, at)
    t.match(findings.at(-1), { level: 'bad', what, hint })
    t.equal(findings.filter((finding) => finding.level === 'bad').length, 1)
  }
  t.equal(await chooseMode('auto'), 'env')
  await t.rejects(chooseMode('ns'), /mode ns is not possible here: not to be had: .*: /)
  process.env['PATH'] = path
  t.equal(await chooseMode('auto'), 'ns')
  t.equal(await chooseMode('env'), 'env')
})

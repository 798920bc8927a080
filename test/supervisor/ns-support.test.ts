/** What is said of a machine that does not allow mode `ns`: each step with the one setting that would. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { namespaceSupport } from '../../src/supervisor/ns/support.ts'
import { chooseMode } from '../../src/supervisor/intercept.ts'
import { requireNamespaces } from '../helpers/tools.ts'

/** Tools that fail at one thing, before the real ones on PATH. */
const BROKEN: [what: RegExp, tool: string, at: string, hint: RegExp][] = [
  [/user namespaces \(broken\)/, 'unshare', '--map-root-user', /sysctl|container|sandbox/],
  [/network namespaces/, 'ip', 'link set lo', /sysctl|container|sandbox/],
  [/veth/, 'ip', 'veth', /modprobe veth/],
  [/every address local/, 'ip', 'local default', /CONFIG_IP_MULTIPLE_TABLES/],
  [/private folders/, 'mount', 'tmpfs', /sysctl|container|sandbox/],
  [/a \/proc of its own/, 'mount', '-t proc', /unmount|systempaths/],
  [/without capabilities/, 'setpriv', '--bounding-set', /util-linux must be/],
]

t.test('a machine that does not allow it', async (t) => {
  if (!(await requireNamespaces(t))) return
  const path = process.env['PATH'] ?? ''
  t.teardown(() => (process.env['PATH'] = path))
  for (const [what, tool, at, hint] of BROKEN) {
    const bin = t.testdir()
    const script = `#!/bin/sh\ncase "$*" in *"${at}"*) echo broken >&2; exit 1;; esac\nPATH='${path}' exec ${tool} "$@"\n`
    writeFileSync(join(bin, tool), script, { mode: 0o755 })
    process.env['PATH'] = `${bin}:${path}`
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

import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import t from 'tap'

/** Rows: a file that must not be, what it imports, and a word of the reason that the linter gives. */
const PLANTED = [
  ['src/sidecar/route/x.ts', '../../control/store/store.ts', 'data plane'],
  ['src/sidecar/codec/x.ts', '../listener/listener.ts', 'walks down'],
  ['src/sidecar/filter/x.ts', '../stream/stream.ts', 'the exchange alone'],
  ['src/sidecar/route/y.ts', '../filter/chain.ts', 'walks down'],
  ['src/control/api/x.ts', '../../sidecar/exchange.ts', 'control plane'],
  ['src/control/translate/x.ts', '../store/store.ts', 'pure function'],
  ['src/config/x.ts', '../control/store/store.ts', 'documents'],
  ['src/xds/x.ts', '../config/object.ts', 'contract'],
  ['src/identity/x.ts', '../xds/names.ts', 'both planes'],
  ['src/lib/x.ts', '../config/object.ts', 'leaves'],
  ['src/supervisor/hook.ts', '../lib/home.ts', 'hook'],
  ['src/cli/x.ts', '../sidecar/exchange.ts', 'speaks the API'],
  ['src/attacks/x.ts', '../sidecar/exchange.ts', 'from outside'],
  ['src/supervisor/x.ts', '../attacks/list.ts', 'over their APIs'],
] as const

t.test('an import against the layers is refused by the linter, with its reason', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'borders-'))
  t.teardown(() => rmSync(dir, { recursive: true }))
  copyFileSync('.oxlintrc.json', join(dir, '.oxlintrc.json'))
  for (const [file, specifier] of PLANTED) {
    mkdirSync(dirname(join(dir, file)), { recursive: true })
    writeFileSync(join(dir, file), `import type { X } from '${specifier}'\nexport type Y = X\n`)
  }
  const reports = lint(dir, 'src').split(/\n\s*\n/)
  for (const [file, , reason] of PLANTED) {
    const report = reports.find((r) => r.includes(`[${file}:`)) ?? ''
    t.match(report, 'no-restricted-imports', `${file} is caught`)
    t.match(report, reason, `${file} is told why`)
  }
})

t.test('a circle of imports is refused', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'circle-'))
  t.teardown(() => rmSync(dir, { recursive: true }))
  copyFileSync('.oxlintrc.json', join(dir, '.oxlintrc.json'))
  mkdirSync(join(dir, 'src/lib'), { recursive: true })
  writeFileSync(join(dir, 'src/lib/a.ts'), "import { b } from './b.ts'\nexport const a = (): number => b()\n")
  writeFileSync(join(dir, 'src/lib/b.ts'), "import { a } from './a.ts'\nexport const b = (): number => a()\n")
  t.match(lint(dir, 'src/lib'), 'no-cycle')
})

/** Without the environment of the test run: its NODE_OPTIONS are not the linter's. */
function lint(cwd: string, path: string): string {
  try {
    const env = { PATH: process.env['PATH'] }
    return execFileSync(resolve('node_modules/.bin/oxlint'), [path], { cwd, env, encoding: 'utf8' })
  } catch (error) {
    return (error as { stdout: string }).stdout
  }
}

/**
 * Builds dist/: one bundle for each kind of process, so that each loads only what it needs.
 * In: src/. Out: dist/{pocketmesh,control,sidecar,hook,guardian,load,attacker}.js, dist/{sidecar,standalone}.cjs, and src/xds/generated/ before them.
 */
import { chmodSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, type BuildOptions } from 'esbuild'
import { buildProtos } from './protos.ts'

const root = join(dirname(fileURLToPath(import.meta.url)), '../..')
const at = (path: string): string => join(root, path)

/** Bundled CommonJS packages call require for Node's own modules. */
const REQUIRE =
  "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);"

const common: BuildOptions = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  target: 'node20.19',
  format: 'esm',
  outdir: at('dist'),
  // names stay, so that a stack trace can be read
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: 'none',
  logLevel: 'warning',
  // native binaries beside it: it cannot be part of a bundle
  external: ['lmdb'],
}

const script: BuildOptions = {
  ...common,
  format: 'cjs',
  outExtension: { '.js': '.cjs' },
  define: { 'import.meta.url': 'undefined' },
  // a function's expression, as boot.ts runs it: joined at run time, it would be there twice
  banner: { js: '(function (exports, require, module) {' },
  footer: { js: '})' },
}

/** A generated schema newer than all that it is made of needs no rebuild. */
function protosAreCurrent(): boolean {
  const time = (path: string): number => statSync(at(path), { throwIfNoEntry: false })?.mtimeMs ?? 0
  const inputs = [
    'src/build/protos.ts',
    'src/build/xds-fields.ts',
    'src/xds/istio.proto',
    'src/xds/nds.proto',
    'package-lock.json',
  ]
  return time('src/xds/generated/xds.js') > Math.max(...inputs.map(time))
}

if (!protosAreCurrent()) await buildProtos()
rmSync(at('dist'), { recursive: true, force: true })
await Promise.all([
  build({ ...common, entryPoints: { control: at('src/control/main.ts') }, banner: { js: REQUIRE } }),
  // scripts, for which V8 keeps what it has compiled; boot.ts calls the main of one: what the other needs is not in it
  build({ ...script, entryPoints: { sidecar: at('src/sidecar/main.ts') }, external: ['*/standalone/main.ts'] }),
  build({ ...script, entryPoints: { standalone: at('src/sidecar/standalone/main.ts') } }),
  build({ ...common, entryPoints: { load: at('src/demo/load-worker.ts') }, banner: { js: REQUIRE } }),
  build({
    ...common,
    entryPoints: { pocketmesh: at('src/cli/main.ts') },
    banner: { js: `#!/usr/bin/env node\n${REQUIRE}` },
  }),
  build({
    ...common,
    entryPoints: {
      hook: at('src/supervisor/hook.ts'),
      guardian: at('src/supervisor/guardian.ts'),
      attacker: at('src/attacks/program.ts'),
      sidecar: at('src/sidecar/boot.ts'),
    },
  }),
])
// `npm link` points to it
chmodSync(at('dist/pocketmesh.js'), 0o755)

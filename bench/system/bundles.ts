/**
 * The benchmark's own helper processes (load, application, gRPC peers) as single files of JavaScript: they start fast,
 * and no loader takes time on their core. In: nothing. Out: file names in a folder of the caller.
 */
import { build } from 'esbuild'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ENTRIES = {
  load: '../load/main.ts',
  responder: '../app/responder.ts',
  tlsServer: '../app/tls-server.ts',
  grpcServer: '../grpc/server.ts',
  grpcClient: '../grpc/client.ts',
} as const

export type BundleName = keyof typeof ENTRIES
export type Bundles = Readonly<Record<BundleName, string>>

export async function makeBundles(folder: string): Promise<Bundles> {
  const names = Object.keys(ENTRIES) as BundleName[]
  await build({
    entryPoints: names.map((name) => ({ in: fileURLToPath(new URL(ENTRIES[name], import.meta.url)), out: name })),
    outdir: folder,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    outExtension: { '.js': '.mjs' },
    // packages in CommonJS ask for Node's modules with require
    banner: { js: `import { createRequire } from 'node:module'\nconst require = createRequire(import.meta.url)` },
    logLevel: 'error',
  })
  return Object.fromEntries(names.map((name) => [name, join(folder, `${name}.mjs`)])) as Bundles
}

import { build } from 'esbuild'
for (const splitting of [false, true])
  await build({
    bundle: true,
    platform: 'node',
    target: 'node20.19',
    format: 'esm',
    splitting,
    outdir: splitting ? 'dist-s' : 'dist',
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: 'none',
    external: ['lmdb'],
    entryPoints: { sidecar: 'src/sidecar/main.ts' },
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
    },
  })

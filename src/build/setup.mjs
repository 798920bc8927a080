/**
 * `npm run setup`: what `npm start` and `npm test` share. Installs if the lockfile changed since the last install,
 * builds if a source changed since the last build, and says nothing when there is nothing to do.
 * Plain JavaScript of Node alone: it runs before anything is installed.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '../..')
process.chdir(root)

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`pocketmesh needs Node 20.19 or newer; this is ${process.versions.node}`)
  process.exit(1)
}

const say = (text) => console.error(`setup: ${text}`)
const read = (file) => (existsSync(file) ? readFileSync(file, 'utf8') : '')
const run = (command, args) => {
  try {
    execFileSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'] })
  } catch {
    console.error(`setup: \`${command} ${args.join(' ')}\` failed; its own message stands above`)
    process.exit(1)
  }
}

const installStamp = 'node_modules/.pocketmesh-install'
const installKey = createHash('sha256').update(readFileSync('package-lock.json')).digest('hex')
if (read(installStamp) !== installKey) {
  say('installing the packages of package-lock.json')
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'])
  // tap compiles its plugin set after an install; without it the first test run fails
  run(process.execPath, ['node_modules/tap/dist/esm/run.mjs', 'build'])
  writeFileSync(installStamp, installKey)
}

/** Path, size and time of everything that the build reads. */
function sourceKey() {
  const hash = createHash('sha256').update(installKey)
  const visit = (dir) => {
    for (const entry of readdirSync(dir, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = join(dir, entry.name)
      if (entry.name === 'generated') continue
      if (entry.isDirectory()) visit(path)
      else {
        const { size, mtimeMs } = statSync(path)
        hash.update(`${path} ${size} ${mtimeMs}\n`)
      }
    }
  }
  visit('src')
  return hash.digest('hex')
}

const buildStamp = 'dist/.stamp'
const buildKey = sourceKey()
if (read(buildStamp) !== buildKey) {
  say('building dist/')
  run(process.execPath, ['--import=tsx', 'src/build/build.ts'])
  writeFileSync(buildStamp, buildKey)
}

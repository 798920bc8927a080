/** Programs that are run by hand: flags that are none of theirs. */
import { spawnSync } from 'node:child_process'
import t from 'tap'

t.test('wrong flags end with the usage, and without a stack', (t) => {
  for (const [program, flags, status, said] of [
    ['faults', ['--help'], 0, /^npm run faults/],
    ['faults', ['--bogus'], 64, /^Unknown option '--bogus'\n\nnpm run faults/],
    ['faults', ['--rows', '4,99'], 64, /^no such row: 99\n/],
    ['faults', ['--rows', 'x-3'], 64, /^no such row: x-3\n/],
    ['fuzz', ['--help'], 0, /^npm run fuzz/],
    ['fuzz', ['--h1', '1e9'], 64, /^--h1 takes whole numbers, not "1e9"\n/],
  ] as const) {
    const args = ['--import=tsx', `test/${program}/main.ts`, ...flags]
    const { status: code, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
    t.equal(code, status, `${program} ${flags.join(' ')}`)
    t.match(stdout + stderr, said)
    t.notMatch(stderr, /\n +at /)
  }
  t.end()
})

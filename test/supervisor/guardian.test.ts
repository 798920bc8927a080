import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { entryCommand } from '../../src/lib/entry.ts'

/** Runs a guardian over these names in a folder of sockets until its supervisor is gone; gives what it left. */
async function leftBy(t: Test, lastWords: string): Promise<string[]> {
  const dir = t.testdir({})
  // one that cannot be removed, as one that another process removes first
  mkdirSync(join(dir, 'a.sock'))
  for (const name of ['b.sock', 'notes.txt', 'z.sock']) writeFileSync(join(dir, name), '')
  const { command, args } = entryCommand('guardian')
  const guardian = spawn(command, [...args, dir], { stdio: ['pipe', 'ignore', 'inherit'] })
  guardian.stdin.end(lastWords)
  t.same(await once(guardian, 'exit'), [0, null])
  return readdirSync(dir)
}

t.test('a guardian removes every socket it can when the supervisor is gone', async (t) => {
  t.same(await leftBy(t, ''), ['a.sock', 'notes.txt'])
})

t.test('after an orderly end it leaves them to the supervisor', async (t) => {
  t.same(await leftBy(t, '.\n'), ['a.sock', 'b.sock', 'notes.txt', 'z.sock'])
})

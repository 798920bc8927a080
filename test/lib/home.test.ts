import { lstatSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { homeLayout, makeHome } from '../../src/lib/home.ts'
import t from 'tap'

t.test('a deep home keeps its sockets in a short folder outside', async (t) => {
  const home = homeLayout(`/tmp/${'deep/'.repeat(30)}`)
  t.ok(Buffer.byteLength(home.controlSocket) < 104)
  t.notOk(home.controlSocket.startsWith(home.dir))
})

t.test('an ordinary home keeps them inside', async (t) => {
  const home = homeLayout('/tmp/mesh')
  t.equal(home.controlSocket, '/tmp/mesh/run/control.sock')
})

t.test('folders are made for this user only', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'home-'))
  t.teardown(() => rmSync(dir, { recursive: true }))
  const home = homeLayout(join(dir, 'mesh'))
  mkdirSync(home.socketDir, { recursive: true, mode: 0o755 })
  makeHome(home)
  for (const folder of [home.socketDir, home.caDir, home.logsDir]) t.equal(lstatSync(folder).mode & 0o777, 0o700)
})

t.test('a folder of sockets that leads elsewhere is refused', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'home-'))
  t.teardown(() => rmSync(dir, { recursive: true }))
  const home = homeLayout(dir)
  symlinkSync(tmpdir(), home.socketDir)
  t.throws(() => makeHome(home), /not a folder of this user/)
})

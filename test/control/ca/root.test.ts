/** The root on disk: made once, kept, and refused when somebody else could have read or replaced it. */
import { X509Certificate } from 'node:crypto'
import {
  chmodSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openRoot } from '../../../src/control/ca/root.ts'

const YEAR_MS = 365 * 86_400_000

function folder(t: Test): string {
  const dir = mkdtempSync(join(tmpdir(), 'pm-root-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  return join(dir, 'ca')
}

t.test('a root is made once, for ten years, in private files', async (t) => {
  const dir = folder(t)
  const now = Date.now()
  const first = openRoot(dir, 'cluster.local', now)
  t.equal(statSync(dir).mode & 0o777, 0o700)
  t.equal(statSync(join(dir, 'root-key.pem')).mode & 0o777, 0o600)
  t.equal(statSync(join(dir, 'root-cert.pem')).mode & 0o777, 0o600)
  t.equal(Math.round((first.notAfterEpochMs - now) / YEAR_MS), 10)
  const certificate = new X509Certificate(first.pem)
  t.ok(certificate.ca)
  t.ok(certificate.verify(certificate.publicKey))
  t.equal(certificate.publicKey.asymmetricKeyDetails?.namedCurve, 'prime256v1')
  t.equal(openRoot(dir, 'cluster.local', now + 1000).pem, first.pem, 'the same one at the next start')
})

t.test('a start that was killed between key and certificate goes on', async (t) => {
  const dir = folder(t)
  openRoot(dir, 'cluster.local', Date.now())
  const key = readFileSync(join(dir, 'root-key.pem'), 'utf8')
  unlinkSync(join(dir, 'root-cert.pem'))
  openRoot(dir, 'cluster.local', Date.now())
  t.equal(readFileSync(join(dir, 'root-key.pem'), 'utf8'), key)
})

t.test('what may have been read or replaced by others is refused', async (t) => {
  type Break = (dir: string, key: string, certificate: string) => void
  const rows: [string, Break, RegExp][] = [
    ['a key that the group may read', (_dir, key) => chmodSync(key, 0o640), /open to others \(mode 640\)/],
    ['a key that all may write', (_dir, key) => chmodSync(key, 0o602), /open to others/],
    ['an open folder', (dir) => chmodSync(dir, 0o755), /open to others \(mode 755\)/],
    ['an open certificate', (_dir, _key, certificate) => chmodSync(certificate, 0o644), /open to others/],
    [
      'a link in place of the key',
      (_dir, key) => (renameSync(key, `${key}.x`), symlinkSync(`${key}.x`, key)),
      /symbolic link/,
    ],
    ['a damaged key', (_dir, key) => writeFileSync(key, 'x'), /damaged/],
    ['no key', (_dir, key) => unlinkSync(key), /bring the key back/],
    ['a damaged certificate', (_dir, _key, certificate) => writeFileSync(certificate, 'x'), /no PEM block/],
  ]
  for (const [name, spoil, message] of rows) {
    const dir = folder(t)
    openRoot(dir, 'cluster.local', Date.now())
    spoil(dir, join(dir, 'root-key.pem'), join(dir, 'root-cert.pem'))
    t.throws(() => openRoot(dir, 'cluster.local', Date.now()), { code: 'CA_ROOT', message }, name)
  }
})

t.test('a root of another trust domain, of another key, or past its time is refused', async (t) => {
  const [dir, other] = [folder(t), folder(t)]
  openRoot(dir, 'cluster.local', Date.now())
  openRoot(other, 'cluster.local', Date.now())
  t.throws(() => openRoot(dir, 'example.org', Date.now()), {
    code: 'CA_ROOT',
    message: /not of spiffe:\/\/example.org/,
  })
  t.throws(() => openRoot(dir, 'cluster.local', Date.now() + 11 * YEAR_MS), { message: /not valid now/ })
  writeFileSync(join(dir, 'root-cert.pem'), readFileSync(join(other, 'root-cert.pem')))
  t.throws(() => openRoot(dir, 'cluster.local', Date.now()), { message: /do not belong together/ })
})

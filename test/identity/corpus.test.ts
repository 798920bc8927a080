/** Published cases of others, where the folder with them is there. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { whyUntrusted } from '../../src/identity/chain.ts'
import { parseBundle, parsePem } from '../../src/identity/pem.ts'
import { parseSpiffeId } from '../../src/identity/spiffe-id.ts'
import { loadSvid, verifySvid } from '../../src/identity/svid.ts'
import { requireShared } from '../helpers/tools.ts'

function rows<T>(folder: string, file: string): T[] {
  const lines = readFileSync(join(folder, 'corpus', 'x509', file), 'utf8')
    .trim()
    .split('\n')
  return lines.map((line) => JSON.parse(line) as T)
}

t.test('SPIFFE IDs are parsed as the SPIFFE project parses them', async (t) => {
  const folder = requireShared(t)
  if (folder === undefined) return
  for (const row of rows<{ id: string; input: string; verdict: string; path: string | null }>(
    folder,
    'spiffe-id.jsonl',
  )) {
    const verdict = parseSpiffeId(row.input)
    t.equal(verdict.ok, row.verdict === 'accept', `${row.id} ${row.input.slice(0, 80)}`)
    if (verdict.ok) t.equal(verdict.id.path, row.path)
  }
})

t.test('certificates and keys are loaded as SVIDs by the same verdicts', async (t) => {
  const folder = requireShared(t)
  if (folder === undefined) return
  interface Row {
    id: string
    certificate_file: string
    key_file: string
    verdict: string
    spiffe_id: string | null
    certificates: number
  }
  for (const row of rows<Row>(folder, 'svid.jsonl')) {
    const verdict = loadSvid(row.certificate_file, row.key_file)
    t.equal(verdict.ok, row.verdict === 'accept', `${row.id}: ${verdict.ok ? 'accepted' : verdict.reason}`)
    if (!verdict.ok) continue
    t.equal(verdict.loaded.spiffeId, row.spiffe_id)
    t.equal(verdict.loaded.certificates.length, row.certificates)
  }
})

t.test('a bundle holds certificates, whole ones, and nothing else', async (t) => {
  const folder = requireShared(t)
  if (folder === undefined) return
  for (const row of rows<{ id: string; pem: string; verdict: string }>(folder, 'bundle.jsonl'))
    t.equal(parseBundle(row.pem).ok, row.verdict === 'accept', row.id)
})

t.test(
  'no path that OpenSSL and the RFC refuse is taken, and none is refused that needs no more than a root',
  async (t) => {
    const folder = requireShared(t)
    if (folder === undefined) return
    interface Row {
      id: string
      level: string
      verdict: string
      trusted_certs: string[]
      intermediates: string[]
      leaf: string
      validation_time: string | null
    }
    const first = (pem: string): Buffer => parsePem(pem)?.[0]?.der ?? Buffer.alloc(0)
    // names are the SVID rules' matter here (a DNS name never identifies); these two roots are odd, but ours alone
    const beyondPaths = /^webpki::san::|^webpki::aki::root-with-aki|^rfc5280::aki::cross-signed-root/
    const constrained = /::nc::/
    for (const row of rows<Row>(folder, 'limbo.jsonl')) {
      if (row.level !== 'must') continue
      const at = row.validation_time === null ? Date.now() : Date.parse(row.validation_time)
      const reason = whyUntrusted(first(row.leaf), row.trusted_certs.map(first), at)
      if (row.verdict === 'accept' && row.intermediates.length === 0 && !constrained.test(row.id))
        t.equal(reason, undefined, row.id)
      if (row.verdict !== 'reject') continue
      if (!beyondPaths.test(row.id)) t.type(reason, 'string', `${row.id}: ${reason}`)
      t.notOk(reason === undefined && verifySvid(first(row.leaf)).ok, row.id)
    }
  },
)

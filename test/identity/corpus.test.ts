/** Published cases of others, where the folder with them is there. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parseBundle } from '../../src/identity/pem.ts'
import { parseSpiffeId } from '../../src/identity/spiffe-id.ts'
import { loadSvid } from '../../src/identity/svid.ts'
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

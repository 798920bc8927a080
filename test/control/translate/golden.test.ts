/** Each test/golden/translate/NAME.yaml gives NAME.out.json. REFRESH_GOLDEN=1 writes the latter anew. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { translate } from '../../../src/control/translate/translate.ts'
import { resourceToJson } from '../../../src/xds/json.ts'
import { XDS_TYPES } from '../../../src/xds/type-urls.ts'
import { parseCase, startMesh, type Case, type TestMesh } from './mesh.ts'

const folder = fileURLToPath(new URL('../../golden/translate/', import.meta.url))
const refresh = process.env['REFRESH_GOLDEN'] === '1'

function shown(show: readonly string[], type: string, name: string): boolean {
  return show.some((entry) => {
    const [wantedType, wanted = '*'] = entry.split(' ')
    return wantedType === type && (wanted.endsWith('*') ? name.startsWith(wanted.slice(0, -1)) : name === wanted)
  })
}

function resourcesOf(mesh: TestMesh, { show }: Case, proxyName: string): object {
  const grpc = proxyName.startsWith('grpc:')
  const [podName, namespace] = proxyName.replace('grpc:', '').split('.')
  const snapshot = mesh.snapshot()
  const pod = snapshot.pods.get(`${namespace}/${podName}`)
  if (pod === undefined) throw new Error(`the case has no pod ${proxyName}`)
  const resources = translate(snapshot, { pod, grpc })
  const names: Record<string, string[]> = {}
  const bodies: Record<string, unknown> = {}
  for (const type of XDS_TYPES) {
    names[type] = [...resources[type].keys()].sort()
    for (const name of names[type]) {
      const resource = resources[type].get(name)
      if (resource !== undefined && shown(show, type, name)) bodies[`${type} ${name}`] = resourceToJson(resource.any)
    }
  }
  return { names, ...bodies }
}

for (const file of readdirSync(folder).filter((name) => name.endsWith('.yaml'))) {
  t.test(file.replace('.yaml', '').replaceAll('-', ' '), async (t) => {
    const golden = parseCase(readFileSync(folder + file, 'utf8'))
    const mesh = await startMesh(golden)
    const found = Object.fromEntries(golden.proxies.map((proxy) => [proxy, resourcesOf(mesh, golden, proxy)]))
    const outFile = folder + file.replace('.yaml', '.out.json')
    if (refresh) writeFileSync(outFile, `${JSON.stringify(found, null, 1)}\n`)
    t.same(found, JSON.parse(readFileSync(outFile, 'utf8')))
  })
}

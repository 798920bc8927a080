/** Envoy, where it is on PATH, with the very bootstrap files of the sidecars. */
import type { Missing, Setting } from '../subject.ts'
import type { Subject } from '../subject.ts'
import { BARE } from '../sidecar/features.ts'
import { oneHop, pair } from '../sidecar/sidecars.ts'
import type { HopStarter } from '../sidecar/sidecars.ts'
import { Child } from '../system/child.ts'
import { which } from '../system/which.ts'

export async function envoyPlain(setting: Setting): Promise<Subject | Missing> {
  const start = starter()
  return start === undefined ? { missing: 'envoy' } : oneHop(setting, { name: 'Envoy, one hop', features: BARE }, start)
}

export async function envoyMtls(setting: Setting): Promise<Subject | Missing> {
  const start = starter()
  if (start === undefined) return { missing: 'envoy' }
  return pair(setting, { name: 'Envoy, HTTP/2 mTLS', link: 'mtls-http2', features: BARE }, start)
}

function starter(): HopStarter | undefined {
  const envoy = which('envoy')
  if (envoy === undefined) return undefined
  const flags = ['--concurrency', '1', '--log-level', 'error', '--disable-hot-restart']
  return ({ name, file }) =>
    new Child({ name, role: 'proxy', command: envoy, args: ['-c', file, '--service-cluster', name, ...flags] })
}

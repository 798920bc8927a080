/** Whether the running mesh is well: control plane, supervisor, each pod and each proxy. */
import type { CertificateStatus, PodStatus, ProxyStatus } from '../client/contract.ts'
import { UnreachableError } from '../client/errors.ts'
import { VERSION } from '../client/version.ts'
import { ago, left } from './age.ts'
import type { CheckGroup, CheckResult } from './check.ts'
import type { Context } from './context.ts'
import { strictWarningNow } from './strict-warning.ts'

export async function meshChecks(context: Context): Promise<CheckGroup[]> {
  const control: CheckGroup = { title: 'control plane', results: await controlChecks(context) }
  const pods: CheckGroup = { title: 'pods', results: await podChecks(context) }
  const reachable = control.results.every((result) => result.level !== 'bad')
  if (!reachable) return [control, pods]
  const [proxies, certificates] = await Promise.all([context.control.proxies(), context.control.certificates()])
  const results = proxies.items.map((proxy) => proxyCheck(proxy, certificates.items, Date.now()))
  const refused = await strictWarningNow(context.control)
  if (refused !== undefined) pods.results.push({ level: 'warn', what: refused })
  return [control, pods, { title: 'proxies', results: results.length > 0 ? results : [noProxy()] }]
}

async function controlChecks({ control }: Context): Promise<CheckResult[]> {
  try {
    const info = await control.info()
    const results: CheckResult[] = [{ level: 'ok', what: `answers (PID ${info.pid}, revision ${info.revision})` }]
    if (info.version === VERSION) results.push({ level: 'ok', what: `has this program's version, ${VERSION}` })
    else
      results.push({
        level: 'warn',
        what: `has version ${info.version}, this program ${VERSION}`,
        hint: 'restart the mesh: pocketmesh down, then up',
      })
    return results
  } catch (error) {
    if (!(error instanceof UnreachableError)) throw error
    return [{ level: 'bad', what: 'does not answer', hint: error.message }]
  }
}

async function podChecks({ supervisor }: Context): Promise<CheckResult[]> {
  try {
    const { pods } = await supervisor.ps()
    return pods.length === 0 ? [{ level: 'warn', what: 'none: no Deployment has been applied' }] : pods.map(podCheck)
  } catch (error) {
    if (!(error instanceof UnreachableError)) throw error
    return [{ level: 'bad', what: 'no supervisor answers', hint: error.message }]
  }
}

export function podCheck(pod: PodStatus): CheckResult {
  const name = `${pod.name}.${pod.namespace}`
  if (pod.ready) return { level: 'ok', what: `${name} is ready` }
  const level = pod.state === 'starting' || pod.state === 'stopping' ? 'warn' : 'bad'
  return { level, what: `${name} is not ready: ${pod.state}`, hint: pod.reason ?? `see: pocketmesh logs ${pod.name}` }
}

/** Synced, nothing refused, and a certificate that is being renewed. */
export function proxyCheck(
  proxy: ProxyStatus,
  certificates: readonly CertificateStatus[],
  nowEpochMs: number,
): CheckResult {
  const { name, nack } = proxy
  if (nack !== undefined)
    return { level: 'bad', what: `${name} refused ${nack.type} ${ago(nack.at, nowEpochMs)}`, hint: nack.detail }
  const stale = Object.entries(proxy.types).filter(([, entry]) => entry.state === 'STALE')
  if (stale.length > 0)
    return {
      level: 'warn',
      what: `${name} has not acknowledged ${stale.map(([type]) => type).join(', ')}`,
      hint: `last ACK ${ago(proxy.lastAckAt, nowEpochMs)}`,
    }
  const certificate = certificates.find((item) => `${item.pod}.${item.namespace}` === name)
  if (certificate === undefined) return { level: 'warn', what: `${name} is synced; the CA knows no certificate of it` }
  const state = left(certificate.notAfter, nowEpochMs)
  if (Date.parse(certificate.notAfter) <= nowEpochMs)
    return {
      level: 'bad',
      what: `${name}: certificate ${state}`,
      hint: `see: pocketmesh logs ${certificate.pod} --proxy`,
    }
  return { level: 'ok', what: `${name} is synced, certificate ${state}` }
}

function noProxy(): CheckResult {
  return { level: 'warn', what: 'none is connected' }
}

/** What an attacker could find out in time, gathered at once. In: the mesh's APIs. Out: the facts of facts.ts. */
import { readdirSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ControlClient } from '../client/control.ts'
import type { Pod, PodStatus, ServiceView } from '../client/contract.ts'
import { PlainError } from '../client/errors.ts'
import type { SupervisorClient } from '../client/supervisor.ts'
import { entryCommand } from '../lib/entry.ts'
import type { Home } from '../lib/home.ts'
import type { Facts, Host, Target } from './facts.ts'

const NAMESPACE = 'default'
export const ATTACKER = 'frontend'
export const VICTIM = 'user-db'
/** May ask the victim. */
export const TRUSTED = 'payment'
const ALLOWED = 'checkout-service'

export interface MeshAccess {
  home: Home
  control: ControlClient
  supervisor: SupervisorClient
}

export async function gatherFacts(mesh: MeshAccess, host: Host, secret: string): Promise<Facts> {
  const { home, control, supervisor } = mesh
  const [info, ps, pods, services] = await Promise.all([
    control.info(),
    supervisor.ps(),
    control.pods(),
    control.services(),
  ])
  const target = (workload: string): Target => {
    const pod = found(pods.items, workload)
    const status = found(ps.pods, workload)
    return targetOf(pod, status, serviceOf(services.items, pod), info.trustDomain)
  }
  const own = found(pods.items, ATTACKER)
  const ownStatus = found(ps.pods, ATTACKER)
  const allowed = services.items.find((service) => service.name === ALLOWED)
  const { cwd } = await supervisor.env(VICTIM, NAMESPACE)
  return {
    mode: ps.mesh.intercept,
    secret,
    userDb: target(VICTIM),
    payment: target(TRUSTED),
    allowed: { name: ALLOWED, virtual: allowed?.addresses ?? [], port: allowed?.ports[0]?.port ?? 8080 },
    own: {
      pod: own.name,
      trustDomain: info.trustDomain,
      ...(own.outbound === undefined ? {} : own.outbound),
      ...(ownStatus.sidecar === null ? {} : { adminSocket: ownStatus.sidecar.adminSocket }),
    },
    mesh: home,
    host,
    programFiles: programFiles(cwd),
  }
}

function found<P extends Pod | PodStatus>(pods: readonly P[], workload: string): P {
  const pod = pods.find((one) => one.workload === workload && one.namespace === NAMESPACE)
  if (pod === undefined) throw new PlainError(`the attacks need a workload "${workload}", which is not there`)
  return pod
}

function serviceOf(services: readonly ServiceView[], pod: Pod): ServiceView {
  const service = services.find(({ endpoints }) => endpoints.some((one) => one.pod === pod.name))
  if (service === undefined) throw new PlainError(`no Service leads to ${pod.name}`)
  return service
}

function targetOf(pod: Pod, status: PodStatus, service: ServiceView, trustDomain: string): Target {
  const [port] = pod.ports
  if (port === undefined) throw new PlainError(`${pod.name} has no port`)
  const pids = [status.pid, status.sidecar?.pid ?? null].filter((pid) => pid !== null)
  return {
    workload: pod.workload,
    pod: pod.name,
    service: service.name,
    virtual: service.addresses,
    port: service.ports[0]?.port ?? port.containerPort,
    address: pod.address,
    ...(pod.address6 === undefined ? {} : { address6: pod.address6 }),
    appPort: port.appPort,
    listenPort: port.listenPort,
    ...(port.pipe === undefined ? {} : { pipe: port.pipe }),
    ...(status.sidecar === null ? {} : { adminSocket: status.sidecar.adminSocket }),
    principal: `${trustDomain}/ns/${pod.namespace}/sa/${pod.serviceAccount}`,
    pids,
  }
}

/** What the mesh runs, what the attacker's own pod runs, what user-db runs. */
function programFiles(victimFolder: string): string[] {
  const entries = [entryCommand('sidecar'), entryCommand('attacker')].map(({ args }) => args.at(-1) ?? '')
  const packages = join(dirname(fileURLToPath(import.meta.resolve('lmdb'))), '..', 'package.json')
  const shop = readdirSync(victimFolder)
    .filter((name) => /^(user-db|frontend|service)\./.test(name))
    .map((name) => join(victimFolder, name))
  return [...entries, packages, ...shop, realpathSync(process.execPath)]
}

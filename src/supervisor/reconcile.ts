/**
 * From what is wanted and what runs to what is to be done; pure. As a Deployment with maxSurge 1 and maxUnavailable 0:
 * a pod of the new template is started and ready before one of the old is withdrawn.
 */
import type { DeploymentPlan } from './plan.ts'

export interface RunningPod {
  name: string
  namespace: string
  workload: string
  /** Hash of the template that it was started with. */
  hash: string
  ready: boolean
  /** Being stopped already: it counts for nothing but its name. */
  stopping: boolean
  /** To be replaced although its template is unchanged. */
  outdated: boolean
}

export type Action =
  | { do: 'start'; plan: DeploymentPlan; name: string }
  | { do: 'stop'; namespace: string; name: string }

export function reconcile(plans: readonly DeploymentPlan[], running: readonly RunningPod[]): Action[] {
  const wanted = new Set(plans.map((plan) => `${plan.namespace}/${plan.workload}`))
  const orphans = running.filter((pod) => !pod.stopping && !wanted.has(`${pod.namespace}/${pod.workload}`))
  return [...orphans.map(stop), ...plans.flatMap((plan) => reconcileOne(plan, running))]
}

function reconcileOne(plan: DeploymentPlan, running: readonly RunningPod[]): Action[] {
  const own = running.filter((pod) => pod.namespace === plan.namespace && pod.workload === plan.workload)
  const live = own.filter((pod) => !pod.stopping)
  const isCurrent = (pod: RunningPod): boolean => pod.hash === plan.hash && !pod.outdated
  const current = live.filter(isCurrent)
  const old = live.filter((pod) => !isCurrent(pod))

  const surge = old.length > 0 ? 1 : 0
  const missing = Math.min(plan.replicas - current.length, plan.replicas + surge - live.length)
  const names = freeNames(plan.workload, Math.max(missing, 0), new Set(own.map((pod) => pod.name)))
  const starts = names.map((name): Action => ({ do: 'start', plan, name }))

  // of the surplus, those that serve nobody go first, then the youngest
  const byUse = current.toReversed().sort((a, b) => Number(a.ready) - Number(b.ready))
  const surplus = byUse.slice(0, Math.max(current.length - plan.replicas, 0))
  const idle = old.filter((pod) => !pod.ready)
  const serving = old.filter((pod) => pod.ready)
  const readyAfter = live.filter((pod) => pod.ready).length - surplus.filter((pod) => pod.ready).length
  const withdrawn = serving.slice(0, Math.max(readyAfter - plan.replicas, 0))
  return [...starts, ...[...surplus, ...idle, ...withdrawn].map(stop)]
}

function stop(pod: RunningPod): Action {
  return { do: 'stop', namespace: pod.namespace, name: pod.name }
}

/** `checkout-v1-0`, `checkout-v1-1`: the lowest that no pod has, not even one that is being stopped. */
function freeNames(workload: string, count: number, used: ReadonlySet<string>): string[] {
  const names: string[] = []
  for (let i = 0; names.length < count; i++) if (!used.has(`${workload}-${i}`)) names.push(`${workload}-${i}`)
  return names
}

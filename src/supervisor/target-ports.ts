/**
 * Ports of a pod that only Services name. In: the plan, the Services. Out: numbers. As in Kubernetes, a numeric
 * `targetPort` leads to that port of the pod, whether a container declares it or not; a name must be declared.
 */
import type { ServiceView } from '../client/contract.ts'
import type { DeploymentPlan } from './plan.ts'

export function undeclaredPorts(plan: DeploymentPlan, services: readonly ServiceView[]): number[] {
  const declared = new Set(plan.template.containers.flatMap(({ ports }) => ports.map((port) => port.containerPort)))
  const wanted = new Set<number>()
  for (const service of services) {
    if (service.namespace !== plan.namespace || !selects(service.selector, plan.template.labels)) continue
    for (const { targetPort } of service.ports)
      if (typeof targetPort === 'number' && !declared.has(targetPort)) wanted.add(targetPort)
  }
  return [...wanted].sort((a, b) => a - b)
}

/** An empty selector selects nothing. */
function selects(selector: Readonly<Record<string, string>>, labels: Readonly<Record<string, string>>): boolean {
  const pairs = Object.entries(selector)
  return pairs.length > 0 && pairs.every(([name, value]) => labels[name] === value)
}

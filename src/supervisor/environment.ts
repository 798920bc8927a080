/**
 * The environment of a container's program. In: the plan, the pod's ports, the Services known at its start. Out: names
 * and values. What only one way of interception needs comes from intercept-env.ts.
 */
import type { PodPort, ServiceView } from '../client/contract.ts'
import type { ContainerPlan, EnvVar } from './plan.ts'

/**
 * A program runs as it would from the user's own shell, but for what belongs to the tool that ran `up`: npm's
 * variables, ours, and NODE_OPTIONS, which intercept-env.ts joins with the hook's.
 */
const NOT_INHERITED = /^(npm_|POCKETMESH_|NODE_OPTIONS$|NODE_CHANNEL_FD$|INIT_CWD$|PORT$)/

export interface PodFacts {
  name: string
  namespace: string
  uid: string
  serviceAccount: string
  workload: string
  labels: Record<string, string>
  address: string
  ports: readonly PodPort[]
}

export function baseEnvironment(pod: PodFacts, container: ContainerPlan): Record<string, string> {
  const env: Record<string, string> = {}
  for (const [name, value] of Object.entries(process.env))
    if (value !== undefined && !NOT_INHERITED.test(name)) env[name] = value
  env['POD_NAME'] = pod.name
  env['POD_NAMESPACE'] = pod.namespace
  env['POD_IP'] = pod.address
  env['HOSTNAME'] = pod.name
  for (const [i, { containerPort }] of container.ports.entries()) {
    const port = String(pod.ports.find((one) => one.containerPort === containerPort)?.appPort ?? containerPort)
    if (i === 0) env['PORT'] = port
    env[`PORT_${containerPort}`] = port
  }
  return env
}

/** The container's own `env`, over what is there; `$(NAME)` refers to what is there before it. */
export function withContainerEnv(
  env: Readonly<Record<string, string>>,
  list: readonly EnvVar[],
  pod: PodFacts,
): Record<string, string> {
  const out: Record<string, string> = { ...env }
  for (const one of list) {
    const path = one.valueFrom?.fieldRef?.fieldPath
    const value = path === undefined ? one.value : fieldOf(path, pod)
    if (value !== undefined) out[one.name] = expand(value, out)
  }
  return out
}

/** `$(NAME)` becomes its value, `$$(NAME)` stays `$(NAME)`, an unknown name stays as it is written. */
export function expand(text: string, env: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\$(\$?)\(([^()\s]+)\)/g, (whole, escaped: string, name: string) => {
    if (escaped !== '') return `$(${name})`
    return env[name] ?? whole
  })
}

function fieldOf(path: string, pod: PodFacts): string | undefined {
  switch (path) {
    case 'metadata.name':
      return pod.name
    case 'metadata.namespace':
      return pod.namespace
    case 'metadata.uid':
      return pod.uid
    case 'spec.serviceAccountName':
      return pod.serviceAccount
    case 'spec.nodeName':
      return 'localhost'
    case 'status.podIP':
      return pod.address
    case 'status.hostIP':
      return '127.0.0.1'
    default: {
      const label = /^metadata\.labels\['(.+)'\]$/.exec(path)?.[1]
      return label === undefined ? undefined : pod.labels[label]
    }
  }
}

/** `checkout-service` -> `CHECKOUT_SERVICE`. */
export function upperSnake(name: string): string {
  return name.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_')
}

/**
 * Services as Kubernetes publishes them to containers of their namespace. `reachedAt`: where a pod reaches that service
 * port; `undefined`: nowhere.
 */
export function serviceEnvironment(
  services: readonly ServiceView[],
  namespace: string,
  reachedAt: (service: ServiceView, port: number) => { host: string; port: number } | undefined,
): Record<string, string> {
  const env: Record<string, string> = {}
  for (const service of services.filter((one) => one.namespace === namespace)) {
    const name = upperSnake(service.name)
    for (const [i, { port, name: portName }] of service.ports.entries()) {
      const at = reachedAt(service, port)
      if (at === undefined) continue
      const url = `tcp://${at.host}:${at.port}`
      if (i === 0) {
        env[`${name}_SERVICE_HOST`] = at.host
        env[`${name}_SERVICE_PORT`] = String(at.port)
        env[`${name}_PORT`] = url
      }
      if (portName !== '') env[`${name}_SERVICE_PORT_${upperSnake(portName)}`] = String(at.port)
      env[`${name}_PORT_${port}_TCP`] = url
      env[`${name}_PORT_${port}_TCP_PROTO`] = 'tcp'
      env[`${name}_PORT_${port}_TCP_PORT`] = String(at.port)
      env[`${name}_PORT_${port}_TCP_ADDR`] = at.host
    }
  }
  return env
}

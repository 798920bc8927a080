/**
 * Interception by environment (mode `env`): what makes a program's connections go through its sidecar without root.
 * In: a pod's ports, the Services. Out: variables for the Node hook, for programs that know HTTP proxies, and for
 * programs that can be given an address only. Another mode is another file beside this one.
 */
import type { PodOutbound, PodPort, PodUpstream, Protocol, ServiceView } from '../client/contract.ts'
import { upperSnake } from './environment.ts'

const NO_PROXY = 'localhost,127.0.0.1,::1'

/** The hook alone: a pod without a sidecar still needs its server moved off its container port. */
export function hookEnvironment(hookArgs: readonly string[], ports: readonly PodPort[]): Record<string, string> {
  const own = process.env['NODE_OPTIONS'] ?? ''
  const listen = Object.fromEntries(ports.map((port) => [port.containerPort, port.appPort]))
  return {
    NODE_OPTIONS: [own, ...hookArgs].join(' ').trim(),
    POCKETMESH_LISTEN: JSON.stringify(listen),
  }
}

export function interceptEnvironment(
  outbound: PodOutbound,
  namesFile: string,
  services: readonly ServiceView[],
  namespace: string,
): Record<string, string> {
  const proxy = `http://127.0.0.1:${outbound.httpProxyPort}`
  return {
    POCKETMESH_CAPTURE: `127.0.0.1:${outbound.capturePort}`,
    POCKETMESH_NAMES: namesFile,
    HTTP_PROXY: proxy,
    http_proxy: proxy,
    HTTPS_PROXY: proxy,
    https_proxy: proxy,
    NO_PROXY,
    no_proxy: NO_PROXY,
    ...upstreamEnvironment(outbound.upstreams, services, namespace),
  }
}

/** `POCKETMESH_UPSTREAM_<NAME>` for a service's first port, `..._<PORT>` for each; other namespaces' `<NAME>_<NS>`. */
function upstreamEnvironment(
  upstreams: readonly PodUpstream[],
  services: readonly ServiceView[],
  namespace: string,
): Record<string, string> {
  const env: Record<string, string> = {}
  for (const service of services) {
    const suffix = service.namespace === namespace ? '' : `_${upperSnake(service.namespace)}`
    const name = `POCKETMESH_UPSTREAM_${upperSnake(service.name)}${suffix}`
    for (const [i, { port, protocol }] of service.ports.entries()) {
      const found = upstreams.find((one) => one.host === service.host && one.port === port)
      if (found === undefined) continue
      const address = upstreamAddress(protocol, found.listenPort)
      if (i === 0) env[name] = address
      if (service.ports.length > 1) env[`${name}_${port}`] = address
    }
  }
  return env
}

function upstreamAddress(protocol: Protocol, listenPort: number): string {
  const isTcp = protocol === 'tcp' || protocol === 'tls'
  return isTcp ? `127.0.0.1:${listenPort}` : `http://127.0.0.1:${listenPort}`
}

/**
 * How one pod is placed on this machine, so that what it sends and receives passes its proxy. One implementation per way
 * of interception: env-network.ts, ns/network.ts. Nothing else in the supervisor knows the ways apart.
 */
import type { Pod, PodUpstream, ServiceView } from '../client/contract.ts'
import type { SidecarBootstrap } from '../xds/bootstrap.ts'
import type { PodFacts } from './environment.ts'
import type { ContainerPlan, DeploymentPlan, Probe } from './plan.ts'

/** What the pod's report says of where it is. */
export type PodPlace = Pick<Pod, 'address' | 'address6' | 'ports' | 'outbound' | 'transparent' | 'egressPipe'>

export type ProbeKind = 'readyz' | 'livez'

export interface PodNetwork {
  /** Before anything of the pod starts; rejects where it cannot be placed. */
  open(): Promise<PodPlace>
  /** Services came or went: whether `place` is another now. */
  update(services: readonly ServiceView[]): Promise<boolean>
  readonly place: PodPlace
  /** A sidecar, or the plain proxy of a pod without one. */
  readonly hasProxy: boolean
  /** What is wrong although the pod may be ready; `null`: nothing. */
  readonly problem: string | null
  /** What a gateway publishes. */
  readonly published: readonly PodUpstream[]
  /** What the proxy's bootstrap says beside what every proxy is told. */
  bootstrap(): Partial<SidecarBootstrap>
  /** Words before the proxy's command line. */
  proxyPrefix(): string[]
  /** Words before a program's command line; its process is then a child of the one started. */
  programPrefix(cwd: string): string[]
  /** Words before a command that is to run beside the proxy. */
  besideProxyPrefix(): string[]
  /** Rejects where something that the proxy needs was taken while it was down. */
  checkProxy(): Promise<void>
  /** The same for a program. */
  checkProgram(container: ContainerPlan): Promise<void>
  /** What a program finds beside its container's own variables. */
  environment(facts: PodFacts, container: ContainerPlan): Record<string, string>
  probe(container: ContainerPlan, kind: ProbeKind, probe: Probe, env: Record<string, string>): Promise<boolean>
  /** Ends what is left of the pod, and gives back what it took. */
  close(): Promise<void>
}

export interface NetworkOptions {
  plan: DeploymentPlan
  /** The pod's name. */
  name: string
  services: () => readonly ServiceView[]
  /** `home/.../names.json`, which the proxy writes. */
  namesFile: string
  adminSocket: string
  /** The place is lost: the pod must be replaced. */
  onLost: (reason: string) => void
}

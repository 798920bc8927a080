/** Makes the place of each pod as the mesh's way of interception has it. In: the mode. Owns ports and addresses. */
import type { InterceptMode } from '../client/contract.ts'
import type { EntryCommand, EntryKind } from '../lib/entry.ts'
import type { Home } from '../lib/home.ts'
import type { Keepers } from './child.ts'
import { EnvNetwork } from './env-network.ts'
import { PodNumbers } from './ns/addresses.ts'
import { NsNetwork } from './ns/network.ts'
import type { NetworkOptions, PodNetwork } from './pod-network.ts'
import type { PortAllocator } from './ports.ts'

interface NetworksOptions {
  home: Home
  ports: PortAllocator
  keepers: Keepers
  entry: (kind: EntryKind) => EntryCommand
  /** Where the relay of a service port listens, for pods without a sidecar in mode `env`. */
  relayPort: (host: string, port: number) => number | undefined
}

export class PodNetworks {
  readonly #options: NetworksOptions
  readonly #numbers = new PodNumbers()
  mode: InterceptMode = 'env'

  constructor(options: NetworksOptions) {
    this.#options = options
  }

  /** The gateway stays in this machine's own network, whatever the mode. */
  make(pod: NetworkOptions): PodNetwork {
    const { home, ports, keepers, entry, relayPort } = this.#options
    if (this.mode === 'ns' && !pod.plan.template.gateway)
      return new NsNetwork({ ...pod, home, keepers, numbers: this.#numbers })
    return new EnvNetwork({ ...pod, home, ports, hook: entry('hook'), relayPort, leadsOut: this.mode === 'ns' })
  }
}

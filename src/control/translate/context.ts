/** What the outbound side of one client is made of: shared by listeners and routes. */
import type { Client } from './client.ts'
import type { ServicesByHost } from './destination.ts'
import type { HostMap } from './hosts.ts'
import type { Service } from './snapshot.ts'
import type { VirtualService } from './virtual-service.ts'

export interface OutboundContext {
  client: Client
  /** Those that the client sees. */
  services: readonly Service[]
  byHost: ServicesByHost
  virtualServices: HostMap<VirtualService>
}

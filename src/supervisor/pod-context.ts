/** What pods share: given by the supervisor, replaced by fakes in tests. */
import type { ServiceView, TokenRequest, TokenResponse } from '../client/contract.ts'
import type { EntryCommand, EntryKind } from '../lib/entry.ts'
import type { Home } from '../lib/home.ts'
import type { Log } from '../lib/log.ts'
import type { Keepers } from './child.ts'
import type { PodReporter } from './pod-reporter.ts'
import type { NetworkOptions, PodNetwork } from './pod-network.ts'
import type { Semaphore } from './semaphore.ts'

export interface PodContext {
  home: Home
  trustDomain: string
  log: Log
  /** The place of a pod to be, as the mesh's way of interception has it. */
  network: (options: NetworkOptions) => PodNetwork
  keepers: Keepers
  reporter: PodReporter
  /** How many pods may be on their way up at a time. */
  starts: Semaphore
  entry: (kind: EntryKind) => EntryCommand
  services: () => readonly ServiceView[]
  token: (request: TokenRequest) => Promise<TokenResponse>
  /** Resolves when every proxy knows this revision. */
  delivered: (revision: number, timeoutMs: number) => Promise<unknown>
  onChange: () => void
}

/** What the API's handlers work on: the parts of the control plane, each by the few methods that are used here. */
import type {
  CertificateList,
  ControlInfo,
  Delivery,
  ProxyStatus,
  ServiceList,
  TokenRequest,
} from '../../client/contract.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import type { Store } from '../store/store.ts'
import type { Snapshot } from '../translate/snapshot.ts'

export interface ApiContext {
  store: Store
  registry: { services(): ServiceList; snapshot(): Snapshot }
  ads: {
    status(): ProxyStatus[]
    waitForDelivery(revision: number, timeoutMs: number): Promise<Delivery>
  }
  ca: {
    issueToken(request: TokenRequest): string
    certificates(): CertificateList
  }
  info(): ControlInfo
  clock: Clock
  log: Log
}

/**
 * Cluster and endpoint of one request: which, and that it counts there while it is under way.
 * In: a route's cell. Out: an endpoint per attempt, or a fault. Owns: one count in the cluster, one at the endpoint.
 */
import type { ClusterCell } from '../cluster/clusters.ts'
import type { Endpoint } from '../cluster/endpoint.ts'
import type { Exchange } from '../exchange.ts'
import { type Limits, mayRetry } from '../pool/limits.ts'
import type { ConnectionInfo } from './context.ts'
import type { Fault } from './local-reply.ts'
import { endpointFor } from './original-destination.ts'
import type { Attempts } from './retry.ts'

export class Selection {
  endpoint: Endpoint | null = null
  #cell: ClusterCell | null = null
  #limits: Limits | null = null
  /** Its retry counts in the cluster, until the request is over. */
  #retries = false

  /** Takes a place in the cluster; `null` is success. */
  enter(cell: ClusterCell, x: Exchange): Fault | null {
    this.#cell = cell
    x.clusterName = cell.name
    const { cluster } = cell
    if (cluster === null) return 'no_cluster'
    x.destinationService = cluster.spec.serviceHost
    if (cluster.limits.numRequests >= cluster.limits.maxRequests) return 'overflow'
    this.#limits = cluster.limits
    this.#limits.numRequests++
    return null
  }

  /** An endpoint of the cluster as it is now, another than those tried. */
  pick(attempts: Attempts, info: ConnectionInfo, forwardProxy: boolean, x: Exchange): Fault | null {
    const cluster = this.#cell?.cluster ?? null
    if (cluster === null) return 'no_cluster'
    const authority = forwardProxy ? x.authority : ''
    const endpoint = endpointFor(cluster, info, authority, attempts.tried, attempts.hostAttempts)
    if (typeof endpoint === 'string') return endpoint
    this.endpoint = endpoint
    endpoint.numActive++
    endpoint.numTotal++
    x.upstreamHost = endpoint.label
    if (!x.inbound) x.destination = endpoint.workload
    return null
  }

  /** What the cluster lets a stream last, 0: any time. */
  get maxDurationMs(): number {
    return this.#cell?.cluster?.spec.protocol.common.maxStreamDurationMs ?? 0
  }

  /** Takes a place among the retries of the cluster; false: there is none. */
  enterRetry(): boolean {
    const limits = this.#limits
    if (this.#retries || limits === null) return true
    if (!mayRetry(limits)) return false
    limits.numRetries++
    this.#retries = true
    return true
  }

  /** The attempt failed by no fault of the request. */
  failed(): void {
    if (this.endpoint !== null) this.endpoint.numFailed++
  }

  leaveEndpoint(): void {
    if (this.endpoint !== null) this.endpoint.numActive--
    this.endpoint = null
  }

  leave(): void {
    this.leaveEndpoint()
    if (this.#limits !== null) {
      this.#limits.numRequests--
      if (this.#retries) this.#limits.numRetries--
    }
    this.#retries = false
    this.#limits = null
    this.#cell = null
  }
}

/** One upstream host: where it is, who it is, how busy it is, and its connections. Kept across pushes while unchanged. */
import type { Address } from '../pool/address.ts'
import type { TlsTarget } from '../pool/dial.ts'
import type { Pool } from '../pool/pool.ts'
import type { Workload } from '../workload.ts'

export class Endpoint {
  readonly address: Address
  readonly label: string
  readonly tls: TlsTarget | null
  /** Connections to it begin with a PROXY header. */
  readonly proxyHeader: boolean
  readonly workload: Workload
  readonly pool: Pool
  weight: number
  /** Requests and TCP connections under way. */
  numActive = 0
  numTotal = 0
  numFailed = 0

  constructor(init: {
    address: Address
    label: string
    tls: TlsTarget | null
    proxyHeader: boolean
    workload: Workload
    weight: number
    pool: Pool
  }) {
    this.address = init.address
    this.label = init.label
    this.tls = init.tls
    this.proxyHeader = init.proxyHeader
    this.workload = init.workload
    this.weight = init.weight
    this.pool = init.pool
  }
}

/** The supervisor's API, a method per path of contract.ts. Owns its connections: `close` it. */
import type { Home } from '../lib/home.ts'
import type { EnvResponse, KillRequest, PsResponse, RestartRequest, SupervisorAnswer } from './contract.ts'
import { ApiConnection } from './http.ts'

/** A restart drains the old pod first, and waits for the new one. */
const RESTART_TIMEOUT_MS = 120_000

export class SupervisorClient {
  readonly #api: ApiConnection

  constructor(home: Home) {
    this.#api = new ApiConnection({
      socketPath: home.supervisorSocket,
      unreachable: `no mesh is running in ${home.dir}: start one with "pocketmesh up -f PATH", or name its folder with --home DIR`,
    })
  }

  close(): Promise<void> {
    return this.#api.close()
  }

  ps(): Promise<PsResponse> {
    return this.#api.call('GET', '/v1/ps')
  }

  /** Resolves when all that was applied, and the `images:` tables as they are now, are known. */
  refresh(): Promise<SupervisorAnswer> {
    return this.#api.call('POST', '/v1/refresh', { body: {} })
  }

  /** What a workload's (or pod's) container is started with; absent: the first. `istio-proxy`: beside its proxy. */
  env(target: string, namespace: string, container?: string): Promise<EnvResponse> {
    const query = container === undefined ? { namespace } : { namespace, container }
    return this.#api.call('GET', `/v1/env/${encodeURIComponent(target)}`, { query })
  }

  restart(request: RestartRequest): Promise<SupervisorAnswer> {
    return this.#api.call('POST', '/v1/restart', { body: request, timeoutMs: RESTART_TIMEOUT_MS })
  }

  kill(request: KillRequest): Promise<SupervisorAnswer> {
    return this.#api.call('POST', '/v1/kill', { body: request })
  }

  /** Ends the mesh. */
  down(): Promise<SupervisorAnswer> {
    return this.#api.call('POST', '/v1/down', { body: {} })
  }
}

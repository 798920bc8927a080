/**
 * What the supervisor knows of the store: Deployments as plans, Services as the registry sees them. In: the control API,
 * its watch. Out: a call, awaited, at each reading. What comes while it reads is read once more, not once per event.
 */
import type { ServiceList, ServiceView, StoredObject, WatchEvent, ObjectList } from '../client/contract.ts'
import type { WatchOptions } from '../client/control.ts'
import type { Log } from '../lib/log.ts'
import { readImageTable, type ImageTable } from './images.ts'
import { gatewayPlan, planDeployment, type DeploymentPlan } from './plan.ts'

export interface ViewApi {
  objects(kind: string): Promise<ObjectList>
  services(): Promise<ServiceList>
  watch(options: WatchOptions): AsyncIterable<WatchEvent>
}

const WATCHED = ['Deployment/', 'Service/', 'Namespace/']

export class MeshView {
  readonly #api: ViewApi
  readonly #log: Log
  readonly #onChange: () => Promise<void>
  /** Whether the gateway is needed although nothing is published: it leads out of the mesh. */
  leadsOut = false
  /** Whether a Service's endpoints matter here, which change with every pod. */
  followsPods = false
  #reading: Promise<void> | undefined
  #again: Promise<void> | undefined
  services: readonly ServiceView[] = []
  plans: readonly DeploymentPlan[] = []

  constructor(api: ViewApi, log: Log, onChange: () => Promise<void>) {
    this.#api = api
    this.#log = log
    this.#onChange = onChange
  }

  /** Resolves when all that was written before this call is known. */
  refresh(): Promise<void> {
    if (this.#reading === undefined) {
      this.#reading = this.#read().finally(() => (this.#reading = undefined))
      return this.#reading
    }
    const current = this.#reading
    this.#again ??= current
      .catch(() => undefined)
      .then(() => {
        this.#again = undefined
        return this.refresh()
      })
    return this.#again
  }

  /** Follows the store until `signal` aborts. */
  async follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        // each new connection may have missed something: a control plane that came back, or a history that is gone
        for await (const event of this.#api.watch({ signal, onConnect: () => this.#refreshSoon() })) {
          const concerns =
            event.collection === 'pods' ? this.followsPods : WATCHED.some((kind) => event.key.startsWith(kind))
          if (concerns) this.#refreshSoon()
        }
      } catch (error) {
        this.#log.warn({ error: (error as Error).message }, 'watching the store failed: starting over')
      }
    }
  }

  #refreshSoon(): void {
    // an unreachable control plane comes back with a new connection, and that reads again
    this.refresh().catch(() => undefined)
  }

  async #read(): Promise<void> {
    const [deployments, namespaces, services] = await Promise.all([
      this.#api.objects('Deployment'),
      this.#api.objects('Namespace'),
      this.#api.services(),
    ])
    this.services = services.items
    this.plans = planAll(deployments.items, namespaces.items, services.items, this.leadsOut)
    await this.#onChange()
  }
}

function planAll(
  deployments: readonly StoredObject[],
  namespaces: readonly StoredObject[],
  services: readonly ServiceView[],
  leadsOut: boolean,
): DeploymentPlan[] {
  const tables = new Map<string, ImageTable>()
  const images = (dir: string): ImageTable => {
    const table = tables.get(dir) ?? readImageTable(dir)
    tables.set(dir, table)
    return table
  }
  const plans = deployments.map((object) => {
    const namespace = namespaces.find((one) => one.metadata.name === object.metadata.namespace)
    return planDeployment(object, { namespaceLabels: namespace?.metadata.labels ?? {}, images })
  })
  if (leadsOut || services.some((service) => service.publish !== undefined)) plans.push(gatewayPlan(1))
  return plans
}

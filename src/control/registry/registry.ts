/**
 * What is in the mesh: configuration, Services, pods. In: the store's events. Out: one frozen Snapshot per revision,
 * and a call to each listener when there is a new one. Owns the virtual addresses of Services.
 *
 * Only what a commit changed is made anew. The rest of a snapshot is the very same objects as in the one before,
 * and that is what the caches of translation go by: whoever changes one of them in place breaks those.
 */
import type { Pod, ServiceList } from '../../client/contract.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Store, StoreEvent } from '../store/store.ts'
import type { ConfigObject, Service, Snapshot } from '../translate/snapshot.ts'
import { AddressPool } from './addresses.ts'
import { isMeshService, toService } from './service.ts'
import { serviceList } from './service-list.ts'

export interface RegistryOptions {
  store: Store
  trustDomain: string
  clock: Clock
  /** Where mesh-wide policies live; Istio's default. */
  rootNamespace?: string
}

/** `committedAtMs`: of the injected clock's `nowMs`. */
export type OnChange = (revision: number, committedAtMs: number) => void

const OBJECTS = 'objects/'
const PODS = 'pods/'
const ADDRESSES = 'addresses/'

/** The value of an `addresses/NS/NAME` key. */
interface AddressRecord {
  number: number
}

export class Registry {
  readonly #store: Store
  readonly #clock: Clock
  readonly #listeners = new Set<OnChange>()
  readonly #pool = new AddressPool()
  /** Address numbers by `namespace/name`. A deleted Service keeps its own, in case it comes back. */
  readonly #numbers = new Map<string, number>()
  #snapshot: Snapshot
  readonly #stop: () => void

  constructor({ store, trustDomain, clock, rootNamespace = 'istio-system' }: RegistryOptions) {
    this.#store = store
    this.#clock = clock
    for (const { key, value } of store.list(ADDRESSES)) this.#onAddress(key, value)
    const pods = new Map(store.list(PODS).map(({ key, value }) => [key.slice(PODS.length), value as unknown as Pod]))
    const objects = new Map<string, readonly ConfigObject[]>()
    for (const { key, value, createRevision } of store.list(OBJECTS)) putObject(objects, key, value, createRevision)
    const base = { revision: store.revision, trustDomain, rootNamespace, services: [], pods, objects }
    this.#snapshot = Object.freeze({ ...base, services: this.#services([], objects) })
    this.#stop = store.watch(store.revision, (events) => this.#onEvents(events))
  }

  snapshot(): Snapshot {
    return this.#snapshot
  }

  /** Calls back after each commit, once `snapshot()` has it. Returns the function that stops it. */
  onChange(listener: OnChange): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }

  /** What `get services` and the supervisor see. */
  services(): ServiceList {
    return serviceList(this.#snapshot)
  }

  close(): void {
    this.#stop()
    this.#listeners.clear()
  }

  #onEvents(events: readonly StoreEvent[]): void {
    const committedAtMs = this.#clock.nowMs()
    const before = this.#snapshot
    let { pods, objects, services } = before
    let servicesChanged = false
    for (const event of events) {
      if (event.key.startsWith(PODS)) {
        pods = withPod(pods === before.pods ? new Map(pods) : (pods as Map<string, Pod>), event)
      } else if (event.key.startsWith(OBJECTS)) {
        const copy = objects === before.objects ? new Map(objects) : (objects as Map<string, readonly ConfigObject[]>)
        objects = this.#withObject(copy, event)
        servicesChanged ||= event.key.startsWith(`${OBJECTS}Service/`)
      } else if (event.type === 'put' && event.key.startsWith(ADDRESSES)) {
        this.#onAddress(event.key, event.value)
      }
    }
    if (servicesChanged) services = this.#services(services, objects)
    const revision = events[0]?.revision ?? before.revision
    this.#snapshot = Object.freeze({ ...before, revision, pods, objects, services })
    for (const listener of this.#listeners) listener(revision, committedAtMs)
  }

  #withObject(
    objects: Map<string, readonly ConfigObject[]>,
    { type, key, value }: StoreEvent,
  ): Map<string, readonly ConfigObject[]> {
    if (type === 'delete') removeObject(objects, key)
    else putObject(objects, key, value, this.#store.get(key)?.createRevision ?? 0)
    return objects
  }

  #onAddress(key: string, value: unknown): void {
    const { number } = value as AddressRecord
    this.#numbers.set(key.slice(ADDRESSES.length), number)
    this.#pool.take(number)
  }

  /** Services of `objects`; those whose object is as before are kept as they are. */
  #services(before: readonly Service[], objects: ReadonlyMap<string, readonly ConfigObject[]>): readonly Service[] {
    const services: Service[] = []
    for (const object of objects.get('Service') ?? []) {
      if (!isMeshService(object)) continue
      const made = SERVICE_OF.get(object)
      if (made !== undefined && before.includes(made)) services.push(made)
      else {
        const service = toService(object, this.#numberOf(object))
        SERVICE_OF.set(object, service)
        services.push(service)
      }
    }
    return Object.freeze(services)
  }

  /**
   * The Service's number; a new one is stored too. The snapshot does not wait for that write: after a crash in
   * between, Services are numbered in the same order again.
   */
  #numberOf({ metadata: { namespace, name } }: ConfigObject): number {
    const key = `${namespace}/${name}`
    const known = this.#numbers.get(key)
    if (known !== undefined) return known
    const number = this.#pool.allocate()
    this.#numbers.set(key, number)
    // A store that cannot write refuses every apply too: nothing is lost that was acknowledged.
    this.#store.commit([{ key: `${ADDRESSES}${key}`, value: { number } }]).catch(() => undefined)
    return number
  }
}

/** The Service made of an object, so that a changed neighbour does not make it anew. */
const SERVICE_OF = new WeakMap<ConfigObject, Service>()

function withPod(pods: Map<string, Pod>, { type, key, value }: StoreEvent): Map<string, Pod> {
  const id = key.slice(PODS.length)
  if (type === 'delete') pods.delete(id)
  else pods.set(id, value as unknown as Pod)
  return pods
}

/** Kind, and what stands behind it: `VirtualService`, `default/checkout-route`. */
function splitKey(key: string): [kind: string, id: string] {
  const slash = key.indexOf('/', OBJECTS.length)
  return [key.slice(OBJECTS.length, slash), key.slice(slash + 1)]
}

const idOf = ({ metadata }: ConfigObject): string => `${metadata.namespace}/${metadata.name}`

function putObject(
  objects: Map<string, readonly ConfigObject[]>,
  key: string,
  value: unknown,
  createRevision: number,
): void {
  const [kind, id] = splitKey(key)
  const object = Object.freeze({ ...(value as Omit<ConfigObject, 'createRevision'>), createRevision })
  const others = (objects.get(kind) ?? []).filter((o) => idOf(o) !== id)
  objects.set(kind, Object.freeze([...others, object].sort(byAge)))
}

function removeObject(objects: Map<string, readonly ConfigObject[]>, key: string): void {
  const [kind, id] = splitKey(key)
  objects.set(kind, Object.freeze((objects.get(kind) ?? []).filter((o) => idOf(o) !== id)))
}

/** Oldest first; of one commit, by name. */
function byAge(a: ConfigObject, b: ConfigObject): number {
  if (a.createRevision !== b.createRevision) return a.createRevision - b.createRevision
  const [left, right] = [idOf(a), idOf(b)]
  if (left === right) return 0
  return left < right ? -1 : 1
}

/** The control plane's API, a method per path of contract.ts. Owns its connections: `close` it. */
import type { Home } from '../lib/home.ts'
import type {
  ApplyRequest,
  ApplyResponse,
  AuthzCheck,
  CertificateList,
  ControlInfo,
  Delivery,
  ObjectList,
  Pod,
  PodList,
  ProxyList,
  ScaleRequest,
  ServiceList,
  TokenRequest,
  TokenResponse,
  WatchEvent,
  WriteResponse,
} from './contract.ts'
import { ApiError, UnreachableError } from './errors.ts'
import { EventParser } from './events.ts'
import { ApiConnection } from './http.ts'

export interface ObjectFilter {
  namespace?: string
  /** `app=shop,version=v2` */
  labels?: string
}

export interface AuthzQuestion {
  from: string
  to: string
  /** Of both, unless they are written NAME.NAMESPACE. */
  namespace?: string
  method?: string
  path?: string
  host?: string
  port?: number
}

export interface WatchOptions {
  /** Events after this revision; absent: from now on. */
  from?: number
  signal?: AbortSignal
  /** Called at every connection, the first one included. */
  onConnect?: () => void
  /** Called when the connection is lost; it is tried again on its own. */
  onDisconnect?: (error: unknown) => void
}

const RECONNECT_MIN_MS = 50
const RECONNECT_MAX_MS = 1000
/** Added to the wait that the server was asked for, so that its own answer comes first. */
const WAIT_GRACE_MS = 5000

export class ControlClient {
  readonly #api: ApiConnection

  constructor(home: Home) {
    this.#api = new ApiConnection({
      socketPath: home.controlSocket,
      unreachable: `no control plane is running in ${home.dir}: start a mesh with "pocketmesh up -f PATH", or name its folder with --home DIR`,
    })
  }

  close(): Promise<void> {
    return this.#api.close()
  }

  info(): Promise<ControlInfo> {
    return this.#api.call('GET', '/v1/info')
  }

  apply(request: ApplyRequest): Promise<ApplyResponse> {
    return this.#api.call('POST', '/v1/apply', { body: request })
  }

  objects(kind: string, filter: ObjectFilter = {}): Promise<ObjectList> {
    return this.#api.call('GET', `/v1/objects/${encodeURIComponent(kind)}`, { query: { ...filter } })
  }

  /** The list holds the one object; an ApiError with status 404 where there is none. */
  object(kind: string, namespace: string, name: string): Promise<ObjectList> {
    return this.#api.call('GET', objectPath(kind, namespace, name))
  }

  deleteObject(kind: string, namespace: string, name: string): Promise<WriteResponse> {
    return this.#api.call('DELETE', objectPath(kind, namespace, name))
  }

  scale(namespace: string, name: string, request: ScaleRequest): Promise<WriteResponse> {
    return this.#api.call('PUT', `/v1/scale/${segment(namespace)}/${segment(name)}`, { body: request })
  }

  pods(filter: ObjectFilter = {}): Promise<PodList> {
    return this.#api.call('GET', '/v1/pods', { query: { ...filter } })
  }

  /** Replaces the whole set. */
  putPods(list: PodList): Promise<WriteResponse> {
    return this.#api.call('PUT', '/v1/pods', { body: list })
  }

  putPod(pod: Pod): Promise<WriteResponse> {
    return this.#api.call('PUT', podPath(pod.namespace, pod.name), { body: pod })
  }

  /** With `uid`: only if it is still that start of the pod. */
  deletePod(namespace: string, name: string, uid?: string): Promise<WriteResponse> {
    return this.#api.call('DELETE', podPath(namespace, name), { query: { uid } })
  }

  proxies(): Promise<ProxyList> {
    return this.#api.call('GET', '/v1/proxies')
  }

  delivery(revision: number, timeoutMs: number): Promise<Delivery> {
    return this.#api.call('GET', '/v1/delivery', {
      query: { revision, timeoutMs },
      timeoutMs: timeoutMs + WAIT_GRACE_MS,
    })
  }

  certificates(): Promise<CertificateList> {
    return this.#api.call('GET', '/v1/certificates')
  }

  token(request: TokenRequest): Promise<TokenResponse> {
    return this.#api.call('POST', '/v1/tokens', { body: request })
  }

  authzCheck(question: AuthzQuestion): Promise<AuthzCheck> {
    return this.#api.call('GET', '/v1/authz/check', { query: { ...question } })
  }

  services(): Promise<ServiceList> {
    return this.#api.call('GET', '/v1/services')
  }

  /**
   * Events as they come, over any number of connections: a broken one is made again from the last revision seen, so
   * nothing is missed (an event may come twice). Ends when `signal` aborts; throws ApiError `compacted` when the
   * history has gone: list again, then watch from there.
   */
  async *watch(options: WatchOptions = {}): AsyncGenerator<WatchEvent, void, undefined> {
    const { signal } = options
    let lastId = options.from === undefined ? undefined : String(options.from)
    let delayMs = RECONNECT_MIN_MS
    const ended = (): boolean => signal?.aborted === true
    while (!ended()) {
      const parser = new EventParser(lastId)
      try {
        const chunks = await this.#api.stream('/v1/watch', {
          query: { from: lastId },
          ...(signal === undefined ? {} : { signal }),
        })
        options.onConnect?.()
        delayMs = RECONNECT_MIN_MS
        for await (const chunk of chunks)
          for (const event of parser.push(chunk)) yield JSON.parse(event.data) as WatchEvent
        options.onDisconnect?.(undefined)
      } catch (error) {
        if (ended()) return
        if (error instanceof ApiError) throw error
        options.onDisconnect?.(error)
      }
      lastId = parser.lastId
      await pause(delayMs, signal)
      delayMs = Math.min(delayMs * 2, RECONNECT_MAX_MS)
    }
  }

  /** Waits until the API answers; rejects with UnreachableError after `timeoutMs`. */
  async ready(timeoutMs: number, signal?: AbortSignal): Promise<ControlInfo> {
    const deadlineMs = performance.now() + timeoutMs
    for (;;) {
      try {
        return await this.info()
      } catch (error) {
        const late = performance.now() > deadlineMs
        if (!(error instanceof UnreachableError) || late || signal?.aborted === true) throw error
      }
      await pause(RECONNECT_MIN_MS, signal)
    }
  }
}

/** Cluster-scoped objects have no namespace; `-` stands for that in a path, where a part cannot be empty. */
function objectPath(kind: string, namespace: string, name: string): string {
  return `/v1/objects/${segment(kind)}/${namespace === '' ? '-' : segment(namespace)}/${segment(name)}`
}

function podPath(namespace: string, name: string): string {
  return `/v1/pods/${segment(namespace)}/${segment(name)}`
}

const segment = encodeURIComponent

function pause(delayMs: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((done) => {
    const finish = (): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', finish)
      done()
    }
    const timer = setTimeout(finish, delayMs)
    signal?.addEventListener('abort', finish, { once: true })
    if (signal?.aborted === true) finish()
  })
}

/** Something that the load is sent through: one or two proxies, or the application itself. In: its processes. Out: ports and PIDs. */
import type { App } from './app/app.ts'
import type { Bundles } from './system/bundles.ts'
import type { Child } from './system/child.ts'
import { accepts } from './system/ports.ts'
import { childrenOf } from './system/processes.ts'

/** What a subject is started with. */
export interface Setting {
  /** For files of its own: each makes a folder of its name in it. */
  folder: string
  /** Where system/certificates.ts wrote; undefined without the openssl program. */
  certificates: string | undefined
  app: App
  bundles: Bundles
  /** Node for the sidecars. */
  node: string
}

export interface SubjectPorts {
  /** HTTP/1.1. */
  http: number
  /** HTTP/2 with prior knowledge. */
  http2: number | undefined
  /** Opaque bytes, to the application's echo. */
  tcp: number | undefined
  /** Hop that terminates mutual TLS, reached by itself. */
  tls: number | undefined
}

export interface SubjectParts {
  name: string
  ports: Partial<SubjectPorts> & { http: number }
  children: readonly Child[]
  /** nginx: its masters only wait. */
  onlyWorkers?: boolean
}

export class Subject {
  readonly name: string
  readonly ports: SubjectPorts
  readonly children: readonly Child[]
  readonly #onlyWorkers: boolean

  constructor({ name, ports, children, onlyWorkers = false }: SubjectParts) {
    this.name = name
    this.ports = { http2: undefined, tcp: undefined, tls: undefined, ...ports }
    this.children = children
    this.#onlyWorkers = onlyWorkers
  }

  /** Its proxies' processes, front first; those that only wait are not in it. */
  pids(): number[] {
    return this.children.flatMap(({ pid }) => (this.#onlyWorkers ? childrenOf(pid) : [pid]))
  }

  async listening(): Promise<this> {
    const [front] = this.children
    try {
      for (const port of Object.values(this.ports)) if (port !== undefined) await accepts(port, front)
    } catch (error) {
      const words = this.children.map((child) => child.lastWords.replaceAll('\n', ' ')).filter((text) => text !== '')
      await this.stop()
      throw new Error(`${this.name} did not start: ${words.join('; ')}`, { cause: error })
    }
    return this
  }

  async stop(): Promise<void> {
    await Promise.all(this.children.map((child) => child.stop()))
  }
}

/** Why a subject is not in the run. */
export interface Missing {
  missing: string
}

export function isMissing(result: Subject | Missing): result is Missing {
  return 'missing' in result
}

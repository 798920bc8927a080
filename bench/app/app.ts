/**
 * The application behind all proxies. In: a folder, the helpers' bundles. Out: its ports and PIDs. nginx where it is
 * installed (its cost is small and even), else the responder; the TCP echo is always the responder's.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Bundles } from '../system/bundles.ts'
import { Child } from '../system/child.ts'
import { accepts, freePorts } from '../system/ports.ts'
import { childrenOf } from '../system/processes.ts'
import { writeTemplate } from '../system/template.ts'
import { asSelf } from '../system/nginx-user.ts'
import { which } from '../system/which.ts'
import { BODY_BYTES, KIB } from './sizes.ts'

export interface AppPorts {
  http: number
  http2: number
  echo: number
  /** Kept free: row `grpc` starts its server there. */
  grpc: number
}

export class App {
  readonly kind: 'nginx' | 'node'
  readonly ports: AppPorts
  readonly #children: readonly Child[]

  private constructor(kind: 'nginx' | 'node', ports: AppPorts, children: readonly Child[]) {
    this.kind = kind
    this.ports = ports
    this.#children = children
  }

  static async start(folder: string, bundles: Bundles): Promise<App> {
    const ports = await freePorts('http', 'http2', 'echo', 'grpc')
    const nginx = which('nginx')
    const ofResponder = nginx === undefined ? [ports.http, ports.http2, ports.echo] : [0, 0, ports.echo]
    const args = [bundles.responder, ...ofResponder.map(String)]
    const responder = new Child({ name: 'app', role: 'load', command: process.execPath, args })
    const children = nginx === undefined ? [responder] : [startNginx(nginx, folder, ports), responder]
    for (const port of [ports.http, ports.http2, ports.echo]) await accepts(port)
    return new App(nginx === undefined ? 'node' : 'nginx', ports, children)
  }

  pids(): number[] {
    return this.#children.flatMap(({ pid }) => [pid, ...childrenOf(pid)])
  }

  async stop(): Promise<void> {
    await Promise.all(this.#children.map((child) => child.stop()))
  }
}

function startNginx(nginx: string, folder: string, ports: AppPorts): Child {
  const own = join(folder, 'app')
  mkdirSync(join(own, 'files'), { recursive: true })
  for (const [path, length] of Object.entries(BODY_BYTES))
    writeFileSync(join(own, 'files', path), Buffer.alloc(length, 'x'))
  const file = writeTemplate(new URL('nginx.conf', import.meta.url), join(own, 'nginx.conf'), {
    FOLDER: own,
    HTTP_PORT: ports.http,
    HTTP2_PORT: ports.http2,
    KIB: 'x'.repeat(KIB),
  })
  return new Child({ name: 'app', role: 'load', command: nginx, args: ['-c', file, '-p', own, ...asSelf()] })
}

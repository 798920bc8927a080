/**
 * nginx doing what a pair of sidecars does. In: the app's port. Out: a URL and the PIDs to measure. Owns two nginx
 * processes and a temporary folder.
 */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { childrenOf } from '../processes.ts'
import { which } from '../which.ts'
import { makeCertificates } from './certificates.ts'

const TEMPLATE = new URL('nginx/nginx.conf', import.meta.url)
const START_WITHIN_MS = 5000

/** TLS 1.3 with the suite that the mesh's links use, both sides checked. */
const FRONT_TLS = `
    proxy_ssl_protocols TLSv1.3;
    proxy_ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
    proxy_ssl_certificate @CERTS@/front.pem;
    proxy_ssl_certificate_key @CERTS@/front.key;
    proxy_ssl_trusted_certificate @CERTS@/ca.pem;
    proxy_ssl_verify on;
    proxy_ssl_name back;
    proxy_ssl_server_name on;`
const BACK_TLS = `
    ssl_protocols TLSv1.3;
    ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
    ssl_certificate @CERTS@/back.pem;
    ssl_certificate_key @CERTS@/back.key;
    ssl_client_certificate @CERTS@/ca.pem;
    ssl_verify_client on;`

export class NginxPair {
  readonly url: string
  readonly #folder: string
  readonly #hops: ChildProcess[]

  private constructor(folder: string, port: number, hops: ChildProcess[]) {
    this.#folder = folder
    this.url = `http://127.0.0.1:${port}/`
    this.#hops = hops
  }

  /** Undefined when a program that it needs is absent; `missing` says which. */
  static async start(appPort: number): Promise<NginxPair | { missing: string }> {
    const [nginx, openssl] = [which('nginx'), which('openssl')]
    if (nginx === undefined) return { missing: 'nginx' }
    if (openssl === undefined) return { missing: 'openssl' }
    const folder = await mkdtemp(join(tmpdir(), 'pm-nginx-'))
    makeCertificates(openssl, folder, ['front', 'back'])
    const [frontPort, backPort] = [await freePort(), await freePort()]
    const hop = (name: string, values: Record<string, string>): ChildProcess =>
      startHop({ nginx, folder, name, values })
    const hops = [
      hop('back', { PORT: `${backPort}`, NEXT_PORT: `${appPort}`, LISTEN_SSL: 'ssl', SCHEME: 'http', TLS: BACK_TLS }),
      hop('front', { PORT: `${frontPort}`, NEXT_PORT: `${backPort}`, LISTEN_SSL: '', SCHEME: 'https', TLS: FRONT_TLS }),
    ]
    await Promise.all([accepts(backPort), accepts(frontPort)])
    return new NginxPair(folder, frontPort, hops)
  }

  /** Workers: the masters only wait. */
  pids(): number[] {
    return this.#hops.flatMap((hop) => (hop.pid === undefined ? [] : childrenOf(hop.pid)))
  }

  async stop(): Promise<void> {
    const exits = this.#hops.map((hop) => once(hop, 'exit'))
    for (const hop of this.#hops) hop.kill('SIGTERM')
    await Promise.all(exits)
    await rm(this.#folder, { recursive: true, force: true })
  }
}

interface HopSpec {
  nginx: string
  folder: string
  name: string
  values: Record<string, string>
}

function startHop({ nginx, folder, name, values }: HopSpec): ChildProcess {
  const own = join(folder, name)
  mkdirSync(own)
  // TLS first: its text holds a placeholder itself
  const all = { ...values, CERTS: folder, FOLDER: own }
  let text = readFileSync(TEMPLATE, 'utf8').replace('@TLS@', values['TLS'] ?? '')
  for (const [key, value] of Object.entries(all)) text = text.replaceAll(`@${key}@`, value)
  const file = join(own, 'nginx.conf')
  writeFileSync(file, text)
  return spawn(nginx, ['-c', file, '-p', own], { stdio: ['ignore', 'ignore', 'inherit'] })
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

async function accepts(port: number): Promise<void> {
  const deadlineMs = performance.now() + START_WITHIN_MS
  for (;;) {
    const socket = connect(port, '127.0.0.1')
    const open = await Promise.race([
      once(socket, 'connect').then(() => true),
      once(socket, 'error').then(() => false),
    ]).catch(() => false)
    socket.destroy()
    if (open) return
    if (performance.now() > deadlineMs) throw new Error(`nginx does not listen on port ${port}`)
    await new Promise((done) => setTimeout(done, 50))
  }
}

/**
 * What is put on this machine for an attacker to find: listeners on its addresses, UNIX sockets, files. Each gives the
 * secret to whoever gets there. In: the mesh's home. Owns all of it; `close` takes it away.
 */
import { randomBytes } from 'node:crypto'
import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type ListenOptions, type Server } from 'node:net'
import { homedir, hostname, networkInterfaces, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Home } from '../lib/home.ts'
import type { Host } from './facts.ts'

/** Ports that sidecars capture, of which the first free ones are taken at this machine's own address. */
const CAPTURED_PORTS = [9090, 8080, 443, 80, 6379]
const OWN_PORTS = 2

export class HostTraps {
  readonly #secret = `host-${randomBytes(12).toString('hex')}`
  readonly #servers: (Server | UdpSocket)[] = []
  /** Where programs have their sockets; beside the mesh's home. */
  readonly #folders: string[] = []
  readonly #atHome: string[] = []
  readonly #host: Host

  private constructor() {
    const own = Object.values(networkInterfaces())
      .flatMap((list) => list ?? [])
      .find(({ internal, family }) => !internal && family === 'IPv4')
    this.#host = {
      secret: this.#secret,
      loopbackPort: 0,
      ...(own === undefined ? {} : { address: own.address }),
      ports: [],
      sockets: { early: [], late: [], lateAtHome: [] },
      abstractSocket: `attack-${randomBytes(6).toString('hex')}`,
      files: [],
      hostName: hostname(),
      userFolders: [],
    }
  }

  /** Before the mesh starts: a pod may hide what is there when it begins. */
  static async open(home: Home): Promise<HostTraps> {
    const traps = new HostTraps()
    try {
      await traps.#open(home)
      return traps
    } catch (error) {
      traps.close()
      throw error
    }
  }

  get host(): Host {
    return this.#host
  }

  async #open(home: Home): Promise<void> {
    const host = this.#host
    host.loopbackPort = await this.#listen({ port: 0, host: '127.0.0.1' })
    await this.#listenUdp(host.loopbackPort, '127.0.0.1')
    if (host.address !== undefined) {
      await this.#listenUdp(host.loopbackPort, host.address).catch(() => undefined)
      for (const port of [...CAPTURED_PORTS, 0]) {
        if (host.ports.length === OWN_PORTS) break
        const taken = await this.#listen({ port, host: host.address }).catch(() => undefined)
        if (taken !== undefined) host.ports.push(taken)
      }
    }
    mkdirSync(dirname(home.dir), { recursive: true })
    const runtime = process.env['XDG_RUNTIME_DIR'] ?? ''
    for (const folder of [tmpdir(), '/run', runtime]) if (folder !== '') this.#makeFolder(folder, this.#folders)
    for (const folder of [homedir(), dirname(home.dir)]) this.#makeFolder(folder, this.#atHome)
    host.userFolders = [...this.#atHome]
    host.sockets.early = await this.#listenIn([...this.#folders, ...this.#atHome], 'trap.sock')
    await this.#listen({ path: `\0${host.abstractSocket}` })
    const [first = tmpdir()] = this.#folders
    const file = join(first, 'secret.txt')
    writeFileSync(file, `${this.#secret}\n`)
    host.files.push(file)
  }

  /** Sockets that are opened when the pods are there already. */
  async openLate(): Promise<void> {
    this.#host.sockets.late = await this.#listenIn(this.#folders, 'late.sock')
    this.#host.sockets.lateAtHome = await this.#listenIn(this.#atHome, 'late.sock')
  }

  close(): void {
    for (const server of this.#servers) server.close()
    for (const folder of [...this.#folders, ...this.#atHome]) rmSync(folder, { recursive: true, force: true })
  }

  #makeFolder(parent: string, list: string[]): void {
    try {
      list.push(mkdtempSync(join(parent, 'trap-')))
    } catch {
      // not for this user to write
    }
  }

  async #listenIn(folders: readonly string[], name: string): Promise<string[]> {
    const paths = folders.map((folder) => join(folder, name))
    for (const path of paths) await this.#listen({ path })
    return paths
  }

  async #listen(where: ListenOptions): Promise<number> {
    const text = `HTTP/1.1 200 OK\r\ncontent-length: ${this.#secret.length}\r\nconnection: close\r\n\r\n${this.#secret}`
    const server = createServer((socket) => socket.on('error', () => undefined).once('data', () => socket.end(text)))
    await new Promise<void>((done, fail) => {
      server.once('error', fail)
      server.listen(where, done)
    })
    this.#servers.push(server)
    const address = server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  async #listenUdp(port: number, host: string): Promise<void> {
    const socket = createSocket('udp4')
    socket.on('message', (_message, from) => socket.send(this.#secret, from.port, from.address))
    await new Promise<void>((done, fail) => {
      socket.once('error', fail)
      socket.bind(port, host, done)
    })
    this.#servers.push(socket)
  }
}

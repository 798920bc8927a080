/** Ports of 127.0.0.1: a free one; waiting until one accepts. */
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import type { Child } from './child.ts'

const START_WITHIN_MS = 15_000
const ASK_EVERY_MS = 20

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

export async function freePorts<K extends string>(...names: readonly K[]): Promise<Record<K, number>> {
  const ports = new Map<K, number>()
  for (const name of names) ports.set(name, await freePort())
  return Object.fromEntries(ports) as Record<K, number>
}

/** Resolves when something listens there; rejects when the process that should has ended, or takes too long. */
export async function accepts(port: number, child?: Child): Promise<void> {
  const deadlineMs = performance.now() + START_WITHIN_MS
  while (!(await isOpen(port))) {
    const name = child?.name ?? `port ${port}`
    if (child?.hasEnded === true) throw new Error(`${name} has ended: ${child.lastWords}`)
    if (performance.now() > deadlineMs) throw new Error(`${name} does not listen: ${child?.lastWords ?? ''}`)
    await new Promise((done) => setTimeout(done, ASK_EVERY_MS))
  }
}

export function isOpen(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => done(true)).once('error', () => done(false))
    socket.once('connect', () => socket.destroy())
  })
}

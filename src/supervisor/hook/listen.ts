/**
 * Servers: one that listens on a container's port is moved to the loopback port that the sidecar forwards to.
 * In: port to port. Out: net.Server.prototype.listen replaced (http, https, http2 and tls servers inherit it);
 * `address()` goes on to name the port that was asked for.
 */
import net from 'node:net'
import { attempt, replace } from './replace.ts'

const asked = new WeakMap<object, number>()
const moved = new Map<number, number>()

/** Where this process's own server on `port` really listens. */
export function movedPort(port: number): number | undefined {
  return moved.get(port)
}

export function installListen(ports: ReadonlyMap<number, number>): void {
  replace(net.Server.prototype, 'listen', (original) => {
    return function listen(this: unknown, ...args: unknown[]): unknown {
      const call = attempt(() => redirect(ports, args))
      if (call === undefined) return original.apply(this, args)
      asked.set(this as object, call.port)
      moved.set(call.port, call.appPort)
      return original.apply(this, call.args)
    }
  })
  replace(net.Server.prototype, 'address', (original) => {
    return function address(this: unknown): unknown {
      const real = original.call(this)
      const port = asked.get(this as object)
      return port === undefined || typeof real !== 'object' || real === null ? real : { ...real, port }
    }
  })
}

/** The forms of listen: (options), (port, host, backlog), and a port as text. Paths, handles and port 0 stay. */
function redirect(
  ports: ReadonlyMap<number, number>,
  args: readonly unknown[],
): { port: number; appPort: number; args: unknown[] } | undefined {
  const [first, ...rest] = args
  const callback = args.filter((arg) => typeof arg === 'function').slice(-1)
  if (typeof first === 'number' || typeof first === 'string') {
    const port = Number(first)
    const appPort = ports.get(port)
    if (appPort === undefined) return undefined
    const backlog = rest.find((arg) => typeof arg === 'number')
    return {
      port,
      appPort,
      args: [{ port: appPort, host: '127.0.0.1', ...(backlog === undefined ? {} : { backlog }) }, ...callback],
    }
  }
  if (typeof first !== 'object' || first === null || Reflect.get(first, 'path') != null) return undefined
  const port = Number(Reflect.get(first, 'port') ?? 0)
  const appPort = ports.get(port)
  if (appPort === undefined) return undefined
  return { port, appPort, args: [{ ...first, port: appPort, host: '127.0.0.1', ipv6Only: false }, ...callback] }
}

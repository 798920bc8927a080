/** UNIX sockets for tests of the data path: short paths, peers, resources. */
import { mkdtempSync, rmSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { envoy } from '../../../src/xds/generated/xds.js'
import { EXTENSION, pack } from '../../../src/xds/type-urls.ts'
import type { XdsCluster, XdsListener } from '../../helpers/data-plane.ts'

export function socketFolder(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'pipes-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

export function pipe(path: string, mode = 0o600): envoy.config.core.v3.Address {
  return { pipe: { path, mode } }
}

export const proxyProtocol = { name: 'proxy', typedConfig: pack(EXTENSION.proxyProtocol, {}) }

/** `listener` on a UNIX socket, behind a PROXY header. */
export function piped(path: string, listener: XdsListener): XdsListener {
  return {
    ...listener,
    address: pipe(path),
    listenerFilters: [proxyProtocol, ...(listener.listenerFilters ?? [])],
  }
}

/** A PROXY header around `inner`. */
export function proxied(inner?: envoy.config.core.v3.TransportSocket): envoy.config.core.v3.TransportSocket {
  return {
    name: 'proxy',
    typedConfig: pack(EXTENSION.upstreamProxyProtocol, {
      config: { version: 1 },
      transportSocket: inner ?? { typedConfig: pack(EXTENSION.rawBuffer, {}) },
    }),
  }
}

export function pipeCluster(name: string, path: string, transportSocket = proxied()): XdsCluster {
  return {
    name,
    type: 0,
    lbPolicy: 1,
    transportSocket,
    loadAssignment: { clusterName: name, endpoints: [{ lbEndpoints: [{ endpoint: { address: pipe(path) } }] }] },
  }
}

/** Writes `pieces` one by one, half-closes if asked; resolves to all that comes back. */
export function exchange(to: net.NetConnectOpts, pieces: (string | Buffer)[], half = false): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ ...to, allowHalfOpen: true })
    let text = ''
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')))
    socket.on('end', () => {
      socket.end()
      resolve(text)
    })
    socket.on('error', (error) => (text === '' ? reject(error) : resolve(text)))
    const next = (i: number): void => {
      const piece = pieces[i]
      if (piece === undefined) {
        if (half) socket.end()
      } else socket.write(piece, 'latin1', () => setImmediate(next, i + 1))
    }
    next(0)
  })
}

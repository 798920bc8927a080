/** TLS passed through by server name: real TLS from end to end, the proxy between sees the ClientHello alone. */
import type net from 'node:net'
import tls from 'node:tls'
import t from 'tap'
import { EXTENSION, pack } from '../../../src/xds/type-urls.ts'
import { address, createPlane, listen, staticCluster, tcpChain, type XdsListener } from '../../helpers/data-plane.ts'
import { keyPem, mintRoot } from '../../helpers/mint.ts'

const { key, pem } = mintRoot()

/** A TLS server that says its name and ends. */
function speaker(name: string): net.Server {
  return tls.createServer({ key: keyPem(key), cert: pem }, (socket) => socket.on('error', () => {}).end(name))
}

function said(port: number, servername: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({ port, host: '127.0.0.1', servername, rejectUnauthorized: false })
    let text = ''
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')))
    socket.on('end', () => resolve(text)).on('error', reject)
  })
}

const rows: [serverName: string, answer: string][] = [
  ['a.example.com', 'exact'],
  ['A.Example.COM', 'exact'],
  ['b.example.com', 'near'],
  ['c.b.example.com', 'near'],
  ['example.com', 'far'],
  ['badexample.com', 'far'],
  ['x.y.com', 'far'],
  ['example.org', 'others'],
  ['', 'others'],
]

t.test(
  'an exact name comes before patterns, the longer pattern before the shorter, others go on by default',
  async (t) => {
    const { plane } = createPlane()
    const names = ['far', 'near', 'exact', 'others']
    const servers = names.map(speaker)
    t.teardown(async () => {
      await plane.drain(0)
      for (const server of servers) server.close()
    })
    const ports = await Promise.all(servers.map(listen))
    plane.setClusters(names.map((name, i) => staticCluster(name, ports[i] ?? 0)))
    const named = (cluster: string, ...serverNames: string[]) =>
      tcpChain(cluster, { filterChainMatch: { serverNames } })
    const listener: XdsListener = {
      name: 'tls',
      address: address(0),
      listenerFilters: [{ name: 'tls', typedConfig: pack(EXTENSION.tlsInspector, {}) }],
      filterChains: [
        named('far', '*.com', '*.y.com'),
        named('near', '*.example.com'),
        named('exact', 'a.example.com', '*.a.example.com'),
      ],
      defaultFilterChain: tcpChain('others'),
    }
    t.same(await plane.setListeners([listener]), [])
    const port = Number(plane.listenerStats()[0]?.address.split(':').at(-1))
    for (const [serverName, answer] of rows) t.equal(await said(port, serverName), answer, serverName)
  },
)

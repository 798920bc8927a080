/** The same rigs as processes of their own, from bootstrap files. */
import { join } from 'node:path'
import type { Test } from 'tap'
import { bootstrap, cluster, httpListener, makeCertificates, startProxy, tlsSocket } from '../standalone/rig.ts'
import type { Rig } from './rig.ts'

/** The corpus has clients of that age. */
const HTTP10 = { http_protocol_options: { accept_http_10: true } }
const nothing = async (): Promise<void> => {} // the test's end ends the processes

export async function oneProcess(t: Test, upstreamPort: number): Promise<Rig> {
  const { ports } = await startProxy(
    t,
    bootstrap([httpListener('in', 'app', {}, HTTP10)], [cluster('app', upstreamPort)]),
  )
  return { name: 'one process', port: ports.get('in') ?? 0, close: nothing }
}

export async function twoProcesses(t: Test, upstreamPort: number): Promise<Rig> {
  const folder = makeCertificates(join(t.testdir({}), 'certs'))
  const common = (side: string, peer: string): object => ({
    common_tls_context: {
      tls_certificates: [
        {
          certificate_chain: { filename: join(folder, `${side}.pem`) },
          private_key: { filename: join(folder, `${side}.key`) },
        },
      ],
      validation_context: {
        trusted_ca: { filename: join(folder, 'ca.pem') },
        match_typed_subject_alt_names: [{ san_type: 'URI', matcher: { exact: `spiffe://example.com/${peer}` } }],
      },
    },
  })
  const down = tlsSocket('downstreamTls', { require_client_certificate: true, ...common('server', 'client') })
  const inbound = { ...httpListener('in', 'app', down, HTTP10), traffic_direction: 'INBOUND' }
  const server = await startProxy(t, bootstrap([inbound], [cluster('app', upstreamPort)]))
  const up = tlsSocket('upstreamTls', { sni: 'server.example.com', ...common('client', 'server') })
  const link = cluster('link', server.ports.get('in') ?? 0, up)
  const client = await startProxy(t, bootstrap([httpListener('out', 'link', {}, HTTP10)], [link]))
  return { name: 'two processes', port: client.ports.get('out') ?? 0, close: nothing }
}

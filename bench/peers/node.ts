/** A bare `tls` server of Node, which accepts mutual TLS and answers by itself: what the handshakes of a sidecar are held against. */
import { BARE_TLS } from '../names.ts'
import type { Missing, Setting } from '../subject.ts'
import { Subject } from '../subject.ts'
import { Child } from '../system/child.ts'
import { freePort } from '../system/ports.ts'

export async function bareTls({ certificates, bundles, node }: Setting): Promise<Subject | Missing> {
  if (certificates === undefined) return { missing: 'openssl' }
  const port = await freePort()
  const args = [bundles.tlsServer, String(port), certificates]
  const child = new Child({ name: 'bare tls server', role: 'proxy', command: node, args })
  return new Subject({
    name: BARE_TLS,
    ports: { http: port, tls: port },
    children: [child],
  }).listening()
}

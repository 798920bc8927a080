/** HAProxy as a plain hop, and as two with mutual TLS between them, over HTTP/1.1 and over HTTP/2 (the best peer). */
import { HAPROXY_H1, HAPROXY_H2, HAPROXY_HOP } from '../names.ts'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Missing, Setting } from '../subject.ts'
import { Subject } from '../subject.ts'
import { Child } from '../system/child.ts'
import { freePorts } from '../system/ports.ts'
import { writeTemplate } from '../system/template.ts'
import { which } from '../system/which.ts'

const TEMPLATE = new URL('haproxy/haproxy.cfg', import.meta.url)
const PLAIN = { BIND: '', SERVER: '', TCP_BIND: '', TCP_SERVER: '' }

export async function haproxyPlain(setting: Setting): Promise<Subject | Missing> {
  const haproxy = which('haproxy')
  if (haproxy === undefined) return { missing: 'haproxy' }
  const { http, tcp } = await freePorts('http', 'tcp')
  const hop = startHop(haproxy, setting, 'haproxy-plain', { ...PLAIN, ...toApp(setting), PORT: http, TCP_PORT: tcp })
  return new Subject({ name: HAPROXY_HOP, ports: { http, http2: http, tcp }, children: [hop] }).listening()
}

export async function haproxyMtls(
  setting: Setting,
  link: 'h2' | 'http/1.1',
  toGrpc = false,
): Promise<Subject | Missing> {
  const haproxy = which('haproxy')
  if (haproxy === undefined) return { missing: 'haproxy' }
  const { certificates } = setting
  if (certificates === undefined) return { missing: 'openssl' }
  const label = toGrpc ? 'grpc' : link === 'h2' ? 'h2' : 'h1'
  const { http, tcp, tls, tcpTls } = await freePorts('http', 'tcp', 'tls', 'tcpTls')
  const bind = `ssl crt ${certificates}/back.both.pem ca-file ${certificates}/ca.pem verify required`
  const server = `ssl crt ${certificates}/front.both.pem ca-file ${certificates}/ca.pem verify required sni str(back)`
  const children = [
    startHop(haproxy, setting, `haproxy-${label}-front`, {
      ...PLAIN,
      SERVER: `${server} alpn ${link}`,
      TCP_SERVER: server,
      PORT: http,
      NEXT_PORT: tls,
      TCP_PORT: tcp,
      TCP_NEXT_PORT: tcpTls,
    }),
    startHop(haproxy, setting, `haproxy-${label}-back`, {
      ...PLAIN,
      BIND: `${bind} alpn ${link}`,
      TCP_BIND: bind,
      ...toApp(setting),
      PORT: tls,
      TCP_PORT: tcpTls,
      ...(toGrpc ? { NEXT_PORT: setting.app.ports.grpc, SERVER: 'proto h2' } : {}),
    }),
  ]
  const name = (link === 'h2' ? HAPROXY_H2 : HAPROXY_H1) + (toGrpc ? ', gRPC' : '')
  return new Subject({ name, ports: { http, http2: http, tcp, tls }, children }).listening()
}

function toApp({ app }: Setting): Record<string, number> {
  return { NEXT_PORT: app.ports.http, TCP_NEXT_PORT: app.ports.echo }
}

function startHop(haproxy: string, setting: Setting, name: string, values: Record<string, string | number>): Child {
  const folder = join(setting.folder, name)
  mkdirSync(folder, { recursive: true })
  const file = writeTemplate(TEMPLATE, join(folder, 'haproxy.cfg'), values)
  return new Child({ name, role: 'proxy', command: haproxy, args: ['-db', '-f', file] })
}

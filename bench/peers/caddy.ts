/** Caddy as a plain hop, and as two with mutual TLS between them (HTTP/2, its default). */
import { CADDY_PAIR } from '../names.ts'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Missing, Setting } from '../subject.ts'
import { Subject } from '../subject.ts'
import { Child } from '../system/child.ts'
import { freePorts } from '../system/ports.ts'
import { writeTemplate } from '../system/template.ts'
import { which } from '../system/which.ts'

const TEMPLATE = new URL('caddy/Caddyfile', import.meta.url)

export async function caddyPlain(setting: Setting): Promise<Subject | Missing> {
  const caddy = which('caddy')
  if (caddy === undefined) return { missing: 'caddy' }
  const { http } = await freePorts('http')
  const next = `127.0.0.1:${setting.app.ports.http}`
  const values = { SITE: `http://:${http}`, NEXT: next, TLS: '', TRANSPORT: '' }
  const hop = startHop(caddy, setting, 'caddy-plain', values)
  return new Subject({ name: 'Caddy, one hop', ports: { http, http2: http }, children: [hop] }).listening()
}

export async function caddyMtls(setting: Setting): Promise<Subject | Missing> {
  const caddy = which('caddy')
  if (caddy === undefined) return { missing: 'caddy' }
  const { certificates } = setting
  if (certificates === undefined) return { missing: 'openssl' }
  const { http, tls } = await freePorts('http', 'tls')
  const children = [
    startHop(caddy, setting, 'caddy-front', {
      SITE: `http://:${http}`,
      TLS: '',
      NEXT: `https://127.0.0.1:${tls}`,
      TRANSPORT: `tls_server_name back
      tls_trusted_ca_certs ${certificates}/ca.pem
      tls_client_auth ${certificates}/front.pem ${certificates}/front.key
      versions 2`,
    }),
    startHop(caddy, setting, 'caddy-back', {
      SITE: `https://:${tls}`,
      TLS: `tls ${certificates}/back.pem ${certificates}/back.key {
    protocols tls1.3
    client_auth {
      mode require_and_verify
      trusted_ca_cert_file ${certificates}/ca.pem
    }
  }`,
      NEXT: `127.0.0.1:${setting.app.ports.http}`,
      TRANSPORT: '',
    }),
  ]
  return new Subject({ name: CADDY_PAIR, ports: { http, http2: http, tls }, children }).listening()
}

function startHop(caddy: string, setting: Setting, name: string, values: Record<string, string>): Child {
  const folder = join(setting.folder, name)
  mkdirSync(folder, { recursive: true })
  const file = writeTemplate(TEMPLATE, join(folder, 'Caddyfile'), { ...values, FOLDER: folder })
  const env = { GOMAXPROCS: '1', HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder }
  const args = ['run', '--adapter', 'caddyfile', '--config', file]
  return new Child({ name, role: 'proxy', command: caddy, args, env })
}

/** nginx as a plain hop, and as two with mutual TLS between them (HTTP/1.1: it speaks no HTTP/2 to upstreams). */
import { NGINX_PAIR, NGINX_HOP } from '../names.ts'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Missing, Setting } from '../subject.ts'
import { Subject } from '../subject.ts'
import { Child } from '../system/child.ts'
import { freePorts } from '../system/ports.ts'
import { asSelf } from '../system/nginx-user.ts'
import { writeTemplate } from '../system/template.ts'
import { which } from '../system/which.ts'

const TEMPLATE = new URL('nginx/nginx.conf', import.meta.url)

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
const HTTP2_LISTEN = 'listen 127.0.0.1:@HTTP2_PORT@ http2 backlog=8192;'

export async function nginxPlain(setting: Setting): Promise<Subject | Missing> {
  const nginx = which('nginx')
  if (nginx === undefined) return { missing: 'nginx' }
  const { http, http2 } = await freePorts('http', 'http2')
  const values = { PORT: http, NEXT_PORT: setting.app.ports.http, TLS: '', LISTEN: '', SCHEME: 'http' }
  const hop = startHop(nginx, setting, 'nginx-plain', { HTTP2_LISTEN, HTTP2_PORT: http2, ...values })
  return new Subject({ name: NGINX_HOP, ports: { http, http2 }, children: [hop], onlyWorkers: true }).listening()
}

export async function nginxMtls(setting: Setting): Promise<Subject | Missing> {
  const nginx = which('nginx')
  if (nginx === undefined) return { missing: 'nginx' }
  if (setting.certificates === undefined) return { missing: 'openssl' }
  const { http, http2, tls } = await freePorts('http', 'http2', 'tls')
  const back = { PORT: tls, NEXT_PORT: setting.app.ports.http, TLS: BACK_TLS, LISTEN: 'ssl', SCHEME: 'http' }
  const front = { PORT: http, NEXT_PORT: tls, TLS: FRONT_TLS, LISTEN: '', SCHEME: 'https' }
  const children = [
    startHop(nginx, setting, 'nginx-front', { HTTP2_LISTEN, HTTP2_PORT: http2, ...front }),
    startHop(nginx, setting, 'nginx-back', { HTTP2_LISTEN: '', ...back }),
  ]
  const ports = { http, http2, tls }
  return new Subject({ name: NGINX_PAIR, ports, children, onlyWorkers: true }).listening()
}

function startHop(nginx: string, setting: Setting, name: string, values: Record<string, string | number>): Child {
  const folder = join(setting.folder, name)
  mkdirSync(folder, { recursive: true })
  const all = { ...values, CERTS: setting.certificates ?? '', FOLDER: folder }
  const file = writeTemplate(TEMPLATE, join(folder, 'nginx.conf'), all)
  return new Child({ name, role: 'proxy', command: nginx, args: ['-c', file, '-p', folder, ...asSelf()] })
}

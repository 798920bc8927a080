/** What accepting mutual TLS costs on Node by itself: a bare `tls` server that answers 1 KiB. In: port, certificates. */
import { readFileSync } from 'node:fs'
import { createServer } from 'node:tls'
import { KIB } from './sizes.ts'

const [port = '0', certificates = ''] = process.argv.slice(2)
const file = (name: string): Buffer => readFileSync(`${certificates}/${name}`)
const answer = Buffer.from(
  `HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: ${KIB}\r\nconnection: close\r\n\r\n${'x'.repeat(KIB)}`,
)

createServer(
  {
    ca: file('ca.pem'),
    cert: file('back.pem'),
    key: file('back.key'),
    requestCert: true,
    rejectUnauthorized: true,
    minVersion: 'TLSv1.3',
    ciphers: 'TLS_AES_128_GCM_SHA256',
    ALPNProtocols: ['http/1.1'],
  },
  (socket) => {
    socket.once('data', () => socket.end(answer))
    socket.on('error', () => socket.destroy())
  },
).listen({ port: Number(port), host: '127.0.0.1', backlog: 8192 })

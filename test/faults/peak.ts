/** What a chain can do at most: closed loop, 64 connections, 1 KiB both ways. */
import { bodyOf } from './load.ts'
import net from 'node:net'

const CONNECTIONS = 64
const BODY_BYTES = 1024

const GOOD = Buffer.from('HTTP/1.1 200')

export async function peakPerSecond(port: number, forMs: number): Promise<number> {
  await run(port, forMs / 4) // the proxies warm up
  const startMs = performance.now()
  const done = await run(port, forMs)
  return (done * 1000) / (performance.now() - startMs)
}

function run(port: number, forMs: number): Promise<number> {
  const body = bodyOf('peak', BODY_BYTES)
  const request = `POST /r HTTP/1.1\r\nHost: server\r\nContent-Length: ${BODY_BYTES}\r\n\r\n${body}`
  let done = 0
  const untilMs = performance.now() + forMs
  const one = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const socket = net.connect({ port, host: '127.0.0.1', noDelay: true })
      socket.on('connect', () => socket.write(request))
      socket.on('data', (chunk: Buffer) => {
        // the application's answer to a request without an id has no body
        if (!chunk.subarray(-4).equals(Buffer.from('\r\n\r\n'))) return
        if (!chunk.subarray(0, 12).equals(GOOD)) {
          reject(new Error(`not an answer of the application: ${chunk.toString('latin1').slice(0, 200)}`))
          return
        }
        done++
        if (performance.now() < untilMs) socket.write(request)
        else socket.destroy()
      })
      socket.on('error', reject)
      socket.on('close', () => resolve())
    })
  return Promise.all(Array.from({ length: CONNECTIONS }, one)).then(() => done)
}

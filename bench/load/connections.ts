/** New connections, plain or with mutual TLS, each for one request. */
import { readFileSync } from 'node:fs'
import { connect as connectPlain } from 'node:net'
import type { Socket } from 'node:net'
import { connect as connectTls, createSecureContext } from 'node:tls'
import type { SecureContext } from 'node:tls'
import { ResponseReader } from './http1.ts'
import type { ConnectionsJob, JobReport } from './job.ts'
import { Recorder } from './recorder.ts'

export async function makeConnections(job: ConnectionsJob): Promise<JobReport> {
  const context = job.certificates === undefined ? undefined : contextOf(job.certificates)
  const latency = new Recorder()
  const reasons = new Set<string>()
  let errors = 0
  const cpu = process.cpuUsage()
  const startMs = performance.now()
  const endMs = startMs + job.seconds * 1000
  const oneAfterAnother = async (): Promise<void> => {
    while (performance.now() < endMs) {
      const fromMs = performance.now()
      const wrong = await once(job, context)
      if (wrong === undefined) latency.record(performance.now() - fromMs)
      else {
        errors++
        reasons.add(wrong)
      }
    }
  }
  await Promise.all(Array.from({ length: job.concurrency }, oneAfterAnother))
  const seconds = (performance.now() - startMs) / 1000
  const { user, system } = process.cpuUsage(cpu)
  return {
    requests: latency.count,
    errors,
    reasons: [...reasons].slice(0, 3),
    seconds,
    requestsPerSecond: latency.count / seconds,
    latency: latency.report(),
    lagP99Ms: 0,
    waited: 0,
    loadCpuMs: (user + system) / 1000,
  }
}

function once(job: ConnectionsJob, context: SecureContext | undefined): Promise<string | undefined> {
  const request = `GET ${job.path} HTTP/1.1\r\nhost: echo\r\nconnection: close\r\n\r\n`
  return new Promise((end) => {
    const reader = new ResponseReader(job.expectedBytes)
    const socket = dial(job, context)
    const finish = (wrong: string | undefined): void => {
      end(wrong)
      socket.destroy()
    }
    socket.once(context === undefined ? 'connect' : 'secureConnect', () => socket.write(request))
    socket.on('data', (bytes) => {
      const verdict = reader.read(bytes)
      if (verdict !== 'more') finish(verdict === 'done' ? undefined : verdict)
    })
    socket.on('error', (error) => finish(error.message))
    socket.on('close', () => finish('connection lost'))
  })
}

function dial({ port }: ConnectionsJob, context: SecureContext | undefined): Socket {
  const to = { port, host: '127.0.0.1' }
  if (context === undefined) return connectPlain(to)
  // the identity is that of the hops, checked as they check it: by the chain
  return connectTls({ ...to, secureContext: context, servername: 'back', ALPNProtocols: ['http/1.1'] })
}

function contextOf(certificates: string): SecureContext {
  const file = (name: string): Buffer => readFileSync(`${certificates}/${name}`)
  return createSecureContext({
    ca: file('ca.pem'),
    cert: file('front.pem'),
    key: file('front.key'),
    minVersion: 'TLSv1.3',
    ciphers: 'TLS_AES_128_GCM_SHA256',
  })
}

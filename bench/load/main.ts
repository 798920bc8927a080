/** The load process: one job after the other, each a message in and a message out (`job.ts`). Ends with its parent. */
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { once } from 'node:events'
import { makeConnections } from './connections.ts'
import { generate } from './generator.ts'
import { http1Wire } from './http1.ts'
import { grpcWire, http2Wire } from './http2.ts'
import type { Answer, IdleJob, Job, JobReport, Protocol } from './job.ts'
import { Recorder } from './recorder.ts'
import { tcpWire } from './tcp.ts'
import type { WireMaker } from './wire.ts'

const WIRES: Readonly<Record<Protocol, WireMaker>> = {
  http1: http1Wire,
  http2: http2Wire,
  grpc: grpcWire,
  tcp: tcpWire,
}
/** Connections that are opened at once. */
const OPENING = 64

const idle: Socket[] = []

function perform(job: Job): Promise<JobReport> {
  switch (job.kind) {
    case 'requests':
      return generate(job, WIRES[job.protocol])
    case 'connections':
      return makeConnections(job)
    case 'idle':
      return openIdle(job)
    case 'close':
      for (const socket of idle.splice(0)) socket.destroy()
      return Promise.resolve(emptyReport(0))
    default:
      return job satisfies never
  }
}

async function openIdle({ port, connections }: IdleJob): Promise<JobReport> {
  for (let left = connections; left > 0; left -= OPENING) {
    const sockets = Array.from({ length: Math.min(OPENING, left) }, () => connect(port, '127.0.0.1'))
    idle.push(...sockets)
    await Promise.all(sockets.map((socket) => once(socket, 'connect')))
    for (const socket of sockets) socket.on('error', () => socket.destroy())
  }
  return emptyReport(idle.filter((socket) => !socket.destroyed).length)
}

function emptyReport(requests: number): JobReport {
  const latency = new Recorder().report()
  const none = { errors: 0, reasons: [], seconds: 0, requestsPerSecond: 0, lagP99Ms: 0, waited: 0, loadCpuMs: 0 }
  return { requests, latency, ...none }
}

process.on('message', (job: Job) => {
  perform(job)
    .then((report): Answer => ({ ok: true, report }))
    .catch((error: unknown): Answer => ({ ok: false, message: error instanceof Error ? error.message : String(error) }))
    .then((answer) => process.send?.(answer))
})
process.on('disconnect', () => process.exit(0))

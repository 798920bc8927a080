/** What the load process is asked to do, and what it answers: one message each way for each job. */

/** How requests travel; every slot has one under way at a time. */
export type Protocol = 'http1' | 'http2' | 'grpc' | 'tcp'

export interface RequestsJob {
  kind: 'requests'
  protocol: Protocol
  port: number
  path: string
  connections: number
  /** HTTP/2 and gRPC: at once on each connection. */
  streams: number
  /** Undefined: closed loop, each slot asks again as soon as it is answered. */
  ratePerSecond: number | undefined
  warmUpSeconds: number
  seconds: number
  /** Every answer must have so many bytes; of TCP also what is sent. */
  expectedBytes: number
}

/** New connections, each for one request, so many at once, one after the other. */
export interface ConnectionsJob {
  kind: 'connections'
  port: number
  path: string
  concurrency: number
  seconds: number
  expectedBytes: number
  /** Mutual TLS with files of this folder; no session is resumed. */
  certificates: string | undefined
}

/** Connections that only exist, until the job `close`. */
export interface IdleJob {
  kind: 'idle'
  port: number
  connections: number
}

export interface CloseJob {
  kind: 'close'
}

export type Job = RequestsJob | ConnectionsJob | IdleJob | CloseJob

export interface LatencyReport {
  p50Ms: number
  p90Ms: number
  p99Ms: number
  p999Ms: number
  maxMs: number
  /** For the chart: share of the requests, and the latency that so many have at most. */
  curve: readonly (readonly [number, number])[]
}

export interface JobReport {
  requests: number
  errors: number
  /** The first few, by what went wrong. */
  reasons: readonly string[]
  seconds: number
  requestsPerSecond: number
  /** From the intended start. */
  latency: LatencyReport
  /** How late the generator itself was, with a slot free: what is above some 0.2 ms is its own fault. */
  lagP99Ms: number
  /** Requests that found no slot free when they were due. */
  waited: number
  loadCpuMs: number
}

export type Answer = { ok: true; report: JobReport } | { ok: false; message: string }

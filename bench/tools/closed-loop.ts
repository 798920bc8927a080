/**
 * Closed-loop load: each connection asks again as soon as it is answered. Says what a proxy can do at most, and what a
 * request costs it; its latencies are those of a full machine. wrk where it is on PATH, else autocannon; h2load for HTTP/2.
 */
import { cpuMs } from '../system/processes.ts'
import { Child } from '../system/child.ts'
import { which } from '../system/which.ts'
import { autocannonTool } from './autocannon.ts'
import { h2loadTool } from './h2load.ts'
import { wrkTool } from './wrk.ts'

export interface LoadSpec {
  port: number
  path: string
  connections: number
  seconds: number
  /** Bytes of a request's body; 0: GET. */
  uploadBytes?: number
  /** HTTP/2: requests at once on each connection. */
  streams?: number
}

export interface LoadResult {
  tool: string
  requests: number
  /** Answers other than 2xx and 3xx, and socket errors. */
  errors: number
  requestsPerSecond: number
  p50Ms: number
  p99Ms: number
  /** CPU time of the tool itself. */
  loadCpuMs: number
}

/** A program: its command line for a load, and the reading of what it printed. */
export interface LoadTool {
  name: string
  commandOf(spec: LoadSpec): { command: string; args: string[]; clean?: () => void }
  read(stdout: string, spec: LoadSpec): Omit<LoadResult, 'tool' | 'loadCpuMs'>
}

const LOOK_EVERY_MS = 50

export const http1Tool: LoadTool = which('wrk') === undefined ? autocannonTool : wrkTool
export const http2Tool: LoadTool | undefined = which('h2load') === undefined ? undefined : h2loadTool

export async function applyLoad(spec: LoadSpec, tool: LoadTool = http1Tool): Promise<LoadResult> {
  const { command, args, clean } = tool.commandOf(spec)
  const child = new Child({ name: tool.name, role: 'load', command, args, keepsOutput: true })
  let loadCpuMs = 0
  const timer = setInterval(() => {
    try {
      loadCpuMs = cpuMs([child.pid])
    } catch {
      clearInterval(timer)
    }
  }, LOOK_EVERY_MS)
  try {
    const stdout = await child.output()
    return { tool: tool.name, loadCpuMs, ...tool.read(stdout, spec) }
  } finally {
    clearInterval(timer)
    clean?.()
  }
}

/**
 * Closed-loop load: each connection asks again as soon as it is answered. Says what a proxy can do at most, and what a
 * request costs it; its latencies are those of a full machine. wrk where it is on PATH, else autocannon; h2load for HTTP/2.
 */
import { cpuMs } from '../system/processes.ts'
import { Child } from '../system/child.ts'
import { which } from '../system/which.ts'
import { autocannonTool } from './autocannon.ts'
import { h2loadTool } from './h2load.ts'
import type { LoadResult, LoadSpec, LoadTool } from './load-tool.ts'
import { wrkTool } from './wrk.ts'

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

/** What a figure is worth nothing without: the machine it was measured on. */
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os'
import { which } from './which.ts'

export interface MachineFacts {
  at: string
  node: string
  kernel: string
  cpu: string
  cores: number
  memoryGiB: number
  /** Over the last minute, before the run: other work makes every figure worse. */
  load1m: number
  tools: Record<string, boolean>
}

export function machineFacts(): MachineFacts {
  return {
    at: new Date().toISOString(),
    node: process.version,
    kernel: release(),
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    load1m: loadavg()[0] ?? 0,
    tools: Object.fromEntries(['nginx', 'wrk', 'openssl'].map((name) => [name, which(name) !== undefined])),
  }
}

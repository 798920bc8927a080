/** What a figure is worth nothing without: the machine it was measured on, and the programs. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os'
import { isPinned } from './cores.ts'
import { which } from './which.ts'

export interface MachineFacts {
  at: string
  node: string
  kernel: string
  cpu: string
  cores: number
  /** Proxies on core 0, load and application on core 1. */
  pinned: boolean
  memoryGiB: number
  /** Over the last minute, before the run: other work makes every figure worse. */
  load1m: number
  /** What the kernel tells the time by; anything but `tsc` makes each reading dear. */
  clock: string
  congestionControl: string
  governor: string
  /** Programs on PATH with their versions; `absent` for those that are not. */
  tools: Record<string, string>
}

const TOOLS: Readonly<Record<string, readonly string[]>> = {
  nginx: ['-v'],
  haproxy: ['-v'],
  caddy: ['version'],
  envoy: ['--version'],
  wrk: ['-v'],
  h2load: ['--version'],
  openssl: ['version'],
}

export function machineFacts(): MachineFacts {
  return {
    at: new Date().toISOString(),
    node: process.version,
    kernel: release(),
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    pinned: isPinned,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    load1m: loadavg()[0] ?? 0,
    clock: textOf('/sys/devices/system/clocksource/clocksource0/current_clocksource'),
    congestionControl: textOf('/proc/sys/net/ipv4/tcp_congestion_control'),
    governor: textOf('/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor'),
    tools: Object.fromEntries(Object.entries(TOOLS).map(([name, args]) => [name, versionOf(name, args)])),
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch {
    return 'unknown'
  }
}

function versionOf(name: string, args: readonly string[]): string {
  const program = which(name)
  if (program === undefined) return 'absent'
  const { stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', timeout: 3000 })
  return /\d+\.\d+(\.\d+)?/.exec(`${stdout}${stderr}`)?.[0] ?? 'present'
}

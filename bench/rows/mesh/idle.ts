/** Row `idle`: CPU and memory of the sidecars and of the control plane while nothing happens. */
import type { BenchMesh } from '../../mesh/fixture.ts'
import { cpuMs, hasProc, rssMiB } from '../../system/processes.ts'
import type { Mode } from '../../options.ts'
import type { RowReport } from '../../stats/table.ts'

const SETTLE_MS = 3000

export async function idle(mesh: BenchMesh, { mode }: { mode: Mode }): Promise<RowReport> {
  if (!hasProc) return { title: 'Idle', lines: [], notes: ['skipped: needs /proc'] }
  const sidecars = (await mesh.pods()).map((pod) => pod.sidecar?.pid).filter((pid) => typeof pid === 'number')
  const controlPid = await mesh.controlPid()
  await pause(SETTLE_MS)
  const windowMs = { quick: 5000, default: 15_000, full: 30_000 }[mode]
  const beforeMs = [cpuMs(sidecars), cpuMs([controlPid])] as const
  await pause(windowMs)
  const share = (nowMs: number, thenMs: number): number => ((nowMs - thenMs) / windowMs) * 100
  const sizes = sidecars.map(rssMiB)
  return {
    title: `Idle for ${windowMs / 1000} s: ${sidecars.length} sidecars`,
    lines: [
      {
        process: 'sidecar, mean',
        'CPU %': share(cpuMs(sidecars), beforeMs[0]) / sidecars.length,
        'RSS MiB': sizes.reduce((sum, size) => sum + size, 0) / sizes.length,
      },
      { process: 'sidecar, largest', 'RSS MiB': Math.max(...sizes) },
      { process: 'control plane', 'CPU %': share(cpuMs([controlPid]), beforeMs[1]), 'RSS MiB': rssMiB(controlPid) },
    ],
    notes: ['target: sidecar under 0.3 % and 70 MiB (Node 20), control plane at most 120 MiB'],
  }
}

function pause(delayMs: number): Promise<void> {
  return new Promise((done) => setTimeout(done, delayMs))
}

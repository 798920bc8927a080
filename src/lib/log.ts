/** Process logs: JSON lines by pino, to standard error (synchronous: these lines are few and must not be lost). */
import pino from 'pino'

export type Log = pino.Logger

/** `component` names the process: `control`, `sidecar`, `supervisor`. Level: $POCKETMESH_LOG, default `info`. */
export function createLog(component: string): Log {
  const level = process.env['POCKETMESH_LOG'] ?? 'info'
  return pino(
    { level, base: { component }, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ dest: 2, sync: true }),
  )
}

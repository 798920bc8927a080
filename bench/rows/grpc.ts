/**
 * Row `grpc`: unary calls of grpc-js through the pair. CPU of the proxies per call beside that of grpc-js's own client
 * and server without any proxy, which is the anchor.
 */
import { GRPC_ENDS } from '../names.ts'
import { once } from 'node:events'
import type { Subject } from '../subject.ts'
import type { SubjectName } from '../subjects.ts'
import type { Setting } from '../subject.ts'
import { Child } from '../system/child.ts'
import { accepts } from '../system/ports.ts'
import { cpuMs } from '../system/processes.ts'
import { interleave, sample } from '../sampler.ts'
import { digits } from '../stats/results.ts'
import type { Row, RowContext } from './row.ts'
import { sizeOf } from './row.ts'

const AT_ONCE = 32
const BYTES = 100
const NAMES: readonly SubjectName[] = ['direct', 'bare-grpc', 'all-grpc', 'haproxy-grpc']
const SIZES = { quick: { reps: 1, seconds: 1 }, default: { reps: 5, seconds: 2 }, full: { reps: 7, seconds: 4 } }

interface Calls {
  calls: number
  errors: number
  cpuMs: number
}

export const grpc: Row = async (context) => {
  const { stage, plan, results, isOver } = context
  const { reps, seconds } = sizeOf(plan, SIZES)
  const { bundles, app } = stage.setting
  const args = [bundles.grpcServer, String(app.ports.grpc)]
  const server = new Child({ name: 'gRPC server', role: 'load', command: process.execPath, args })
  const notes: string[] = []
  try {
    await accepts(app.ports.grpc, server)
    const subjects = await stage.subjects(NAMES, notes)
    const cells = [`${AT_ONCE} at once`]
    const { done, left } = await interleave({
      reps,
      subjects,
      cells,
      isOver,
      notes,
      warmUp: async (subject) => void (await call(stage.setting, subject, server, 0.5)),
      run: async (subject, cell) => {
        const taken = await call(stage.setting, subject, server, seconds)
        keep(context, subject, cell, taken)
      },
    })
    return {
      title: `gRPC unary calls of ${BYTES} bytes, grpc-js at both ends: ${done} x ${seconds} s each, interleaved`,
      lines: left.map(({ name, children }) => {
        const subject = children.length === 0 ? GRPC_ENDS : name
        const key = { row: 'grpc', subject, cell: cells[0] ?? '' }
        return {
          subject,
          'CPU us/call': results.shown({ ...key, metric: 'cpuUs' }),
          [`to ${GRPC_ENDS}`]: digits(results.ratio({ ...key, metric: 'cpuUs' }, GRPC_ENDS)),
          'calls/s': digits(results.median({ ...key, metric: 'requestsPerSecond' })),
        }
      }),
      notes,
    }
  } finally {
    await server.stop()
    // nothing else speaks to them
    await stage.release(NAMES.slice(1))
  }
}

async function call({ bundles, app }: Setting, subject: Subject, server: Child, seconds: number) {
  const port = subject.children.length === 0 ? app.ports.grpc : (subject.ports.http2 ?? 0)
  const args = [bundles.grpcClient, ...[port, AT_ONCE, seconds, BYTES].map(String)]
  const spec = { name: 'gRPC client', role: 'load', command: process.execPath, args } as const
  const client = new Child({ ...spec, ipc: true, keepsOutput: true })
  const output = client.output()
  await Promise.race([once(client.process, 'message'), output])
  const serverBefore = cpuMs([server.pid])
  const load = async (): Promise<Calls & { loadCpuMs: number; seconds: number }> => {
    const calls = JSON.parse(await output) as Calls
    return { ...calls, loadCpuMs: calls.cpuMs, seconds }
  }
  const taken = await sample({ subject, appPids: [server.pid], load })
  const { calls, errors } = taken.result
  if (calls === 0 || errors > calls / 100) throw new Error(`${errors} errors in ${calls} calls`)
  return { ...taken, endsCpuMs: taken.result.cpuMs + cpuMs([server.pid]) - serverBefore }
}

function keep(
  { results, busy }: RowContext,
  { name, children }: Subject,
  cell: string,
  taken: Awaited<ReturnType<typeof call>>,
): void {
  const isDirect = children.length === 0
  const key = { row: 'grpc', subject: isDirect ? GRPC_ENDS : name, cell }
  const { calls, seconds } = taken.result
  results.add({ ...key, metric: 'cpuUs' }, ((isDirect ? taken.endsCpuMs : taken.proxyCpuMs) * 1000) / calls)
  results.add({ ...key, metric: 'requestsPerSecond' }, calls / seconds)
  busy.push({ row: 'grpc', subject: key.subject, busy: taken.busy })
}

/**
 * The child of a process that forks once and waits (`nsenter` before a PID namespace). In: its PID. Out: the child's, as
 * this process counts. Linux only.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { procStat } from './proc-stat.ts'

const POLL_MS = 2
const WITHIN_MS = 10_000

/** Rejects when the process ends before it has a child. */
export async function childOf(pid: number): Promise<number> {
  const deadlineMs = performance.now() + WITHIN_MS
  while (performance.now() < deadlineMs) {
    const child = listedChild(pid)
    if (child !== undefined) return child
    await sleep(POLL_MS)
  }
  throw new Error(`process ${pid} has no child after ${WITHIN_MS} ms`)
}

/** `/proc/PID/task/PID/children` where the kernel has it (CONFIG_PROC_CHILDREN), else by everybody's parent. */
function listedChild(pid: number): number | undefined {
  let list: string
  try {
    list = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1')
  } catch {
    if (procStat(pid) === undefined) throw new Error('it ended before it was in its pod')
    return readdirSync('/proc')
      .map(Number)
      .find((one) => one > 0 && procStat(one)?.parent === String(pid))
  }
  const first = list.trim().split(' ')[0] ?? ''
  return first === '' ? undefined : Number(first)
}

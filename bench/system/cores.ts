/**
 * Which core a process runs on: proxies on one, load and application on another, so that neither takes the other's time.
 * In: a command line. Out: the same behind `taskset`, where there is one and more than one core.
 */
import { availableParallelism } from 'node:os'
import { which } from './which.ts'

export type Role = 'proxy' | 'load'

const CORE: Readonly<Record<Role, number>> = { proxy: 0, load: 1 }
const taskset = which('taskset')

export const isPinned = taskset !== undefined && availableParallelism() > 1

export function onCore(role: Role, command: string, args: readonly string[]): [string, string[]] {
  if (!isPinned || taskset === undefined) return [command, [...args]]
  return [taskset, ['-c', String(CORE[role]), command, ...args]]
}

/**
 * Log files of processes. A process writes to its file itself (opened for appending), so nothing passes through the
 * supervisor. Rotation copies a file that has grown and cuts it: who appends goes on at its new end.
 */
import { closeSync, copyFileSync, mkdirSync, openSync, statSync, truncateSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'

const MAX_LOG_BYTES = 16 * 1024 * 1024

/** A descriptor for a child's stdout and stderr; the caller closes it once the child has it. */
export function openLog(file: string): number {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  return openSync(file, 'a', 0o600)
}

/** A line of the supervisor's own between the process's. */
export function noteInLog(file: string, line: string): void {
  const fd = openLog(file)
  writeSync(fd, `[pocketmesh] ${line}\n`)
  closeSync(fd)
}

/** Keeps one older file, `NAME.1`. */
export function rotateLog(file: string, maxBytes = MAX_LOG_BYTES): void {
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0
  if (size <= maxBytes) return
  copyFileSync(file, `${file}.1`)
  truncateSync(file, 0)
}

/** The last complete line of a file that another process appends to; '' where there is none. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'

const TAIL_BYTES = 1024

export function lastLine(file: string | undefined): string {
  if (file === undefined) return ''
  let fd: number
  try {
    fd = openSync(file, 'r')
  } catch {
    return ''
  }
  try {
    const tail = Buffer.alloc(TAIL_BYTES)
    const read = readSync(fd, tail, 0, TAIL_BYTES, Math.max(0, fstatSync(fd).size - TAIL_BYTES))
    return tail.toString('utf8', 0, read).split('\n').slice(0, -1).at(-1) ?? ''
  } finally {
    closeSync(fd)
  }
}

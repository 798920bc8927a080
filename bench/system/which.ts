/** Finds a program on PATH, or where Debian puts servers; undefined when it is not there. */
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

export function which(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin']
  return folders.map((folder) => join(folder, name)).find(isExecutable)
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

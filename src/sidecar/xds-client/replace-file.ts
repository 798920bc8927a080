/** A file that is either the old one or the new one, written without blocking the proxy path: fsync takes its time. */
import { open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Rejects with the system's error; the old file is then unchanged. */
export async function replaceFile(file: string, data: string | Uint8Array): Promise<void> {
  const temporary = `${file}.${process.pid}.tmp`
  try {
    const handle = await open(temporary, 'w', 0o600)
    try {
      await handle.writeFile(data)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, file)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
  const folder = await open(dirname(file), 'r')
  await folder.sync().finally(() => folder.close())
}

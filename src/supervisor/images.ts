/**
 * The `images:` table of a `pocketmesh.yaml` that lies beside a manifest: which local command stands for an image.
 * In: a folder, an image name. Out: a command line, or `undefined`. Patterns: exact, then without tag and digest, then
 * with `*` for any run of characters.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { IMAGES_FILE } from '../lib/images-file.ts'

export interface ImageCommand {
  command: string
  workingDir?: string
}

export type ImageTable = ReadonlyMap<string, ImageCommand>

/** Empty where there is no such file; throws with the file's name where it cannot be understood. */
export function readImageTable(dir: string): ImageTable {
  const file = join(dir, IMAGES_FILE)
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch {
    return new Map()
  }
  try {
    const images = ((parse(text) ?? {}) as { images?: Record<string, unknown> }).images ?? {}
    return new Map(Object.entries(images).map(([image, value]) => [image, imageCommand(image, value)]))
  } catch (error) {
    throw new Error(`${file}: ${(error as Error).message.split('\n')[0]}`, { cause: error })
  }
}

function imageCommand(image: string, value: unknown): ImageCommand {
  if (typeof value === 'string') return { command: value }
  const { command, workingDir } = (value ?? {}) as Partial<ImageCommand>
  if (typeof command !== 'string') throw new Error(`images["${image}"] is neither a command nor {command, workingDir}`)
  return typeof workingDir === 'string' ? { command, workingDir } : { command }
}

export function findImage(table: ImageTable, image: string): ImageCommand | undefined {
  const bare = image.replace(/@.*$/, '').replace(/:[^/]*$/, '')
  const exact = table.get(image) ?? table.get(bare)
  if (exact !== undefined) return exact
  for (const [pattern, command] of table) {
    if (!pattern.includes('*')) continue
    const expression = new RegExp(`^${pattern.split('*').map(escape).join('.*')}$`)
    if (expression.test(image) || expression.test(bare)) return command
  }
  return undefined
}

function escape(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
}

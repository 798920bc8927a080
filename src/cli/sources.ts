/**
 * `-f`: files, folders and `-` to the texts of an apply. In: paths as the user wrote them. Out: each text with its
 * file (as named, for messages) and its absolute folder. A folder gives its .yaml, .yml and .json files, sorted,
 * not those of folders below it (as kubectl without -R), and not the table of images.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { text as readAll } from 'node:stream/consumers'
import type { ApplyRequest } from '../client/contract.ts'
import { IMAGES_FILE } from '../lib/images-file.ts'
import { CliError } from './errors.ts'
import { EXIT } from './exit-code.ts'

export type Source = ApplyRequest['sources'][number]

const MANIFEST = /\.(ya?ml|json)$/i
const STDIN = '(stdin)'

/** Throws CliError (65) for what cannot be read. */
export async function readSources(paths: readonly string[]): Promise<Source[]> {
  const sources: Source[] = []
  for (const path of paths) {
    if (path === '-') sources.push({ file: STDIN, dir: process.cwd(), text: await readAll(process.stdin) })
    else for (const file of manifestsAt(path)) sources.push({ file, dir: dirname(resolve(file)), text: readText(file) })
  }
  return sources
}

/** Texts by file, to quote lines from. */
export function textsOf(sources: readonly Source[]): Map<string, string> {
  return new Map(sources.map((source) => [source.file, source.text]))
}

function manifestsAt(path: string): string[] {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found === undefined) throw new CliError(`there is no file or folder "${path}"`, EXIT.data)
  if (!found.isDirectory()) return [path]
  const names = readdirSync(path)
    .filter((name) => MANIFEST.test(name) && name !== IMAGES_FILE)
    .sort()
  if (names.length === 0) throw new CliError(`folder "${path}" holds no .yaml, .yml or .json file`, EXIT.data)
  return names.map((name) => join(path, name))
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new CliError(error instanceof Error ? error.message : String(error), EXIT.data)
  }
}

/** A program's committed configuration with its `@NAMES@` filled in. */
import { readFileSync, writeFileSync } from 'node:fs'

/** Values may hold names themselves: they are filled in in order. A name without a value throws. */
export function fillTemplate(text: string, values: Readonly<Record<string, string | number>>): string {
  const filled = Object.entries(values).reduce((done, [name, value]) => done.replaceAll(`@${name}@`, `${value}`), text)
  const [left] = /@[A-Z_]+@/.exec(filled) ?? []
  if (left !== undefined) throw new Error(`the template has no value for ${left}`)
  return filled
}

export function writeTemplate(template: URL, file: string, values: Readonly<Record<string, string | number>>): string {
  writeFileSync(file, fillTemplate(readFileSync(template, 'utf8'), values))
  return file
}

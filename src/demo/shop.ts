/**
 * The demo shop's files. In: nothing but where this program lies. Out: texts for an apply, and paths to show.
 */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ApplyRequest } from '../client/contract.ts'
import { PlainError } from '../client/errors.ts'

type Source = ApplyRequest['sources'][number]

export const ROUTES = {
  canary9010: 'routes/canary-90-10.yaml',
  canary5050: 'routes/canary-50-50.yaml',
  strict: 'routes/mesh-strict.yaml',
  permissive: 'routes/mesh-permissive.yaml',
} as const

/** The service that the canary splits. */
export const CANARY_HOST = 'checkout-service'
export const CANARY_URL = `http://${CANARY_HOST}:8080/version`

/** A file of `examples/shop`, which lies above dist/ as well as above src/demo/. */
export function shopFile(name: string): string {
  const from = dirname(fileURLToPath(import.meta.url))
  for (let folder = from; ; folder = dirname(folder)) {
    const shop = join(folder, 'examples', 'shop')
    if (existsSync(join(shop, 'shop.yaml'))) return join(shop, name)
    if (folder === dirname(folder)) throw new PlainError(`the demo needs examples/shop, which is not above ${from}`)
  }
}

/** One of them, as an apply takes it. */
export function shopSource(name: string): Source {
  const file = shopFile(name)
  return { file: shownPath(file), dir: dirname(file), text: readFileSync(file, 'utf8') }
}

/** Services and Deployments, the load generator at this rate, the frontend published at this port. */
export function shopWorkloads(options: { loadPerSecond: number; publishPort?: number }): Source {
  const source = shopSource('shop.yaml')
  let text = source.text.replace(/(name: RATE\s+value: )"\d+"/, `$1"${options.loadPerSecond}"`)
  if (options.publishPort !== undefined) {
    text = text.replace(/(pocketmesh\.dev\/publish: )"\d+"/, `$1"${options.publishPort}"`)
  }
  return { ...source, text }
}

/** Relative to the working folder where that is shorter. */
export function shownPath(file: string): string {
  const short = relative(process.cwd(), file)
  return short.length < file.length && short !== '' ? short : file
}

/** `delete`: objects by kind and name, or those that files name. */
import type { Command } from 'commander'
import { ApiError } from '../../client/errors.ts'
import { withContext, type Context } from '../context.ts'
import { CliError, QuietExit } from '../errors.ts'
import { EXIT } from '../exit-code.ts'
import { printDelivery } from '../delivery.ts'
import { collect, examples } from '../help.ts'
import { parseTargets, type Target } from '../resources.ts'
import { readSources, textsOf } from '../sources.ts'

export function registerDelete(program: Command): void {
  const command = program
    .command('delete')
    .description('delete objects')
    .argument('[kind]', 'kind, or KIND/NAME')
    .argument('[names...]')
    .option('-f, --filename <path>', 'delete the objects that this file, folder or - (stdin) names', collect, [])
    .option('--ignore-not-found', 'an object that is not there is no failure')
  examples(command, [
    ['One object', 'delete vs checkout-route'],
    ['The same', 'delete virtualservice/checkout-route'],
    ['All that a file brought', 'delete -f examples/shop/canary.yaml'],
  ])
  command.action((kind: string | undefined, names: string[], flags: { filename: string[]; ignoreNotFound?: boolean }) =>
    withContext(command, async (context) => {
      const targets =
        flags.filename.length > 0 ? await fromFiles(context, flags.filename) : fromWords(context, kind, names)
      await deleteAll(context, targets, flags.ignoreNotFound === true)
    }),
  )
}

function fromWords(context: Context, kind: string | undefined, names: string[]): Target[] {
  if (kind === undefined) throw new CliError('say what to delete: KIND NAME, or -f FILE', EXIT.usage)
  const targets = parseTargets([kind, ...names], context.namespace)
  if (targets.some((target) => target.name === undefined)) throw new CliError('say which: KIND NAME', EXIT.usage)
  return targets
}

async function fromFiles({ namespace }: Context, paths: readonly string[]): Promise<Target[]> {
  const sources = await readSources(paths)
  const { parseSources } = await import('../../config/parse.ts')
  const { objects, issues } = parseSources(sources, { namespace })
  const errors = issues.filter((issue) => issue.level === 'error')
  if (errors.length > 0) throw new CliError('nothing was deleted', EXIT.data, errors, textsOf(sources))
  return objects.map((o) => ({ kind: o.kind, namespace: o.metadata.namespace, name: o.metadata.name }))
}

async function deleteAll(context: Context, targets: readonly Target[], ignoreMissing: boolean): Promise<void> {
  let missing = 0
  let revision: number | undefined
  for (const { kind, namespace, name = '' } of targets) {
    try {
      revision = (await context.control.deleteObject(kind, namespace, name)).revision
      context.print(`${kind.toLowerCase()}/${name} deleted`)
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== 'not_found') throw error
      if (ignoreMissing) continue
      missing++
      context.note(`error: ${error.message}`)
    }
  }
  if (revision !== undefined) await printDelivery(context, revision)
  if (missing > 0) throw new QuietExit(EXIT.failure)
}

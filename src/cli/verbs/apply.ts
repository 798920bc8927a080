/** `apply`: documents to the store, all or nothing; then waits until each proxy has what follows from them. */
import type { Command } from 'commander'
import type { ApplyRequest, ApplyResponse } from '../../client/contract.ts'
import { ApiError } from '../../client/errors.ts'
import type { Context } from '../context.ts'
import { withContext } from '../context.ts'
import { printDelivery } from '../delivery.ts'
import { CliError, formatIssues, NO_OBJECT } from '../errors.ts'
import { EXIT } from '../exit-code.ts'
import { collect, examples } from '../help.ts'
import { readSources, textsOf, type Source } from '../sources.ts'
import { strictWarningFor } from '../strict-warning.ts'

interface ApplyFlags {
  filename: string[]
  dryRun?: boolean
  strict?: boolean
  wait: boolean
}

export function registerApply(program: Command): void {
  const command = program
    .command('apply')
    .description('apply configuration: create or change objects, all or none of them')
    .argument('[paths...]', 'the same as -f')
    .option('-f, --filename <path>', 'file, folder, or - for standard input; may be given several times', collect, [])
    .option('--dry-run', 'say what would change, and store nothing')
    .option('--strict', 'fields that the mesh ignores are errors')
    .option('--no-wait', 'do not wait for the proxies')
  examples(command, [
    ['A file', 'apply -f canary.yaml'],
    ['A folder, without storing anything', 'apply -f examples/shop --dry-run'],
    ['From standard input', 'apply -f - < canary.yaml'],
  ])
  command.action((paths: string[], flags: ApplyFlags) =>
    withContext(command, async (context) => {
      const files = [...flags.filename, ...paths]
      if (files.length === 0) throw new CliError('say what to apply: -f PATH', EXIT.usage)
      const request = { dryRun: flags.dryRun === true, strict: flags.strict === true }
      const sources = await readSources(files)
      await warnOfStrict(context, sources)
      const answer = await applySources(context, sources, request)
      for (const object of answer.objects) context.print(objectLine(object, flags.dryRun === true))
      if (flags.dryRun === true) return
      if (flags.wait) await printDelivery(context, answer.revision)
    }),
  )
}

/** Said before anything is stored, so that whoever is shut out is no surprise. */
export async function warnOfStrict(
  { control, namespace, note, paintErr }: Context,
  sources: readonly Source[],
): Promise<void> {
  const warning = await strictWarningFor(control, sources, namespace)
  if (warning === undefined) return
  note(`${paintErr('yellow', 'warning:')} ${warning}`)
  note('  the way across is mode PERMISSIVE, which takes both, until each caller has a sidecar')
}

/** Sends texts; prints warnings; invalid documents end the verb with 65 and a list of what is wrong with them. */
export async function applySources(
  { control, namespace, note }: Pick<Context, 'control' | 'namespace' | 'note'>,
  sources: readonly Source[],
  request: Partial<Omit<ApplyRequest, 'sources'>>,
): Promise<ApplyResponse> {
  const texts = textsOf(sources)
  try {
    const answer = await control.apply({ namespace, ...request, sources: [...sources] })
    if (answer.objects.length === 0) throw new CliError(NO_OBJECT, EXIT.data)
    if (answer.issues.length > 0) note(formatIssues(answer.issues, texts))
    return answer
  } catch (error) {
    if (error instanceof ApiError && error.issues.length > 0)
      throw new CliError(error.message, error.exitCode, error.issues, texts)
    throw error
  }
}

/** `virtualservice/checkout-route created` */
export function objectLine({ kind, name, action }: ApplyResponse['objects'][number], dryRun: boolean): string {
  return `${kind.toLowerCase()}/${name} ${action}${dryRun ? ' (dry run)' : ''}`
}

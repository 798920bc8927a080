/** `diff`: what an apply would change, as `diff -u`. Exit code 1 where something would. */
import type { Command } from 'commander'
import type { ApplyResponse } from '../../client/contract.ts'
import { withContext } from '../context.ts'
import { CliError, QuietExit } from '../errors.ts'
import { EXIT } from '../exit-code.ts'
import { collect, examples } from '../help.ts'
import { unifiedDiff } from '../line-diff.ts'
import { toManifest } from '../manifest.ts'
import { renderData } from '../output.ts'
import { readSources } from '../sources.ts'
import type { Paint } from '../style.ts'
import { applySources, warnOfStrict } from './apply.ts'

export function registerDiff(program: Command): void {
  const command = program
    .command('diff')
    .description('show what an apply would change; exit code 1 where it would change something')
    .argument('[paths...]', 'the same as -f')
    .option('-f, --filename <path>', 'file, folder, or - for standard input; may be given several times', collect, [])
  examples(command, [
    ['A file against what is stored', 'diff -f canary.yaml'],
    ['A folder', 'diff -f examples/shop'],
  ])
  command.action((paths: string[], flags: { filename: string[] }) =>
    withContext(command, async (context) => {
      const files = [...flags.filename, ...paths]
      if (files.length === 0) throw new CliError('say what to compare: -f PATH', EXIT.usage)
      const sources = await readSources(files)
      const { changes = [] } = await applySources(context, sources, { dryRun: true })
      await warnOfStrict(context, sources)
      const diffs = (await Promise.all(changes.map(diffOf))).filter((text) => text !== '')
      for (const text of diffs) context.print(paintDiff(text, context.paint))
      if (diffs.length > 0) throw new QuietExit(EXIT.failure)
    }),
  )
}

async function diffOf({ before, after }: NonNullable<ApplyResponse['changes']>[number]): Promise<string> {
  const object = after ?? before
  if (object === undefined) return ''
  const { namespace, name } = object.metadata
  const id = [object.kind.toLowerCase(), namespace, name].filter((part) => part !== '').join('/')
  return unifiedDiff(id, await yamlOf(before), await yamlOf(after))
}

async function yamlOf(object: NonNullable<ApplyResponse['changes']>[number]['before']): Promise<string> {
  if (object === undefined) return ''
  const { apiVersion, kind, metadata, spec } = object
  return `${await renderData('yaml', toManifest({ apiVersion, kind, metadata, spec }))}\n`
}

function paintDiff(text: string, paint: Paint): string {
  return text
    .split('\n')
    .map((line) => {
      if (line.startsWith('@@')) return paint('cyan', line)
      if (line.startsWith('+')) return paint('green', line)
      return line.startsWith('-') ? paint('red', line) : line
    })
    .join('\n')
}

/** `check`: whether this machine can run a mesh, and whether the running one is well. Exit code 79 on problems. */
import type { Command } from 'commander'
import type { Context } from '../context.ts'
import { withContext } from '../context.ts'
import { meshChecks } from '../check-mesh.ts'
import { interceptChecks } from '../check-intercept.ts'
import { machineChecks } from '../check-machine.ts'
import { checkText, worst, type CheckGroup } from '../check.ts'
import { QuietExit } from '../errors.ts'
import { EXIT } from '../exit-code.ts'
import { examples } from '../help.ts'
import { renderData, withOutput, type Format } from '../output.ts'
import { glyphsFor } from '../style.ts'

export function registerCheck(program: Command): void {
  const command = withOutput(
    program
      .command('check')
      .description('check this machine and the running mesh')
      .option('--pre', 'this machine only, before a first start'),
    ['table', 'json'],
  )
  examples(command, [
    ['Before the first start', 'check --pre'],
    ['Machine, control plane, each proxy', 'check'],
    ['In CI', 'check -o json'],
  ])
  command.action((flags: { pre?: boolean; output: Format }) =>
    withContext(command, (context) => check(context, flags.pre === true, flags.output)),
  )
}

async function check(context: Context, machineOnly: boolean, format: Format): Promise<void> {
  const groups: CheckGroup[] = [{ title: 'machine', results: await machineChecks(context.home) }]
  groups.push(await interceptChecks())
  if (!machineOnly) groups.push(...(await meshChecks(context)))
  const level = worst(groups)
  if (format === 'json')
    context.print(await renderData('json', { schema: 'pocketmesh.dev/check/v1', status: level, groups }))
  else context.print(checkText(groups, glyphsFor(process.env), context.paint))
  if (level === 'bad') throw new QuietExit(EXIT.findings)
}

/** `ps`: the pods of a mesh, from its supervisor. */
import type { Command } from 'commander'
import { withContext, type Context } from '../context.ts'
import { examples } from '../help.ts'
import { renderData, withOutput, type Format } from '../output.ts'
import { meshLine, psTable, publishedLines, reasonLines } from '../ps-table.ts'
import { glyphsFor } from '../style.ts'

export function registerPs(program: Command): void {
  const command = withOutput(program.command('ps').description('list the pods of the mesh and how they are'), [
    'table',
    'wide',
    'json',
    'yaml',
    'name',
  ])
  examples(command, [
    ['All pods', 'ps'],
    ['With namespaces and sidecars', 'ps -o wide'],
    ['For a program', 'ps -o json'],
  ])
  command.action((flags: { output: Format }) => withContext(command, (context) => ps(context, flags.output)))
}

async function ps({ supervisor, print, paint, width }: Context, format: Format): Promise<void> {
  const answer = await supervisor.ps()
  if (format === 'json' || format === 'yaml') {
    print(await renderData(format, { schema: 'pocketmesh.dev/ps/v1', ...answer }))
    return
  }
  if (format === 'name') {
    for (const pod of answer.pods) print(`pod/${pod.name}`)
    return
  }
  print(meshLine(answer, paint))
  const options = { paint, nowEpochMs: Date.now(), wide: format === 'wide' }
  print(psTable(answer.pods, width === undefined ? options : { ...options, maxWidth: width }))
  for (const line of reasonLines(answer.pods, glyphsFor(process.env).branch)) print(line)
  for (const line of publishedLines(answer, paint)) print(line)
}

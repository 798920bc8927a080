/** `restart`: a workload's pods, one after the other, or one pod. */
import type { Command } from 'commander'
import { withContext } from '../context.ts'
import { examples } from '../help.ts'
import { bareName } from '../names.ts'

export function registerRestart(program: Command): void {
  const command = program
    .command('restart')
    .description('restart a workload, pod by pod without refusing a request, or one pod')
    .argument('<target>', 'workload or pod')
  examples(command, [
    ['All pods of a workload, one after the other', 'restart checkout-v1'],
    ['One pod', 'restart checkout-v1-0'],
  ])
  command.action((target: string) =>
    withContext(command, async ({ supervisor, namespace, print }) => {
      print((await supervisor.restart({ target: bareName(target), namespace })).message)
    }),
  )
}

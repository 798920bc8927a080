/** `scale`: writes the replicas of Deployments; the supervisor, which watches, starts and stops processes. */
import { InvalidArgumentError, type Command } from 'commander'
import { withContext } from '../context.ts'
import { CliError } from '../errors.ts'
import { EXIT } from '../exit-code.ts'
import { examples } from '../help.ts'
import { bareName } from '../names.ts'

export function registerScale(program: Command): void {
  const command = program
    .command('scale')
    .description('set how many processes a Deployment has')
    .argument('<name[=n]...>', 'Deployments, each with =N, or all with --replicas')
    .option('--replicas <n>', 'number for those without =N', parseCount)
  examples(command, [
    ['Three processes of one Deployment', 'scale checkout-v1=3'],
    ['As kubectl has it', 'scale deployment/checkout-v1 --replicas 3'],
    ['Several at once', 'scale checkout-v1=1 checkout-v2=4'],
  ])
  command.action((names: string[], flags: { replicas?: number }) =>
    withContext(command, async ({ control, namespace, print }) => {
      const wishes = names.map((name) => parseWish(name, flags.replicas))
      for (const { name, replicas } of wishes) {
        await control.scale(namespace, name, { replicas })
        print(`deployment/${name} scaled to ${replicas}`)
      }
    }),
  )
}

export function parseWish(text: string, fallback: number | undefined): { name: string; replicas: number } {
  const [, target = '', count] = /^(.*?)(?:=(\d{1,6}))?$/s.exec(text) ?? []
  const replicas = count === undefined ? fallback : Number(count)
  if (replicas === undefined || target.includes('='))
    throw new CliError(
      `how many of "${target}"? Write ${bareName(target.split('=')[0] ?? '')}=3, or add --replicas 3`,
      EXIT.usage,
    )
  return { name: bareName(target), replicas }
}

function parseCount(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError('write a whole number')
  return Number(text)
}

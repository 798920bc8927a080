/** `inject`: manifests with the sidecar that each Deployment would get, as `istioctl kube-inject` prints them. */
import { Option, type Command } from 'commander'
import type { InterceptMode } from '../../client/contract.ts'
import { chooseMode, type InterceptChoice } from '../../supervisor/intercept.ts'
import { withContext, type Context } from '../context.ts'
import { CliError } from '../errors.ts'
import { EXIT } from '../exit-code.ts'
import { collect, examples } from '../help.ts'
import { readSources } from '../sources.ts'

interface InjectFlags {
  filename: string[]
  intercept: InterceptChoice
}

export function registerInject(program: Command): void {
  const command = program
    .command('inject')
    .description('print manifests with the sidecars that their Deployments get; changes nothing')
    .argument('[paths...]', 'the same as -f')
    .option('-f, --filename <path>', 'file, folder, or - for standard input; may be given several times', collect, [])
    .addOption(
      new Option('--intercept <mode>', 'way of interception to show: auto is that of the mesh, or of an "up" here')
        .choices(['auto', 'ns', 'env'])
        .default('auto'),
    )
  examples(command, [
    ['A Deployment with its sidecar', 'inject -f checkout.yaml'],
    ['What it adds', 'inject -f checkout.yaml | diff checkout.yaml -'],
    [
      'The same pods: a sidecar that is written down is the one that the mesh runs',
      'inject -f checkout.yaml | pocketmesh apply -f -',
    ],
  ])
  command.action((paths: string[], flags: InjectFlags) =>
    withContext(command, async (context) => {
      const files = [...flags.filename, ...paths]
      if (files.length === 0) throw new CliError('say what to inject: -f PATH', EXIT.usage)
      const sources = await readSources(files)
      const { injectSources } = await import('../inject/inject.ts')
      const { home, namespace } = context
      const intercept = await modeToShow(context, flags.intercept)
      const { text, notes } = injectSources(sources, { home, namespace, intercept })
      for (const line of notes) context.note(line)
      process.stdout.write(text)
    }),
  )
}

async function modeToShow({ supervisor }: Context, choice: InterceptChoice): Promise<InterceptMode> {
  if (choice !== 'auto') return choice
  const running = await supervisor.ps().catch(() => undefined)
  return running?.mesh.intercept ?? chooseMode('auto')
}

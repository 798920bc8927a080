/** `kill`: for experiments. Ends a process of the mesh with SIGKILL and, with `--for`, keeps it away for a while. */
import { InvalidArgumentError, type Command } from 'commander'
import { parseDurationNs } from '../../config/values.ts'
import { withContext } from '../context.ts'
import { examples } from '../help.ts'
import { bareName } from '../names.ts'

export function registerKill(program: Command): void {
  const command = program
    .command('kill')
    .description('kill a pod, its sidecar or the control plane (-9), to see what happens')
    .argument('<target>', '"control", a pod, or POD/istio-proxy')
    .option('--for <duration>', 'how long it stays away, such as 10s (default: as after a crash)', parseMs)
  examples(command, [
    ['Ten seconds without a control plane', 'kill control --for 10s'],
    ['A program; it is started again', 'kill checkout-v1-0'],
    ['Its sidecar alone', 'kill checkout-v1-0/istio-proxy'],
  ])
  command.action((target: string, flags: { for?: number }) =>
    withContext(command, async ({ supervisor, namespace, print }) => {
      const name = target.endsWith('/istio-proxy') ? target : bareName(target)
      const answer = await supervisor.kill({
        target: name,
        namespace,
        ...(flags.for === undefined ? {} : { forMs: flags.for }),
      })
      print(answer.message)
    }),
  )
}

function parseMs(text: string): number {
  const ns = parseDurationNs(text)
  if (ns === undefined || ns < 0) throw new InvalidArgumentError('write a duration such as 10s or 500ms')
  return ns / 1e6
}

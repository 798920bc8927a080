/** Verbs `control` (hidden) and `sidecar`: this process becomes that one. Both are bundles of their own. */
import { pathToFileURL } from 'node:url'
import type { Command } from 'commander'
import { entryCommand } from '../../lib/entry.ts'
import { examples } from '../help.ts'

export function registerControl(program: Command): void {
  const command = program
    .command('control', { hidden: true })
    .description('run the control plane of a home (what "up" starts)')
    .argument('[flags...]', '[--home DIR] [--ttl SECONDS] [--exit-with-stdin] [--trust-domain NAME]')
  become(command, 'control')
}

export function registerSidecar(program: Command): void {
  const command = program
    .command('sidecar')
    .description("run one proxy without a mesh, from a bootstrap file in Envoy's format")
    .option('-c, --config-path <file>', 'the bootstrap file, YAML or JSON')
    .option('--validate', 'only check it')
    .option('--drain-time-s <seconds>', 'what requests in flight get at the end (default: 10)')
    .option('--bootstrap <file>', 'run the sidecar of a pod: what "up" starts')
    .argument('[flags...]')
    .usage('-c FILE [--validate]')
  examples(command, [
    ['A plain HTTP proxy', 'sidecar -c examples/standalone/http.yaml'],
    ['Check a file: every fault with its line and path', 'sidecar --validate -c proxy.yaml'],
  ])
  become(command, 'sidecar')
}

function become(command: Command, kind: 'control' | 'sidecar'): void {
  command.allowUnknownOption().action(async () => {
    // all after the verb is the process's own; `--home` before it too
    const argv = process.argv.slice(2)
    const at = argv.indexOf(kind)
    const file = entryCommand(kind).args.at(-1) ?? ''
    const { main } = (await import(pathToFileURL(file).href)) as { main: (argv: string[]) => Promise<void> }
    await main([...argv.slice(0, at), ...argv.slice(at + 1)])
    // the process's own signals end it
    await new Promise<never>(() => undefined)
  })
}

/** Hidden verbs `control` and `sidecar`: this process becomes that one. Both are bundles of their own. */
import { pathToFileURL } from 'node:url'
import type { Command } from 'commander'
import { entryCommand } from '../../lib/entry.ts'

export function registerControl(program: Command): void {
  const flags = '[--home DIR] [--ttl SECONDS] [--exit-with-stdin] [--trust-domain NAME]'
  register(program, 'control', 'run the control plane of a home (what "up" starts)', flags)
}

export function registerSidecar(program: Command): void {
  register(program, 'sidecar', 'run one sidecar (what "up" starts for each pod)', '--bootstrap FILE')
}

function register(program: Command, kind: 'control' | 'sidecar', description: string, flags: string): void {
  program
    .command(kind, { hidden: true })
    .description(description)
    .argument('[flags...]', flags)
    .allowUnknownOption()
    .action(async () => {
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

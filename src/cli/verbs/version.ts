/** `version`: the version of this program. */
import type { Command } from 'commander'
import { VERSION } from '../../client/version.ts'
import { examples } from '../help.ts'

export function registerVersion(program: Command): void {
  const command = program.command('version').description('print the version').option('--json', 'as JSON')
  examples(command, [
    ['The version of this program', 'version'],
    ['With the versions of Node and its parts', 'version --json'],
  ])
  command.action((flags: { json?: boolean }) => {
    const { node, v8, openssl } = process.versions
    const text = flags.json === true ? JSON.stringify({ version: VERSION, node, v8, openssl }) : `pocketmesh ${VERSION}`
    process.stdout.write(`${text}\n`)
  })
}

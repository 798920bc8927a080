/** The same help layout for each verb: what it does, flags, examples. */
import type { Command } from 'commander'

/** Appends examples, each a comment and a command line without the program's name. */
export function examples(command: Command, list: readonly (readonly [what: string, line: string])[]): Command {
  const lines = list.map(([what, line]) => `  # ${what}\n  pocketmesh ${line}`)
  return command.addHelpText('after', `\nExamples:\n${lines.join('\n')}`)
}

/** For flags that may be given several times. */
export function collect(value: string, before: string[]): string[] {
  return [...before, value]
}

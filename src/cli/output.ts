/** `-o`: the formats, the flag itself, and the two that are not tables. */
import { Option, type Command } from 'commander'

export type Format = 'table' | 'wide' | 'json' | 'yaml' | 'name'

/** Adds `-o` with these formats; `table` is the default. */
export function withOutput(command: Command, formats: readonly Format[]): Command {
  return command.addOption(
    new Option('-o, --output <format>', 'how to print the answer').choices(formats).default('table' satisfies Format),
  )
}

/** `value` as the text of a JSON or YAML document. */
export async function renderData(format: 'json' | 'yaml', value: unknown): Promise<string> {
  if (format === 'json') return JSON.stringify(value, undefined, 2)
  const { stringify } = await import('yaml')
  return stringify(value, { lineWidth: 0, aliasDuplicateObjects: false }).trimEnd()
}

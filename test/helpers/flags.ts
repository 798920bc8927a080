/**
 * Flags of the programs that are run by hand (`npm run fuzz`, `npm run faults`). In: the usage, the options. Out: their
 * values; or the process ends: 0 with the usage for --help, 64 with a sentence for what is no flag.
 */
import { type ParseArgsConfig, parseArgs } from 'node:util'

const EXIT_USAGE = 64
type Options = NonNullable<ParseArgsConfig['options']>
type Values<T extends Options> = ReturnType<typeof parseArgs<{ options: T }>>['values']

export function flagsOf<const T extends Options>(usage: string, options: T): Values<T> {
  if (process.argv.slice(2).some((arg) => arg === '--help' || arg === '-h')) {
    process.stdout.write(usage)
    process.exit(0)
  }
  try {
    return parseArgs({ options }).values
  } catch (error) {
    return endWithUsage((error as Error).message, usage)
  }
}

/** A whole number, 0 or more. */
export function wholeFlag(usage: string, flag: string, text: string): number {
  const number = /^\d+$/.test(text) ? Number(text) : NaN
  if (Number.isSafeInteger(number)) return number
  return endWithUsage(`${flag} takes whole numbers, not "${text}"`, usage)
}

export function endWithUsage(message: string, usage: string): never {
  process.stderr.write(`${message}\n\n${usage}`)
  process.exit(EXIT_USAGE)
}

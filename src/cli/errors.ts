/** What a failed verb tells the user, and the exit code that goes with it. In: any error. Out: text and a code. */
import { ApiError, ApiTimeoutError, PlainError, UnreachableError } from '../client/errors.ts'
import { formatIssue, type Issue } from '../config/issue.ts'
import { EXIT } from './exit-code.ts'

/** For files of comments and blank documents only: kubectl's `no objects passed to apply`. */
export const NO_OBJECT = 'there is no object in what was given'

/** Of a line quoted, in characters. */
const MAX_LINE = 200

/** A failure with a sentence for the user. */
export class CliError extends Error {
  readonly exitCode: number
  /** Documents at fault. */
  readonly issues: readonly Issue[]
  /** Their texts by file, to quote from. */
  readonly texts: ReadonlyMap<string, string>

  constructor(
    message: string,
    exitCode: number = EXIT.failure,
    issues: readonly Issue[] = [],
    texts?: ReadonlyMap<string, string>,
  ) {
    super(message)
    this.exitCode = exitCode
    this.issues = issues
    this.texts = texts ?? new Map()
  }
}

/** Ends the verb with a code, with nothing more to say. */
export class QuietExit extends Error {
  readonly exitCode: number
  constructor(exitCode: number) {
    super('')
    this.exitCode = exitCode
  }
}

/** Message (may be empty) and exit code for whatever a verb threw. */
export function describeError(error: unknown): { message: string; exitCode: number } {
  if (error instanceof QuietExit) return { message: '', exitCode: error.exitCode }
  if (error instanceof CliError) {
    const issues = formatIssues(error.issues, error.texts)
    return { message: join(issues, `error: ${error.message}`), exitCode: error.exitCode }
  }
  if (error instanceof ApiError)
    return { message: join(formatIssues(error.issues, new Map()), `error: ${error.message}`), exitCode: error.exitCode }
  if (error instanceof UnreachableError || error instanceof ApiTimeoutError || error instanceof PlainError)
    return { message: `error: ${error.message}`, exitCode: error.exitCode }
  if (isSystemError(error)) return { message: `error: ${error.message}`, exitCode: EXIT.failure }
  // a fault of this program: the trace is what a report needs
  return { message: error instanceof Error ? (error.stack ?? error.message) : String(error), exitCode: EXIT.failure }
}

/** Issues, each with the line that it is about. */
export function formatIssues(issues: readonly Issue[], texts: ReadonlyMap<string, string>): string {
  return issues.map((issue) => withSourceLine(issue, texts.get(issue.file))).join('\n')
}

function withSourceLine(issue: Issue, text: string | undefined): string {
  const [head = '', ...rest] = formatIssue(issue).split('\n')
  const line = text?.split('\n')[issue.line - 1]?.trimEnd()
  if (line === undefined || line === '') return [head, ...rest].join('\n')
  return [head, `    ${issue.line} | ${printable(line)}`, ...rest].join('\n')
}

/** Fit for a terminal: without control characters, and not a whole file in one line. */
function printable(line: string): string {
  const text = line.replaceAll(/\p{Cc}/gu, (char) => (char === '\t' ? char : '\u{FFFD}'))
  return text.length <= MAX_LINE ? text : `${text.slice(0, MAX_LINE)}...`
}

function join(...parts: string[]): string {
  return parts.filter((part) => part !== '').join('\n')
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error
}

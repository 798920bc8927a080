/**
 * What can go wrong in a call to a mesh's API, as classes that callers can tell apart.
 * `exitCode` is what the CLI ends with (cli/exit-code.ts names the codes).
 */
import type { Issue } from '../config/issue.ts'
import type { Problem } from './contract.ts'

/** A failure of the user's surroundings, not of this program: the sentence says it all, a trace would only hide it. */
export class PlainError extends Error {
  readonly exitCode = 1
}

/** The server answered with a problem (RFC 9457). */
export class ApiError extends Error {
  readonly code: string
  readonly status: number
  readonly issues: readonly Issue[]
  readonly exitCode: number

  constructor(problem: Problem) {
    super(problem.detail === '' ? problem.title : problem.detail)
    this.name = 'ApiError'
    this.code = problem.code
    this.status = problem.status
    this.issues = problem.issues ?? []
    this.exitCode = problem.code === 'invalid_document' ? 65 : 1
  }
}

/** Nobody listens on the socket, or who listened has gone. */
export class UnreachableError extends Error {
  readonly code = 'UNREACHABLE'
  readonly exitCode = 69

  constructor(message: string, cause: unknown) {
    super(message, { cause })
    this.name = 'UnreachableError'
  }
}

/** No answer in time. */
export class ApiTimeoutError extends Error {
  readonly code = 'TIMEOUT'
  readonly exitCode = 75

  constructor(message: string, cause: unknown) {
    super(message, { cause })
    this.name = 'ApiTimeoutError'
  }
}

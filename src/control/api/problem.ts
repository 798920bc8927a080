/** Answers that are errors: thrown by handlers, written by server.ts as problem details (RFC 9457). */
import type { Issue } from '../../config/issue.ts'
import type { Problem } from '../../client/contract.ts'

export type ProblemCode =
  | 'bad_request'
  | 'not_found'
  | 'method_not_allowed'
  | 'conflict'
  | 'compacted'
  | 'too_large'
  | 'unsupported_media_type'
  | 'invalid_document'
  | 'internal'
  | 'unavailable'

const STATUS: Record<ProblemCode, [status: number, title: string]> = {
  bad_request: [400, 'Bad request'],
  not_found: [404, 'Not found'],
  method_not_allowed: [405, 'Method not allowed'],
  conflict: [409, 'Conflict'],
  compacted: [410, 'History is gone'],
  too_large: [413, 'Body too large'],
  unsupported_media_type: [415, 'Unsupported media type'],
  invalid_document: [422, 'Invalid document'],
  internal: [500, 'Internal error'],
  unavailable: [503, 'Unavailable'],
}

export class ProblemError extends Error {
  readonly code: ProblemCode
  readonly issues: readonly Issue[] | undefined
  /** For method_not_allowed: what is. */
  readonly allow: string | undefined

  constructor(code: ProblemCode, detail: string, extra: { issues?: readonly Issue[]; allow?: string } = {}) {
    super(detail)
    this.code = code
    this.issues = extra.issues
    this.allow = extra.allow
  }

  get status(): number {
    return STATUS[this.code][0]
  }

  toProblem(): Problem {
    const [status, title] = STATUS[this.code]
    return {
      type: 'about:blank',
      title,
      status,
      code: this.code,
      detail: this.message,
      ...(this.issues === undefined ? {} : { issues: [...this.issues] }),
    }
  }
}

/** One thing that is wrong with, or worth saying about, a document. All issues of a file are collected, then shown. */
export interface Issue {
  /** `PM0101`: see catalogue.ts. */
  code: string
  level: 'error' | 'warning'
  file: string
  /** 1-based. */
  line: number
  column: number
  /** Path in the object: `spec.http[0].route[1].weight`; empty for the document as a whole. */
  path: string
  message: string
  /** What to do about it. */
  fix?: string
}

/** `shop/vs.yaml:14:9  error  PM0107  spec.http[0].route: all 2 weights are 0 ...` and, on a second line, the fix. */
export function formatIssue(issue: Issue): string {
  const at = `${issue.file}:${issue.line}:${issue.column}`
  const what = issue.path === '' ? issue.message : `${issue.path}: ${issue.message}`
  const fix = issue.fix === undefined ? '' : `\n    fix: ${issue.fix}`
  return `${at}  ${issue.level}  ${issue.code}  ${what}${fix}`
}

/** What is wrong with a bootstrap file, and where. Leaf. */

/** Both from 1 on. */
export interface Place {
  line: number
  column: number
}

export interface Fault {
  /** `static_resources.listeners[0].address`; '' for the file as a whole. */
  path: string
  at: Place
  message: string
}

/** `FILE:LINE:COLUMN: PATH: MESSAGE`, one line each, in the file's order. */
export function faultText(file: string, faults: readonly Fault[]): string {
  return faults
    .toSorted((a, b) => a.at.line - b.at.line || a.at.column - b.at.column)
    .map(({ path, at, message }) => `${file}:${at.line}:${at.column}: ${path === '' ? '' : `${path}: `}${message}\n`)
    .join('')
}

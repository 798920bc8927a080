/** Label selectors as kubectl's `-l`: `app=shop,tier!=db,version` (equal, unequal, present). Pure. */
import { ProblemError } from './problem.ts'

export interface LabelTerm {
  name: string
  /** Absent: the label only has to be there. */
  value?: string
  equal: boolean
}

/** Terms of a selector, all of which must hold; none for ''. */
export function parseLabels(selector: string): LabelTerm[] {
  if (selector.trim() === '') return []
  return selector.split(',').map((term) => {
    const match = /^\s*([A-Za-z0-9][\w./-]*)\s*(?:(==?|!=)\s*([\w.-]*)\s*)?$/.exec(term)
    if (match === null)
      throw new ProblemError('bad_request', `"${term}" is not a label selector; write name=value, name!=value or name`)
    const [, name = '', sign, value] = match
    return { name, equal: sign !== '!=', ...(value === undefined ? {} : { value }) }
  })
}

export function matchesLabels(terms: readonly LabelTerm[], labels: Readonly<Record<string, string>>): boolean {
  return terms.every((term) => {
    const value = labels[term.name]
    if (term.value === undefined) return value !== undefined
    return term.equal ? value === term.value : value !== term.value
  })
}

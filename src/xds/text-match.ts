/**
 * Envoy's StringMatcher, compiled. In: the message. Out: a predicate; throws an Error for an expression that is not RE2.
 * Regular expressions must match the whole text (re2js: linear in the input, whatever the pattern).
 */
import { RE2JS } from 're2js'
import type { envoy } from './generated/xds.js'

/** A predicate on one text. */
export type TextMatch = (text: string) => boolean

export function compileText(matcher: envoy.type.matcher.v3.StringMatcher): TextMatch {
  const ignoreCase = matcher.ignoreCase ?? false
  if (matcher.safeRegex?.regex !== undefined) return wholeRegex(matcher.safeRegex.regex)
  if (typeof matcher.prefix === 'string') return startsWith(matcher.prefix, ignoreCase)
  if (typeof matcher.suffix === 'string') {
    const suffix = ignoreCase ? matcher.suffix.toLowerCase() : matcher.suffix
    return ignoreCase ? (text) => text.toLowerCase().endsWith(suffix) : (text) => text.endsWith(suffix)
  }
  if (typeof matcher.contains === 'string') {
    const part = ignoreCase ? matcher.contains.toLowerCase() : matcher.contains
    return ignoreCase ? (text) => text.toLowerCase().includes(part) : (text) => text.includes(part)
  }
  return equals(matcher.exact ?? '', ignoreCase)
}

export function equals(wanted: string, ignoreCase: boolean): TextMatch {
  if (!ignoreCase) return (text) => text === wanted
  const lower = wanted.toLowerCase()
  return (text) => text.toLowerCase() === lower
}

export function startsWith(wanted: string, ignoreCase: boolean): TextMatch {
  if (!ignoreCase) return (text) => text.startsWith(wanted)
  const lower = wanted.toLowerCase()
  return (text) => text.slice(0, lower.length).toLowerCase() === lower
}

/** `.*` + plain text + `.*`, as namespaces are asked for. */
const PART = /^\.\*((?:[^\\.+*?()|[\]{}^$]|\\[\\.+*?()|[\]{}^$])*)\.\*$/

export function wholeRegex(pattern: string): TextMatch {
  // two forms that access rules are full of need no engine; header values and paths hold no line ends
  if (pattern === '.+') return (text) => text !== ''
  const part = PART.exec(pattern)?.[1]?.replaceAll(/\\(.)/g, '$1')
  if (part !== undefined) return (text) => text.includes(part)
  let regex: RE2JS
  try {
    regex = RE2JS.compile(pattern)
  } catch (error) {
    throw new Error(`regular expression "${pattern}": ${(error as Error).message}`, { cause: error })
  }
  return (text) => regex.testExact(text)
}

/**
 * What a configuration wants of slashes in a path (Envoy: path_with_escaped_slashes_action, merge_slashes), around the
 * one form that every path is brought into. In: a target that begins with a slash. Out: its form, or why there is none.
 */
import { normalizePath } from '../../lib/normalize-path.ts'
import type { DownstreamProtocol } from '../codec/protocol.ts'

export type SlashRules = Pick<DownstreamProtocol, 'mergeSlashes' | 'escapedSlashes'>

const ESCAPED = /%2f|%5c/gi

/** `isRefused`: by the rules; `path` `undefined`: it is none. */
export interface PathForm {
  path: string | undefined
  isRefused: boolean
  /** The client is to ask for `path` instead. */
  isRedirect: boolean
}

/** Only where the rules ask for something: for all others one normalisation does. */
export function formOf(target: string, { mergeSlashes, escapedSlashes }: SlashRules): PathForm {
  const mark = target.indexOf('?')
  const query = mark < 0 ? '' : target.slice(mark)
  let path: string | undefined = mark < 0 ? target : target.slice(0, mark)
  const isEscaped = escapedSlashes !== 'keep' && ESCAPED.test(path)
  ESCAPED.lastIndex = 0
  if (isEscaped && escapedSlashes === 'reject') return { path: undefined, isRefused: true, isRedirect: false }
  if (isEscaped) path = path.replaceAll(ESCAPED, (escape) => (escape[1] === '2' ? '/' : '\\'))
  path = normalizePath(path)
  if (mergeSlashes) path = path?.replaceAll(/\/{2,}/g, '/')
  const isRedirect = isEscaped && escapedSlashes === 'redirect'
  return { path: path === undefined ? undefined : path + query, isRefused: false, isRedirect }
}

/**
 * Names with `_`: servers that turn names into variables take them for the same with `-` (Envoy:
 * headers_with_underscores_action). In: a head of a request. Out: fields marked DROPPED, or a refusal. Leaf.
 * What looks like a field that this proxy acts upon is dropped whatever the setting.
 */
import type { Head } from './head.ts'
import { DROPPED } from './names.ts'
import type { CommonSettings } from './protocol.ts'

const UNDERSCORE = 0x5f

/** False: the request is refused. Called only where the setting is not `allow`. */
export function readUnderscores(head: Head, action: CommonSettings['underscores']): boolean {
  for (let i = 0; i < head.count; i++) {
    const at = head.bytes.indexOf(UNDERSCORE, head.nameStart(i))
    if (at < 0 || at >= head.nameEnd(i)) continue
    if (action === 'reject') return false
    if (action === 'drop') head.setId(i, DROPPED)
  }
  return true
}

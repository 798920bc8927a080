/**
 * The one form of a path (Envoy: normalize_path; Istio: path normalisation BASE). In: a target that begins with a slash.
 * Out: the same place in one spelling, for route, access rules and upstream alike, or `undefined`: no path. Here since
 * `authz check` must read a path as the sidecar does.
 *
 * Percent-encoded unreserved characters are decoded, once; hex digits are upper case; `.` and `..` are resolved; `\` is
 * a slash. Slashes stay as many as they are, and `%2F` and `%5C` as they are. A percent sign without two hex digits is
 * refused: `%%361` would become `%61` here, and `a` at a server that decodes again. Source: RFC 3986 section 6.2.2.
 */

const ESCAPE = /%(?:([0-9A-Fa-f]{2})|)/g
const UNRESERVED = /[A-Za-z0-9._~-]/

export function normalizePath(target: string): string | undefined {
  // hot: nearly every path is in this form already
  if (!target.includes('%') && !target.includes('/.') && !target.includes('\\')) return target
  const mark = target.indexOf('?')
  const raw = mark < 0 ? target : target.slice(0, mark)
  const path = raw.includes('%') ? decodeUnreserved(raw) : raw
  return path === undefined ? undefined : withoutDots(path.replaceAll('\\', '/')) + target.slice(raw.length)
}

function decodeUnreserved(path: string): string | undefined {
  let broken = false
  const decoded = path.replaceAll(ESCAPE, (escape, hex: string | undefined) => {
    if (hex === undefined) {
      broken = true
      return ''
    }
    const char = String.fromCharCode(Number.parseInt(hex, 16))
    return UNRESERVED.test(char) ? char : escape.toUpperCase()
  })
  return broken ? undefined : decoded
}

/** RFC 3986 section 5.2.4; above the root there is the root. */
function withoutDots(path: string): string {
  if (!path.includes('/.')) return path
  const segments = path.split('/')
  const last = segments.at(-1)
  const kept: string[] = []
  for (const segment of segments.slice(1)) {
    if (segment === '..') kept.pop()
    else if (segment !== '.') kept.push(segment)
  }
  if (last === '.' || last === '..') kept.push('')
  return `/${kept.join('/')}`
}

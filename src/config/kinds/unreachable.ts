/**
 * Rules of a VirtualService that no request can reach, and matches that cannot hold: legal, but surely not meant.
 * In: a sound spec. Out: warnings.
 */
import type { Report } from '../schema.ts'

interface Match {
  name?: string
  uri?: { exact?: string; prefix?: string; regex?: string }
}

interface Rules {
  http?: { match?: Match[] }[]
  tcp?: { match?: object[] }[]
}

/** Compared with every later match: a bound, so that a hostile file costs little. */
const MAX_PREFIXES = 500

/** Told for every rule after one that takes everything, and for matches that an earlier rule has already. */
export function warnUnreachable(spec: Rules, report: Report): void {
  for (const protocol of ['http', 'tcp'] as const) {
    const rules: readonly { match?: Match[] }[] = spec[protocol] ?? []
    const seen = new Map<string, number>()
    const prefixes: { prefix: string; rule: number }[] = []
    let catchAll = -1
    for (const [i, rule] of rules.entries()) {
      const matches = rule.match ?? []
      if (catchAll !== -1) {
        report('PM0201', [protocol, i], `rule ${catchAll} takes every request, so this one is never reached`)
        continue
      }
      const fresh = matches.filter((match, j) => !isKnown(match, i, [protocol, i, 'match', j], seen, report))
      if (matches.length === 0) catchAll = i
      else if (fresh.some((match) => takesAll(match))) catchAll = i
      for (const [j, match] of matches.entries()) {
        warnPath(match, [protocol, i, 'match', j, 'uri'], report)
        const path = match.uri?.prefix ?? match.uri?.exact
        const wider = prefixes.find(({ prefix, rule: r }) => r < i && path?.startsWith(prefix) && path !== prefix)
        if (wider !== undefined)
          report(
            'PM0201',
            [protocol, i, 'match', j],
            `rule ${wider.rule} takes every path that starts with ${wider.prefix}`,
          )
        if (match.uri?.prefix && onlyUri(match) && prefixes.length < MAX_PREFIXES)
          prefixes.push({ prefix: match.uri.prefix, rule: i })
      }
    }
  }
}

function isKnown(
  match: Match,
  rule: number,
  at: readonly (string | number)[],
  seen: Map<string, number>,
  report: Report,
): boolean {
  const { name: _, ...conditions } = match
  const key = JSON.stringify(conditions)
  const earlier = seen.get(key)
  if (earlier === undefined) seen.set(key, rule)
  else
    report(
      'PM0201',
      at,
      earlier === rule ? 'the same match stands in this rule already' : `rule ${earlier} has the same match`,
    )
  return earlier !== undefined
}

/** No condition, or one that every path meets. */
function takesAll(match: Match): boolean {
  if (Object.keys(match).every((key) => key === 'name' || key === 'ignoreUriCase')) return true
  return onlyUri(match) && (match.uri?.prefix === '/' || match.uri?.prefix === '' || match.uri?.regex === '.*')
}

function onlyUri(match: Match): boolean {
  return Object.keys(match).every((key) => key === 'name' || key === 'ignoreUriCase' || key === 'uri')
}

/** A path always begins with a slash. */
function warnPath(match: Match, at: readonly (string | number)[], report: Report): void {
  for (const how of ['exact', 'prefix'] as const) {
    const text = match.uri?.[how]
    if (text && !text.startsWith('/') && text !== '*')
      report(
        'PM0202',
        [...at, how],
        `a path begins with a slash, so ${JSON.stringify(text.slice(0, 80))} never matches`,
      )
  }
}

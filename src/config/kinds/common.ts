/** Parts that several of Istio's kinds share. */
import { exportTo as exportToName, labelKey, labelValue, nonEmpty, regex, regexOrPresence } from '../formats.ts'
import type { Report, StringCheck } from '../schema.ts'
import { int, list, map, object, string, supported, withRule } from '../schema.ts'

export const port = () => int(1, 65535)
export const labels = () => map(string(labelValue, 'label value'), { key: labelKey })
export const uint32 = () => int(0, 4294967295)

const anyText: StringCheck = () => undefined

/** One of three ways to match a text. `emptyPrefix`: a prefix may be empty; `presence`: the regex `*` means "is there". */
export function stringMatch(options?: { emptyPrefix?: boolean; presence?: boolean }) {
  return object(
    {
      exact: supported(string(), 'The whole text, as it stands.'),
      prefix: supported(string(options?.emptyPrefix ? anyText : nonEmpty), 'How the text begins.'),
      regex: supported(
        string(options?.presence ? regexOrPresence : regex, 'RE2 expression'),
        'RE2 expression that matches the whole text.',
      ),
    },
    { oneOf: [['exact', 'prefix', 'regex']] },
  )
}

/** Labels that select workloads. */
export const selector = () =>
  withRule(
    object({
      matchLabels: supported(map(string()), 'Labels that a workload must have, all of them.', { aliases: ['labels'] }),
    }),
    ['matchLabels'],
    (value, report) => {
      const entries = Object.entries(value.matchLabels ?? {})
      if (entries.length === 0) report('PM0205', [], 'the selector has no labels, so it selects every workload')
      for (const [key, label] of entries) {
        if (key === '') report('PM0166', ['matchLabels', key], 'the key is empty')
        else if (key.includes('*') || label.includes('*'))
          report('PM0166', ['matchLabels', key], 'a selector takes no wildcards')
      }
    },
  )

export const exportTo = () => list(string(exportToName, 'namespace, . or *'))

/** Entries must differ, and `*` stands alone. `.` is the object's own namespace. */
export function checkExportTo(entries: readonly string[] | undefined, namespace: string, report: Report): void {
  const seen = new Set<string>()
  for (const [i, entry] of (entries ?? []).entries()) {
    const name = entry === '.' ? namespace : entry
    if (seen.has(name)) report('PM0139', ['spec', 'exportTo', i], `${entry} is given twice`)
    seen.add(name)
  }
  if (seen.has('*') && seen.size > 1)
    report('PM0139', ['spec', 'exportTo'], '* exports to all namespaces: nothing may stand beside it')
}

/** Indexes of entries whose key an earlier entry has, each with that entry's index. */
export function duplicates<T>(items: readonly T[], keyOf: (item: T) => string | undefined): [number, number][] {
  const first = new Map<string, number>()
  const found: [number, number][] = []
  for (const [i, item] of items.entries()) {
    const key = keyOf(item)
    if (key === undefined) continue
    const earlier = first.get(key)
    if (earlier === undefined) first.set(key, i)
    else found.push([i, earlier])
  }
  return found
}

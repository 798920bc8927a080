/** Plain data as Envoy's line formats. In: values of any shape. Out: lines; no knowledge of what they mean. */

/** `prefix::key::value` for every scalar (Envoy's /clusters); an element of a list is named by its address or name. */
export function doubleColonLines(prefix: string, value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap((item, i) => doubleColonLines(`${prefix}::${nameOf(item) ?? i}`, item))
  if (typeof value !== 'object' || value === null) return [`${prefix}::${String(value)}`]
  const named = nameOf(value)
  return Object.entries(value).flatMap(([key, v]) => {
    if (v === named) return []
    return doubleColonLines(Array.isArray(v) ? prefix : `${prefix}::${key}`, v)
  })
}

/** `prefix.key: number` for every number (Envoy's /stats). */
export function statLines(prefix: string, value: unknown): string[] {
  if (typeof value === 'number') return [`${prefix}: ${value}`]
  if (typeof value !== 'object' || value === null) return []
  if (Array.isArray(value)) return value.flatMap((item, i) => statLines(`${prefix}.${nameOf(item) ?? i}`, item))
  return Object.entries(value).flatMap(([key, v]) => statLines(`${prefix}.${key}`, v))
}

function nameOf(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { name, address } = value as { name?: unknown; address?: unknown }
  if (typeof name === 'string') return name
  return typeof address === 'string' ? address : undefined
}

/**
 * Fields of which the data path honours one value only, or on one side only. In: a field and its value. Out: why it is
 * refused: a bootstrap file must not believe in what is not so.
 */

const HTTP1 = 'envoy.config.core.v3.Http1ProtocolOptions'
const COMMON = 'envoy.config.core.v3.HttpProtocolOptions'
const MANAGER = 'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager'

/** What is done in any case, so that nothing is compiled of it; only `false` asks for something else. */
const ALWAYS: Readonly<Record<string, string>> = {
  [`${HTTP1}.allowAbsoluteUrl`]: 'targets in absolute form are always read',
  [`${MANAGER}.normalizePath`]: 'paths are always brought into one form',
}

const OF_REQUESTS: ReadonlySet<string> = new Set([
  `${COMMON}.headersWithUnderscoresAction`,
  `${HTTP1}.defaultHostForHttp_10`,
])

export function isAlwaysDone(type: string, key: string): boolean {
  return `${type}.${key}` in ALWAYS
}

/** Why `value` of this field of the message `type` is refused. */
export function whyRefused(type: string, key: string, value: unknown, path: string): string | undefined {
  const field = `${type}.${key}`
  if ((value as { value?: boolean } | undefined)?.value === false) return ALWAYS[field]
  if (!OF_REQUESTS.has(field) || path.includes('listeners[')) return undefined
  return 'requests are judged where they come in: set it on the listener'
}

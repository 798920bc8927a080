/**
 * Fields that are compiled and of which the data path honours one value only, or on one side only. In: a field and its
 * value. Out: why it is refused: a bootstrap file must not believe in what is not so.
 */

type Rule = (value: unknown, path: string) => string | undefined

const isFalse = (value: unknown): boolean => (value as { value?: boolean } | undefined)?.value === false
const unlessFalse =
  (why: string): Rule =>
  (value) =>
    isFalse(value) ? why : undefined

const HTTP1 = 'envoy.config.core.v3.Http1ProtocolOptions'
const COMMON = 'envoy.config.core.v3.HttpProtocolOptions'
const MANAGER = 'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager'

const ofRequests: Rule = (_, path) =>
  path.includes('listeners[') ? undefined : 'requests are judged where they come in: set it on the listener'

const RULES: Readonly<Record<string, Rule>> = {
  [`${COMMON}.headersWithUnderscoresAction`]: ofRequests,
  [`${HTTP1}.defaultHostForHttp_10`]: ofRequests,
  [`${HTTP1}.allowAbsoluteUrl`]: unlessFalse('targets in absolute form are always read'),
  [`${MANAGER}.normalizePath`]: unlessFalse('paths are always brought into one form'),
}

/** Why `value` of this field of the message `type` is refused. */
export function whyRefused(type: string, key: string, value: unknown, path: string): string | undefined {
  return RULES[`${type}.${key}`]?.(value, path)
}

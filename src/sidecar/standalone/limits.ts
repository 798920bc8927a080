/**
 * Fields of which the data path honours some values only, or on one side only. In: a field and the message it stands in.
 * Out: why it is refused: a bootstrap file must not believe in what is not so.
 */

/** Why the field is refused; `message` is what it stands in. */
type Rule = (value: unknown, path: string, message: Readonly<Record<string, unknown>>) => string | undefined

const HTTP1 = 'envoy.config.core.v3.Http1ProtocolOptions'
const COMMON = 'envoy.config.core.v3.HttpProtocolOptions'
const MANAGER = 'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager'
const ROUTE = 'envoy.config.route.v3'
const CHAIN_MATCH = 'envoy.config.listener.v3.FilterChainMatch'

/** What is done in any case, so that nothing is compiled of it; only `false` asks for something else. */
const ALWAYS: Readonly<Record<string, string>> = {
  [`${HTTP1}.allowAbsoluteUrl`]: 'targets in absolute form are always read',
  [`${MANAGER}.normalizePath`]: 'paths are always brought into one form',
}

const ofRequests: Rule = (_, path) =>
  path.includes('listeners[') ? undefined : 'requests are judged where they come in: set it on the listener'

/** A request that the server did not look at is sent again anyhow. */
const RETRY_ON = [
  '5xx',
  'gateway-error',
  'connect-failure',
  'reset',
  'refused-stream',
  'retriable-4xx',
  'retriable-status-codes',
]

const retryOn: Rule = (value) => {
  const strange = String(value)
    .split(',')
    .map((word) => word.trim())
    .filter((word) => !RETRY_ON.includes(word))
  return strange.length === 0 ? undefined : `"${strange.join(', ')}" is not supported; there are ${RETRY_ON.join(', ')}`
}

/** A pattern has one star, at one of these ends. */
const starOnlyAt =
  (pattern: RegExp, where: string): Rule =>
  (value) => {
    const bad = (value as readonly string[]).find((text) => !pattern.test(text))
    return bad === undefined ? undefined : `"${bad}": a star may only stand ${where}`
  }

const WITHOUT_BODY: ReadonlySet<unknown> = new Set([204, 205, 304])

const RULES: Readonly<Record<string, Rule>> = {
  [`${COMMON}.headersWithUnderscoresAction`]: ofRequests,
  [`${HTTP1}.defaultHostForHttp_10`]: ofRequests,
  [`${CHAIN_MATCH}.serverNames`]: starOnlyAt(/^(\*\.)?[^*]+$/, 'before the first dot, as in "*.example.com"'),
  [`${ROUTE}.VirtualHost.domains`]: starOnlyAt(/^(\*?[^*]*|[^*]+\*)$/, 'at the beginning or at the end'),
  [`${ROUTE}.RetryPolicy.retryOn`]: retryOn,
  [`${ROUTE}.RedirectAction.schemeRedirect`]: (value) =>
    /^[a-z][a-z0-9+.-]*$/i.test(String(value)) ? undefined : 'is no scheme, as "https" is one',
  [`${ROUTE}.DirectResponseAction.body`]: (_, __, { status }) =>
    WITHOUT_BODY.has(status) ? `an answer with status ${String(status)} has no body` : undefined,
}

export function isAlwaysDone(type: string, key: string): boolean {
  return `${type}.${key}` in ALWAYS
}

/** Why the field `key` of `message`, which is of this type, is refused. */
export function whyRefused(
  type: string,
  key: string,
  message: Readonly<Record<string, unknown>>,
  path: string,
): string | undefined {
  const field = `${type}.${key}`
  const value = message[key]
  if ((value as { value?: boolean } | undefined)?.value === false && field in ALWAYS) return ALWAYS[field]
  return RULES[field]?.(value, path, message)
}

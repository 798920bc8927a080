/** What a VirtualService rule does with a request that it matched, route aside. Istio API: networking/v1 HTTPRoute. */
import {
  changeableHeader,
  corsHeader,
  corsMethod,
  destinationHost,
  dnsLabel,
  grpcStatus,
  headerValue,
  nonEmpty,
  regex,
  retryOn,
  settableHeader,
} from '../formats.ts'
import {
  bool,
  duration,
  enumOf,
  ignored,
  int,
  list,
  map,
  number,
  object,
  refused,
  string,
  supported,
  withRule,
} from '../schema.ts'
import { port, stringMatch, uint32 } from './common.ts'

const MAX_BODY_BYTES = 1024 * 1024
const LARGE_BODY_BYTES = 100 * 1024

export const destination = () =>
  object(
    {
      host: supported(
        string(destinationHost, 'host'),
        'Service to send to. Without a dot: a service in the namespace of this object.',
        { required: true },
      ),
      subset: supported(string(dnsLabel, 'name'), 'Subset of the service, as a DestinationRule defines it.'),
      port: supported(
        object({
          number: supported(port(), 'Number of the service port.', { required: true }),
          name: refused('Name of the service port (1.0).', 'write the number of the port'),
        }),
        'Port of the service; may be left out where the service has only one.',
      ),
    },
    { hints: { name: 'did you mean host? name was its name before 1.0' } },
  )

export const headers = () =>
  object({
    request: ignored(headerOperations(true), 'Headers of the request.', 'headers are passed on as they are'),
    response: ignored(headerOperations(false), 'Headers of the response.', 'headers are passed on as they are'),
  })

function headerOperations(request: boolean) {
  const key = request ? settableHeader : changeableHeader
  return object({
    set: supported(map(string(headerValue), { key }), 'Headers to overwrite.'),
    add: supported(map(string(headerValue), { key }), 'Headers to append.'),
    remove: supported(list(string(changeableHeader, 'header')), 'Headers to remove.'),
  })
}

/** 1.0 and 1.1 had flat fields for what is now `headers`. */
export const legacyHeaderFields = () => ({
  appendHeaders: ignored(
    map(string()),
    'Request headers to append (1.0).',
    'headers are passed on as they are; today: headers.request.add',
    { aliases: ['appendRequestHeaders'] },
  ),
  removeRequestHeaders: ignored(list(string()), 'Request headers to remove (1.1).', 'today: headers.request.remove'),
  appendResponseHeaders: ignored(map(string()), 'Response headers to append (1.0).', 'today: headers.response.add'),
  removeResponseHeaders: ignored(list(string()), 'Response headers to remove (1.0).', 'today: headers.response.remove'),
})

export const redirect = () =>
  withRule(
    object(
      {
        uri: supported(string(), 'Path to redirect to; replaces the whole path.'),
        prefixRewrite: supported(string(), 'Replaces the prefix that was matched.'),
        authority: supported(string(), 'Host to redirect to.'),
        scheme: supported(enumOf({ http: 'Plain HTTP.', https: 'HTTPS.' }), 'Scheme to redirect to.'),
        port: supported(uint32(), 'Port to redirect to.'),
        derivePort: supported(
          enumOf({
            FROM_PROTOCOL_DEFAULT: 'The default port of the scheme.',
            FROM_REQUEST_PORT: 'The port of the request.',
          }),
          'Where the port comes from.',
        ),
        redirectCode: supported(int(0, 399), 'Status of the answer: 301, 302, 303, 307 or 308.', { default: '301' }),
      },
      {
        oneOf: [
          ['port', 'derivePort'],
          ['uri', 'prefixRewrite'],
        ],
      },
    ),
    'all',
    (r, report) => {
      if (r.redirectCode && r.redirectCode < 300)
        report('PM0105', ['redirectCode'], `${r.redirectCode} is out of range: 300 to 399`)
      if (
        !r.uri &&
        !r.prefixRewrite &&
        !r.authority &&
        !r.scheme &&
        r.port === undefined &&
        r.derivePort === undefined
      ) {
        report('PM0157', [], 'a redirect changes nothing without uri, authority, scheme or port')
      }
      if (r.port !== undefined && r.port > 65535) report('PM0105', ['port'], `${r.port} is out of range: 1 to 65535`)
    },
  )

export const directResponse = () =>
  withRule(
    object({
      status: supported(int(200, 600), 'Status of the answer.', { required: true }),
      body: supported(
        object(
          {
            string: supported(string(), 'Body as text.'),
            bytes: supported(string(), 'Body in base64.'),
          },
          { oneOf: [['string', 'bytes']] },
        ),
        'Body of the answer; none if left out.',
      ),
    }),
    ['body'],
    ({ body }, report) => {
      const bytes = body?.string === undefined ? ((body?.bytes?.length ?? 0) * 3) / 4 : Buffer.byteLength(body.string)
      if (bytes > MAX_BODY_BYTES) report('PM0105', ['body'], `a body of ${Math.round(bytes)} bytes: 1 MiB is the most`)
      else if (bytes > LARGE_BODY_BYTES) report('PM0207', ['body'], `a body of ${Math.round(bytes)} bytes`)
    },
  )

export const rewrite = () =>
  withRule(
    object({
      uri: supported(string(), 'Replaces the matched prefix, or the whole path.'),
      authority: supported(string(), 'Replaces the host.'),
      uriRegexRewrite: supported(
        object({
          match: supported(string(regex, 'RE2 expression'), 'RE2 expression on the path.', { required: true }),
          rewrite: supported(string(nonEmpty), 'Replacement; \\1 is the first group.', { required: true }),
        }),
        'Replaces what the expression finds in the path.',
      ),
    }),
    ['uri', 'authority', 'uriRegexRewrite'],
    (r, report) => {
      if (r.uri && r.uriRegexRewrite)
        report('PM0106', ['uriRegexRewrite'], 'uri and uriRegexRewrite exclude each other')
      if (!r.uri && !r.uriRegexRewrite && !r.authority)
        report('PM0157', [], 'a rewrite needs uri, uriRegexRewrite or authority')
    },
  )

export const retries = () =>
  withRule(
    object({
      attempts: supported(int(0), 'How often a request is tried again; 0 switches retries off.', {
        default: '2 where retries is left out',
      }),
      perTryTimeout: supported(duration(), 'Time for one try.', { default: 'none' }),
      retryOn: supported(string(retryOn, 'conditions'), 'Conditions, comma-separated; a number is a status.', {
        default: 'connect-failure,refused-stream,unavailable,cancelled',
      }),
      retryRemoteLocalities: ignored(bool(), 'Try endpoints in other places as well.', 'everything runs in one place'),
      retryIgnorePreviousHosts: supported(bool(), 'Avoid endpoints that were tried already.', { default: 'true' }),
      backoff: supported(duration(), 'Least pause before a retry.', { default: '25ms' }),
    }),
    ['attempts'],
    (r, report) => {
      if (r.attempts) return
      const set = (['perTryTimeout', 'retryOn', 'retryRemoteLocalities'] as const).find((name) => r[name] !== undefined)
      if (set !== undefined) report('PM0156', [set], `${set} has no meaning while attempts is 0: retries are off`)
    },
  )

export const percent = () => object({ value: supported(number(0, 100), 'Percentage, 0 to 100.') })

export const fault = () =>
  withRule(
    object({
      delay: supported(
        object({
          fixedDelay: supported(duration(), 'How long to hold the request.'),
          exponentialDelay: refused('Never built.', 'no proxy has it'),
          percentage: supported(percent(), 'Share of the requests.', { default: '0' }),
          percent: supported(int(0, 100), 'Share of the requests as a whole number.', {
            deprecated: true,
            note: 'write percentage: {value: N}',
          }),
        }),
        'Holds requests back.',
      ),
      abort: supported(
        object(
          {
            httpStatus: supported(int(200, 600), 'Status to answer with.'),
            grpcStatus: supported(string(grpcStatus, 'gRPC status'), 'gRPC status to answer with.'),
            http2Error: refused('Never built.', 'no proxy has it'),
            percentage: supported(percent(), 'Share of the requests.', { default: '0' }),
            percent: supported(int(0, 100), 'Share of the requests as a whole number.', {
              deprecated: true,
              note: 'write percentage: {value: N}',
            }),
          },
          { oneOf: [['httpStatus', 'grpcStatus', 'http2Error']] },
        ),
        'Answers instead of the service.',
      ),
    }),
    'all',
    (f, report) => {
      if (f.delay === undefined && f.abort === undefined)
        report('PM0157', [], 'a fault needs a delay, an abort or both')
    },
  )

export const mirrorPolicy = () =>
  object({
    destination: supported(destination(), 'Where the copies go.', { required: true }),
    percentage: supported(percent(), 'Share of the requests.', { default: '100' }),
  })

export const corsPolicy = () =>
  object({
    allowOrigins: supported(
      list(
        withRule(stringMatch(), ['exact', 'prefix', 'regex'], (m, report) => {
          if (!m.exact && !m.prefix && !m.regex) report('PM0138', [], 'an origin needs a text that is not empty')
        }),
      ),
      'Origins allowed.',
    ),
    allowOrigin: supported(list(string()), 'Origins allowed, exactly (old).', {
      deprecated: true,
      note: 'write allowOrigins: [{exact: ORIGIN}]',
    }),
    allowMethods: supported(list(string(corsMethod, 'method')), 'Methods allowed.'),
    allowHeaders: supported(list(string(corsHeader, 'header')), 'Headers allowed.'),
    exposeHeaders: supported(list(string(corsHeader, 'header')), 'Headers that a page may read.'),
    maxAge: supported(
      withRule(duration(), [], (text, report) => {
        if (/ms|us|µs|μs|ns|\.\d*[1-9]/.test(text))
          report('PM0131', [], `${text} is too fine: maxAge is in whole seconds`)
      }),
      'How long a browser may remember the answer.',
    ),
    allowCredentials: supported(bool(), 'Whether cookies may be sent.'),
    unmatchedPreflights: supported(
      enumOf({
        UNSPECIFIED: 'As FORWARD.',
        FORWARD: 'Preflights of other origins go to the service.',
        IGNORE: 'They are answered without permission.',
      }),
      'What happens to other preflights.',
    ),
  })

export const delegate = () =>
  object({
    name: supported(string(dnsLabel, 'name'), 'Name of the VirtualService that goes on.'),
    namespace: supported(string(), 'Its namespace.'),
  })

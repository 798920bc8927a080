/** Checks of single strings: hosts, labels, header names and the like, as strict as Istio's admission is. */
import { STATUS_CODES } from 'node:http'
import { isIP } from 'node:net'
import { RE2JS } from 're2js'
import type { Fault, StringCheck } from './schema.ts'

const DNS_LABEL = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/i
const LOWER_DNS_LABEL = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/
const WILDCARD_LABEL = /^(?:\*|\*?-?[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)$/i
const LABEL_NAME = /^[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/
const TOKEN = /^[-!#$%&'*+.^_`|~0-9A-Za-z]+$/
/** Text, `%%`, and Envoy's operators: `%START_TIME(%s)%`, `%REQ(X)?:10%`. */
const HEADER_VALUE = /^(?:[^%]|%%|%[A-Z0-9_]+(?:\([^)]*\))?(?::\d+)?%)*$/
const MAX_REGEX_CHARS = 1024

const RETRY_ON = new Set([
  '5xx', 'gateway-error', 'reset', 'reset-before-request', 'connect-failure', 'retriable-4xx', 'refused-stream',
  'retriable-status-codes', 'retriable-headers', 'envoy-ratelimited', 'http3-post-connect-failure',
  'cancelled', 'deadline-exceeded', 'internal', 'resource-exhausted', 'unavailable',
]) // prettier-ignore
const CORS_METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', '*'])
const GRPC_STATUSES = new Set([
  'OK', 'CANCELLED', 'UNKNOWN', 'INVALID_ARGUMENT', 'DEADLINE_EXCEEDED', 'NOT_FOUND', 'ALREADY_EXISTS', 'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED', 'FAILED_PRECONDITION', 'ABORTED', 'OUT_OF_RANGE', 'UNIMPLEMENTED', 'INTERNAL', 'UNAVAILABLE', 'DATA_LOSS',
  'UNAUTHENTICATED',
]) // prettier-ignore

export const nonEmpty: StringCheck = (text) =>
  text === '' ? { code: 'PM0138', message: 'the value is empty' } : undefined

/** RFC 1123 name; `wildcard`: the first label may be or start with `*`. A closing dot is allowed. */
export function hostFault(host: string, wildcard: boolean): Fault | undefined {
  const code = 'PM0130'
  const shown = JSON.stringify(host.slice(0, 80))
  if (host === '') return { code, message: 'the host is empty' }
  if (host.length > 255) return { code, message: `a host of ${host.length} characters: 255 are the most` }
  if (wildcard && host === '*') return undefined
  const labels = host.replace(/\.$/, '').split('.')
  for (const [i, label] of labels.entries()) {
    if (i === 0 && wildcard && label.length <= 63 && WILDCARD_LABEL.test(label)) continue
    if (label.includes('*')) {
      const fix = wildcard ? 'a star may only lead, as in *.example.com' : 'name the host in full'
      return { code, message: `${shown} has a * where none is allowed`, fix }
    }
    if (!DNS_LABEL.test(label))
      return {
        code,
        message: `${shown} is not a DNS name: ${label === '' ? 'a part is empty' : `the part ${JSON.stringify(label.slice(0, 80))}`}`,
      }
  }
  const last = labels.at(-1) ?? ''
  if (/^\d+$/.test(last)) return { code, message: `${shown} is not a DNS name: its last part is all digits` }
  return undefined
}

export const wildcardHost: StringCheck = (text) => hostFault(text, true)

/** A destination: like wildcardHost, but not `*` alone. */
export const destinationHost: StringCheck = (text) =>
  text === '*' ? { code: 'PM0130', message: '"*" is no destination', fix: 'name the service' } : hostFault(text, true)

/** Pairs of hosts of which one stands for all names of the other: [later, earlier]. `*.com` covers `a.com` and `*.a.com`. */
export function overlappingHosts(hosts: readonly string[]): [number, number][] {
  const indexes = new Map<string, number>()
  const found: [number, number][] = []
  const note = (a: number, b: number): void => void found.push([Math.max(a, b), Math.min(a, b)])
  for (const [i, host] of hosts.entries()) {
    const twin = indexes.get(host)
    if (twin === undefined) indexes.set(host, i)
    else note(i, twin)
  }
  for (const [i, host] of hosts.entries()) {
    for (let k = host.startsWith('*') ? 2 : 0; k <= host.length; k++) {
      const wider = indexes.get(`*${host.slice(k)}`)
      if (wider !== undefined && wider !== i) note(i, wider)
    }
  }
  return found
}

/** Whether `a` stands for no name that `b` does not stand for. */
export function hostIsSubset(a: string, b: string): boolean {
  if (!b.startsWith('*')) return a === b
  return a.endsWith(b.slice(1)) && (!a.startsWith('*') || a.length >= b.length)
}

export const dnsLabel: StringCheck = (text) =>
  DNS_LABEL.test(text)
    ? undefined
    : {
        code: 'PM0140',
        message: text === '' ? 'the name is empty' : `${JSON.stringify(text.slice(0, 80))} is not a DNS label`,
      }

/** metadata.name of most kinds: labels joined by dots, at most 253 characters. */
export const objectName: StringCheck = (text) =>
  text.length <= 253 && text.split('.').every((label) => /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$/.test(label))
    ? undefined
    : { code: 'PM0123', message: `${JSON.stringify(text.slice(0, 80))} is not a valid name` }

/** metadata.name of kinds whose name becomes part of a host name. */
export const objectLabelName: StringCheck = (text) =>
  LOWER_DNS_LABEL.test(text)
    ? undefined
    : {
        code: 'PM0123',
        message: `${JSON.stringify(text.slice(0, 80))} is not a valid name: no dots, at most 63 characters`,
      }

export const namespaceName: StringCheck = (text) =>
  LOWER_DNS_LABEL.test(text)
    ? undefined
    : { code: 'PM0124', message: `${JSON.stringify(text.slice(0, 80))} is not a valid namespace` }

export const labelKey: StringCheck = (text) => {
  const slash = text.indexOf('/')
  const prefix = slash === -1 ? undefined : text.slice(0, slash)
  if (LABEL_NAME.test(text.slice(slash + 1)) && (prefix === undefined || hostFault(prefix, false) === undefined))
    return undefined
  return { code: 'PM0136', message: `${JSON.stringify(text.slice(0, 80))} is not a label key` }
}

export const labelValue: StringCheck = (text) =>
  text === '' || LABEL_NAME.test(text)
    ? undefined
    : { code: 'PM0136', message: `${JSON.stringify(text.slice(0, 80))} is not a label value` }

export const gatewayName: StringCheck = (text) => {
  const code = 'PM0133'
  const slash = text.indexOf('/')
  if (slash === -1) {
    if (hostFault(text, false) !== undefined)
      return { code, message: `${JSON.stringify(text.slice(0, 80))} is not the name of a gateway` }
    if (!text.includes('.')) return undefined
    const [name, namespace] = text.split('.')
    return { code: 'PM0206', message: `${text} names a gateway in the old way`, fix: `write ${namespace}/${name}` }
  }
  const [namespace, name] = [text.slice(0, slash), text.slice(slash + 1)]
  if (DNS_LABEL.test(namespace) && DNS_LABEL.test(name)) return undefined
  return { code, message: `${JSON.stringify(text.slice(0, 80))} is not NAMESPACE/NAME` }
}

export const subnet: StringCheck = (text) => {
  const [address = '', bits, ...rest] = text.split('/')
  const family = isIP(address)
  const valid =
    family !== 0 &&
    rest.length === 0 &&
    (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128)))
  return valid
    ? undefined
    : { code: 'PM0137', message: `${JSON.stringify(text.slice(0, 80))} is neither an address nor a network` }
}

export const regex: StringCheck = (text) => {
  const code = 'PM0132'
  if (text === '') return { code, message: 'the expression is empty' }
  if (text.length > MAX_REGEX_CHARS)
    return { code, message: `${text.length} characters: ${MAX_REGEX_CHARS} are the most` }
  try {
    RE2JS.compile(text)
    return undefined
  } catch (e) {
    return {
      code,
      message: `not RE2: ${e instanceof Error ? e.message.replace(/^error parsing regexp: /, '') : String(e)}`,
    }
  }
}

/** Where `*` alone means that the header is there. */
export const regexOrPresence: StringCheck = (text) => (text === '*' ? undefined : regex(text))

/** A name to match on: a header, or `@request.auth.claims.x`. */
export const matchedHeader: StringCheck = (text) =>
  isClaim(text) || TOKEN.test(text) || /^:[a-z]+$/.test(text) ? undefined : headerNameFault(text)

export function isClaim(header: string): boolean {
  return /^@request\.auth\.claims[.[]/i.test(header)
}

/** A header that may be set or added on a request: any, and :authority or host. */
export const settableHeader: StringCheck = (text) =>
  TOKEN.test(text) || text.toLowerCase() === ':authority' ? undefined : headerNameFault(text)

/** A header that may be removed, or changed on a response. */
export const changeableHeader: StringCheck = (text) =>
  TOKEN.test(text) && text.toLowerCase() !== 'host' ? undefined : headerNameFault(text)

export const corsHeader: StringCheck = (text) => (TOKEN.test(text) ? undefined : headerNameFault(text))

function headerNameFault(text: string): Fault {
  return {
    code: 'PM0134',
    message:
      text === ''
        ? 'the header name is empty'
        : `${JSON.stringify(text.slice(0, 80))} is not a header that can be named here`,
  }
}

export const headerValue: StringCheck = (text) => {
  if (/[\0\r\n]/.test(text))
    return { code: 'PM0135', message: 'a header value may not hold line ends or NUL', fix: 'write it in one line' }
  return HEADER_VALUE.test(text)
    ? undefined
    : { code: 'PM0135', message: 'a % that is neither %% nor an operator such as %START_TIME%' }
}

export const retryOn: StringCheck = (text) => {
  for (const condition of text.split(',')) {
    if (RETRY_ON.has(condition) || (/^\d+$/.test(condition) && STATUS_CODES[condition] !== undefined)) continue
    const fix = RETRY_ON.has(condition.trim()) ? 'remove the blank' : undefined
    return {
      code: 'PM0104',
      message: `${JSON.stringify(condition.slice(0, 80))} is not allowed: ${[...RETRY_ON].join(', ')}, or a status`,
      ...(fix && { fix }),
    }
  }
  return undefined
}

export const corsMethod: StringCheck = (text) =>
  CORS_METHODS.has(text)
    ? undefined
    : {
        code: 'PM0104',
        message: `${JSON.stringify(text.slice(0, 80))} is not a method: ${[...CORS_METHODS].join(', ')}`,
      }

export const grpcStatus: StringCheck = (text) =>
  GRPC_STATUSES.has(text)
    ? undefined
    : {
        code: 'PM0104',
        message: `${JSON.stringify(text.slice(0, 80))} is not a gRPC status: ${[...GRPC_STATUSES].join(', ')}`,
      }

export const exportTo: StringCheck = (text) => {
  if (text === '.' || text === '*' || DNS_LABEL.test(text)) return undefined
  return { code: 'PM0139', message: `${JSON.stringify(text.slice(0, 80))} is neither a namespace nor . nor *` }
}

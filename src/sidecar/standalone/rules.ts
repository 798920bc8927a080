/**
 * Envoy's own rules for its messages (protoc-gen-validate), as the build took them from the published API. In: a decoded
 * message. Out: which fields break them: ranges, what must be there, what goes into a header field. What Envoy would not
 * start with is not given another meaning here.
 */
import rules from '../../xds/generated/rules.json' with { type: 'json' }
import { messageSchema, snake } from './schema.ts'
import { isForPeople } from './without-effect.ts'

interface Range {
  gt?: Bound
  gte?: Bound
  lt?: Bound
  lte?: Bound
}
/** A number, or a duration. */
type Bound = number | { seconds?: number; nanos?: number }

interface TextRule {
  min_len?: number
  max_bytes?: number
  well_known_regex?: 'HTTP_HEADER_NAME' | 'HTTP_HEADER_VALUE'
}

interface FieldRule {
  string?: TextRule
  uint32?: Range
  uint64?: Range
  double?: Range
  duration?: Range & { required?: boolean }
  message?: { required?: boolean }
  any?: { required?: boolean }
  repeated?: { min_items?: number; items?: { string?: TextRule } }
}

interface MessageRules {
  fields: Readonly<Record<string, FieldRule>>
  /** Of each of these groups one must be given. */
  required: readonly (readonly string[])[]
}

export interface Broken {
  /** `null`: the message as a whole. */
  key: string | null
  message: string
}

// oxlint-disable-next-line no-control-regex -- NUL is one of those looked for
const NOT_IN_HEADERS = /[\0\r\n]/

/** `message` has no other faults. */
export function brokenRules(type: string, message: Readonly<Record<string, unknown>>): Broken[] {
  const { fields, required } = (rules as Record<string, MessageRules>)[type] ?? { fields: {}, required: [] }
  const schema = messageSchema(type)
  const missing = required
    .filter((group) => !group.some((key) => key in message))
    .map((group): Broken => ({
      key: null,
      message: `needs ${group.length > 1 ? 'one of ' : ''}${group.map(snake).join(', ')}`,
    }))
  const broken = Object.entries(fields).flatMap(([key, rule]): Broken[] => {
    const field = schema.fields.get(snake(key))
    if (field === undefined || isForPeople(type, key)) return []
    const isGiven = key in message
    if (!isGiven && field.inOneof) return []
    const why = isGiven || field.type in DEFAULTS ? whyBroken(rule, message[key] ?? DEFAULTS[field.type]) : undefined
    if (why !== undefined) return [{ key, message: isGiven ? why : `is missing: ${why}` }]
    const mustBe = [rule.message, rule.any, rule.duration].some((r) => r?.required === true)
    return mustBe && !isGiven ? [{ key, message: 'is missing' }] : []
  })
  return [...missing, ...broken]
}

/** What is not there, of the kinds that cannot tell whether they are. */
const DEFAULTS: Readonly<Record<string, string | number>> = { string: '', uint32: 0 }

function whyBroken(rule: FieldRule, value: unknown): string | undefined {
  if (rule.string !== undefined && typeof value === 'string') return whyNotText(rule.string, value)
  if (rule.repeated !== undefined) {
    const { min_items: least = 0, items } = rule.repeated
    const list = (value as string[] | undefined) ?? []
    if (list.length < least) return 'must not be empty'
    const { string } = items ?? {}
    return string && list.map((text) => whyNotText(string, text)).find((why) => why !== undefined)
  }
  const range = rule.uint32 ?? rule.uint64 ?? rule.double ?? rule.duration
  return range === undefined ? undefined : whyNotWithin(range, numberOf(value))
}

function whyNotText(
  { min_len: least = 0, max_bytes: most = Infinity, well_known_regex: form }: TextRule,
  text: string,
) {
  if (text.length < least) return 'must not be empty'
  if (Buffer.byteLength(text) > most) return `must not be longer than ${most} bytes`
  return form !== undefined && NOT_IN_HEADERS.test(text) ? 'must have no line ends: it goes into a header' : undefined
}

function whyNotWithin({ gt, gte, lt, lte }: Range, value: number): string | undefined {
  const limits = [
    ...(gt === undefined ? [] : [{ text: `more than ${numberOf(gt)}`, ok: value > numberOf(gt) }]),
    ...(gte === undefined ? [] : [{ text: `at least ${numberOf(gte)}`, ok: value >= numberOf(gte) }]),
    ...(lt === undefined ? [] : [{ text: `less than ${numberOf(lt)}`, ok: value < numberOf(lt) }]),
    ...(lte === undefined ? [] : [{ text: `at most ${numberOf(lte)}`, ok: value <= numberOf(lte) }]),
  ]
  return limits.every(({ ok }) => ok) ? undefined : `must be ${limits.map(({ text }) => text).join(' and ')}`
}

/** A number, one in its wrapper, or the seconds of a duration. */
function numberOf(value: unknown): number {
  if (typeof value === 'number') return value
  const { value: wrapped, seconds = 0, nanos = 0 } = (value ?? {}) as Record<string, number>
  return wrapped ?? seconds + nanos / 1e9
}

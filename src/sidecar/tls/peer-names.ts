/**
 * Names in a peer's certificate, where certificates come from files. In: a certificate whose chain has been verified.
 * Out: whether it has one of the names asked for, its URI. Source: Envoy's san_matcher (exact DNS names match wildcards).
 */
import type { X509Certificate } from 'node:crypto'
import type { NameMatch } from './files.ts'

interface Name {
  kind: NameMatch['kind']
  text: string
}

const KINDS: Record<string, NameMatch['kind']> = { DNS: 'DNS', URI: 'URI', 'IP Address': 'IP', email: 'EMAIL' }
/** As Node writes them: values with anything odd in them stand in quotes, as in JSON. */
const NAME = /(?:^|, )([A-Za-z][A-Za-z ]*):("(?:[^"\\]|\\.)*"|[^,"]*)/g
/** What may stand in a header field by itself. */
const PLAIN_URI = /^[a-z][\w+.-]*:[\w/.:@%~!$&'()*+=?#-]+$/i

function namesOf(certificate: X509Certificate): Name[] {
  const names: Name[] = []
  for (const [, label = '', value = ''] of (certificate.subjectAltName ?? '').matchAll(NAME)) {
    const kind = KINDS[label]
    if (kind !== undefined) names.push({ kind, text: value.startsWith('"') ? String(JSON.parse(value)) : value })
  }
  return names
}

/** Whether one of its names is one of `wanted`. */
export function hasName(certificate: X509Certificate, wanted: readonly NameMatch[]): boolean {
  const names = namesOf(certificate)
  return wanted.some((match) => names.some((name) => name.kind === match.kind && fits(name, match)))
}

/** '' where it has none, or one that is no plain URI. */
export function uriOf(certificate: X509Certificate): string {
  const uri = namesOf(certificate).find(({ kind }) => kind === 'URI')?.text ?? ''
  return PLAIN_URI.test(uri) ? uri : ''
}

function fits({ kind, text }: Name, { exact, test }: NameMatch): boolean {
  if (kind !== 'DNS' || exact === null) return test(text)
  const [name, wanted] = [text.toLowerCase(), exact.toLowerCase()]
  if (name === wanted) return true
  const dot = wanted.indexOf('.')
  return name.startsWith('*.') && dot > 0 && name.slice(1) === wanted.slice(dot)
}

/**
 * TLS by certificate files (Envoy: CommonTlsContext without SDS), compiled. In: the message. Out: what to load and whom
 * to accept, as an immutable value; throws an Error for what cannot be honoured. Reads no file.
 */
import type { SecureVersion } from 'node:tls'
import { envoy } from '../../xds/generated/xds.js'
import { compileText, type TextMatch } from '../../xds/text-match.ts'

type CommonContext = envoy.extensions.transport_sockets.tls.v3.CommonTlsContext
type Parameters = envoy.extensions.transport_sockets.tls.v3.TlsParameters
type Validation = envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext
type NameMatcher = envoy.extensions.transport_sockets.tls.v3.SubjectAltNameMatcher

const { TlsProtocol: PROTOCOL } = envoy.extensions.transport_sockets.tls.v3.TlsParameters
const { TrustChainVerification: TRUST } = envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext
const { SanType: SAN } = envoy.extensions.transport_sockets.tls.v3.SubjectAltNameMatcher

/** Where PEM text comes from. */
export type PemSource = { file: string } | { text: string }

/** One of several that a peer's certificate must have. */
export interface NameMatch {
  kind: 'DNS' | 'URI' | 'IP' | 'EMAIL'
  /** Of an exact match, which a wildcard in a certificate covers too; `null` for other matches. */
  exact: string | null
  test: TextMatch
}

export interface FileTls {
  /** The same for the same content. */
  key: string
  certificates: readonly { chain: PemSource; key: PemSource }[]
  trustedCa: PemSource | null
  /** The peer's chain is not verified; only ever because the file says so. */
  acceptUntrusted: boolean
  /** Empty: any name. */
  names: readonly NameMatch[]
  minVersion: SecureVersion
  maxVersion: SecureVersion
  /** As OpenSSL takes them. */
  ciphers: string
  curves: string
}

const CIPHERS_13 = ['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256']
/** With forward secrecy and authenticated encryption; others are not offered. */
const CIPHERS_12 = [
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
]
const CURVES = ['X25519', 'P-256', 'P-384', 'P-521']

/** One entry may have several, with commas between them, as in Envoy. */
export function alpnOf(common: CommonContext | null | undefined): string[] {
  return (common?.alpnProtocols ?? []).flatMap((text) => text.split(','))
}

/** `null`: nothing in it is by files, so the mesh's own identity is meant. */
export function compileFileTls(common: CommonContext | null | undefined): FileTls | null {
  if (common === null || common === undefined) return null
  const { tlsCertificates = [], validationContext, tlsParams } = common
  if (tlsCertificates.length === 0 && !validationContext && !tlsParams) return null
  const certificates = tlsCertificates.map(({ certificateChain, privateKey }) => ({
    chain: pemSource(certificateChain, 'certificate_chain'),
    key: pemSource(privateKey, 'private_key'),
  }))
  const acceptUntrusted = validationContext?.trustChainVerification === TRUST.ACCEPT_UNTRUSTED
  const ca = validationContext?.trustedCa
  const content = {
    certificates,
    trustedCa: ca ? pemSource(ca, 'trusted_ca') : null,
    acceptUntrusted,
    ...compileParameters(tlsParams ?? {}),
  }
  const { names, keys } = compileNames(validationContext ?? {})
  if (names.length > 0 && content.trustedCa === null)
    throw new Error('match_typed_subject_alt_names proves nothing without trusted_ca')
  return Object.freeze({ ...content, names, key: JSON.stringify([content, keys]) })
}

function pemSource(source: envoy.config.core.v3.DataSource | null | undefined, field: string): PemSource {
  const { filename, inlineString, inlineBytes } = source ?? {}
  if (filename) return { file: filename }
  if (inlineString) return { text: inlineString }
  if (inlineBytes && inlineBytes.length > 0) return { text: Buffer.from(inlineBytes).toString('latin1') }
  throw new Error(`${field} needs a filename, an inline_string or inline_bytes`)
}

function compileParameters(parameters: Parameters): Pick<FileTls, 'minVersion' | 'maxVersion' | 'ciphers' | 'curves'> {
  const minVersion = versionOf(parameters.tlsMinimumProtocolVersion ?? 0, 'TLSv1.2')
  const maxVersion = versionOf(parameters.tlsMaximumProtocolVersion ?? 0, 'TLSv1.3')
  if (minVersion > maxVersion) throw new Error(`from ${minVersion} up to ${maxVersion} there is no version of TLS`)
  const suites = parameters.cipherSuites ?? []
  const unknown = suites.find((name) => !CIPHERS_12.includes(name) && !CIPHERS_13.includes(name))
  if (unknown !== undefined)
    throw new Error(`cipher suite ${unknown} is not supported; there are ${[...CIPHERS_13, ...CIPHERS_12].join(', ')}`)
  // a version for which none is named keeps its own
  const chosen = (all: string[]): string[] => {
    const named = suites.filter((name) => all.includes(name))
    return named.length > 0 ? named : all
  }
  const curves = parameters.ecdhCurves ?? []
  const strange = curves.find((name) => !CURVES.includes(name))
  if (strange !== undefined) throw new Error(`curve ${strange} is not supported; there are ${CURVES.join(', ')}`)
  return {
    minVersion,
    maxVersion,
    ciphers: [...chosen(CIPHERS_13), ...chosen(CIPHERS_12)].join(':'),
    curves: (curves.length > 0 ? [...curves] : CURVES.slice(0, 3)).join(':'),
  }
}

function versionOf(protocol: number, fallback: SecureVersion): SecureVersion {
  if (protocol === PROTOCOL.TLS_AUTO) return fallback
  if (protocol === PROTOCOL.TLSv1_2) return 'TLSv1.2'
  if (protocol === PROTOCOL.TLSv1_3) return 'TLSv1.3'
  throw new Error('TLS below version 1.2 is not supported')
}

function compileNames(validation: Validation): { names: NameMatch[]; keys: unknown[] } {
  const names: NameMatch[] = []
  const keys: unknown[] = []
  for (const { sanType, matcher } of validation.matchTypedSubjectAltNames ?? []) {
    const text = matcher ?? {}
    const kind = kindOf(sanType)
    const exact = typeof text.exact === 'string' ? text.exact : null
    names.push({ kind, exact, test: compileText(text) })
    const { prefix, suffix, contains, safeRegex, ignoreCase } = text
    keys.push([kind, exact, prefix, suffix, contains, safeRegex?.regex, ignoreCase])
  }
  return { names, keys }
}

function kindOf(type: NameMatcher['sanType']): NameMatch['kind'] {
  switch (type ?? SAN.SAN_TYPE_UNSPECIFIED) {
    case SAN.DNS:
      return 'DNS'
    case SAN.URI:
      return 'URI'
    case SAN.IP_ADDRESS:
      return 'IP'
    case SAN.EMAIL:
      return 'EMAIL'
    case SAN.SAN_TYPE_UNSPECIFIED:
    case SAN.OTHER_NAME:
    default:
      throw new Error('san_type must be DNS, URI, IP_ADDRESS or EMAIL')
  }
}

/**
 * Request targets, RFC 9112 section 3.2, and authorities (RFC 9110 section 7.2).
 * In: a method and a target's text. Out: its form with path and authority, or `undefined`: none of the four forms.
 */
import { isIPv6 } from 'node:net'

export type TargetForm = 'origin' | 'absolute' | 'authority' | 'asterisk'

export interface Target {
  form: TargetForm
  /** Path with query; '' for CONNECT. */
  path: string
  /** Of absolute-form and authority-form; else ''. */
  authority: string
  scheme: string
}

/** Parses what is not plain origin-form. */
export function parseTarget(method: string, target: string): Target | undefined {
  if (method === 'CONNECT') {
    if (!isAuthority(target) || !/:0*[1-9]\d*$/.test(target)) return undefined
    return { form: 'authority', path: '', authority: target, scheme: '' }
  }
  if (target.startsWith('/')) return { form: 'origin', path: target, authority: '', scheme: '' }
  if (target === '*')
    return method === 'OPTIONS' ? { form: 'asterisk', path: '*', authority: '', scheme: '' } : undefined
  const match = /^(https?):\/\/([^/?]*)(.*)$/i.exec(target)
  if (match === null) return undefined
  const [, scheme = '', authority = '', rest = ''] = match
  if (!isAuthority(authority)) return undefined
  const path = rest === '' ? (method === 'OPTIONS' ? '*' : '/') : rest.startsWith('?') ? `/${rest}` : rest
  return { form: 'absolute', path, authority, scheme: scheme.toLowerCase() }
}

const REG_NAME = /^[A-Za-z0-9._~!$&'()*+;=-]+$/
const IPV6 = /^[0-9a-fA-F:.]+$/

/**
 * A host with an optional port: no user information, no percent signs, no comma: where readers differ about the host,
 * one of them is being led past its rules.
 */
export function isAuthority(text: string): boolean {
  let host = text
  let port = ''
  if (text.startsWith('[')) {
    const close = text.indexOf(']')
    const address = text.slice(1, Math.max(1, close))
    if (!IPV6.test(address) || !isIPv6(address)) return false
    const rest = text.slice(close + 1)
    if (rest === '') return true
    if (!rest.startsWith(':')) return false
    port = rest.slice(1)
  } else {
    const colon = text.indexOf(':')
    if (colon >= 0) {
      host = text.slice(0, colon)
      port = text.slice(colon + 1)
    }
    if (!REG_NAME.test(host)) return false
    if (colon < 0) return true
  }
  return port === '' || (/^\d{1,5}$/.test(port) && Number(port) <= 65535)
}

/** Host (without brackets) and port of an authority that `isAuthority` took; `port` 0 where there is none. */
export function splitAuthority(authority: string): { host: string; port: number } {
  const colon = authority.lastIndexOf(':')
  const bracket = authority.lastIndexOf(']')
  const host = colon > bracket ? authority.slice(0, colon) : authority
  const port = colon > bracket ? Number(authority.slice(colon + 1)) : 0
  return { host: host.startsWith('[') ? host.slice(1, -1) : host, port }
}

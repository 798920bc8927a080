/** PEM (RFC 7468): text in, labelled DER blocks out, and back. Text between blocks is allowed, damaged blocks are not. */
import { parseCertificate } from './certificate.ts'

export interface PemBlock {
  label: string
  der: Buffer
}

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----\s*([A-Za-z0-9+/=\s]*?)-----END ([A-Z0-9 ]+)-----/g
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

/** All blocks, or `undefined` when a block is damaged. */
export function parsePem(text: string): PemBlock[] | undefined {
  const blocks: PemBlock[] = []
  for (const [, label = '', body = '', closing] of text.matchAll(BLOCK)) {
    const base64 = body.replace(/\s+/g, '')
    if (closing !== label || base64 === '' || !BASE64.test(base64)) return undefined
    blocks.push({ label, der: Buffer.from(base64, 'base64') })
  }
  const begun = text.split('-----BEGIN ').length - 1
  return begun === blocks.length ? blocks : undefined
}

/** With lines of 64 characters and a line end at the end. */
export function toPem(label: string, der: Uint8Array): string {
  const base64 = Buffer.from(der).toString('base64')
  return `-----BEGIN ${label}-----\n${base64.replace(/(.{64})(?=.)/g, '$1\n')}\n-----END ${label}-----\n`
}

export type BundleVerdict = { ok: true; certificates: Buffer[] } | { ok: false; reason: string }

/** A trust bundle: certificates only, at least one, each well-formed. */
export function parseBundle(text: string): BundleVerdict {
  const blocks = parsePem(text)
  if (blocks === undefined) return { ok: false, reason: 'damaged PEM' }
  if (blocks.length === 0) return { ok: false, reason: 'no PEM block' }
  for (const block of blocks) {
    if (block.label !== 'CERTIFICATE') return { ok: false, reason: `a ${block.label} where only certificates belong` }
    const verdict = parseCertificate(block.der)
    if (!verdict.ok) return verdict
  }
  return { ok: true, certificates: blocks.map((block) => block.der) }
}

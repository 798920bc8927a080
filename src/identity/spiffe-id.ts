/**
 * SPIFFE IDs: text in, parts or a reason out. Source: SPIFFE-ID.md, sections 2.1 to 2.4.
 * Kubernetes' form below it, as Istio writes it: `spiffe://TRUST-DOMAIN/ns/NAMESPACE/sa/SERVICE-ACCOUNT`.
 */
interface SpiffeId {
  /** The whole ID, as it stands in certificates and is compared, byte by byte. */
  text: string
  trustDomain: string
  /** '' for the trust domain itself, else starts with `/`. */
  path: string
}

export type SpiffeIdVerdict = { ok: true; id: SpiffeId } | { ok: false; reason: string }

const SCHEME = 'spiffe://'
const MAX_ID_BYTES = 2048
const MAX_TRUST_DOMAIN_BYTES = 255
const TRUST_DOMAIN = /^[a-z0-9._-]+$/
const SEGMENT = /^[A-Za-z0-9._-]+$/

/** Every rule of the syntax; nothing is normalised, since IDs are compared as they are. */
export function parseSpiffeId(text: string): SpiffeIdVerdict {
  if (!text.startsWith(SCHEME)) return bad('the scheme is not spiffe')
  if (text.length > MAX_ID_BYTES) return bad(`longer than ${MAX_ID_BYTES} bytes`)
  const slash = text.indexOf('/', SCHEME.length)
  const trustDomain = text.slice(SCHEME.length, slash === -1 ? undefined : slash)
  const path = slash === -1 ? '' : text.slice(slash)
  if (trustDomain === '') return bad('no trust domain')
  if (trustDomain.length > MAX_TRUST_DOMAIN_BYTES) return bad(`trust domain over ${MAX_TRUST_DOMAIN_BYTES} bytes`)
  if (!TRUST_DOMAIN.test(trustDomain)) return bad('the trust domain has a character outside a-z 0-9 . _ -')
  if (path !== '') {
    for (const segment of path.slice(1).split('/')) {
      if (segment === '') return bad('an empty path segment')
      if (segment === '.' || segment === '..') return bad('a dot as path segment')
      if (!SEGMENT.test(segment)) return bad('the path has a character outside A-Z a-z 0-9 . _ -')
    }
  }
  return { ok: true, id: { text, trustDomain, path } }
}

/** The ID of a service account. Throws where the parts cannot stand in an ID: callers have validated them. */
export function workloadSpiffeId(trustDomain: string, namespace: string, serviceAccount: string): string {
  const text = `${SCHEME}${trustDomain}/ns/${namespace}/sa/${serviceAccount}`
  const verdict = parseSpiffeId(text)
  if (!verdict.ok || verdict.id.path.split('/').length !== 5) throw new TypeError(`not a SPIFFE ID: ${text}`)
  return text
}

/** Who the control plane is to its sidecars: they speak to nobody else for configuration and certificates. */
export function controlPlaneId(trustDomain: string): string {
  return workloadSpiffeId(trustDomain, 'istio-system', 'istiod')
}

/** Namespace and service account of an ID in Kubernetes' form, else `undefined`. */
export function workloadOfSpiffeId(text: string): { namespace: string; serviceAccount: string } | undefined {
  const verdict = parseSpiffeId(text)
  if (!verdict.ok) return undefined
  const [, ns, namespace, sa, serviceAccount, more] = verdict.id.path.split('/')
  if (ns !== 'ns' || sa !== 'sa' || namespace === undefined || serviceAccount === undefined || more !== undefined)
    return undefined
  return { namespace, serviceAccount }
}

function bad(reason: string): SpiffeIdVerdict {
  return { ok: false, reason }
}

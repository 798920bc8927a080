/**
 * Every code that a message about configuration may carry: what it is about, how grave, and what to do, in a sentence.
 * People search for codes, so one is never used again for something else: a retired code stays in RETIRED.
 */
export interface CatalogueEntry {
  level: 'error' | 'warning'
  title: string
  fix: string
}

export const CATALOGUE = {
  // Documents
  PM0001: error('file too large', 'split the file: 1 MiB is the most'),
  PM0002: error('not YAML or JSON', 'mend the syntax at that place; indentation is in spaces'),
  PM0003: error('duplicate key', 'keep one of the two'),
  PM0004: error('nested too deep', 'no object of the mesh nests deeper than 64 levels'),
  PM0005: error('too many values', 'a file may hold 100,000 values once its aliases are expanded'),
  PM0006: error('too many documents', 'split the file: 1,000 documents are the most'),
  PM0007: error('not an object', 'a document is a mapping with apiVersion, kind and metadata'),
  PM0008: error('key is not a string', 'put the key in quotes'),
  // Fields
  PM0101: error('unknown field', 'remove the field or correct its name; `pocketmesh explain` lists what is known'),
  PM0102: error('wrong type', 'write the value in the type that the message names'),
  PM0103: error('missing field', 'add the field'),
  PM0104: error('value not allowed', 'take one of the values listed'),
  PM0105: error('number out of range', 'take a number within the range'),
  PM0106: error('fields exclude each other', 'keep one of them'),
  PM0107: error('all weights are 0', 'give one destination a weight above 0'),
  PM0108: warning('ignored field', 'remove the field, or accept that the mesh does not act on it'),
  PM0109: error('refused field', 'remove the field: ignoring it would be misleading'),
  PM0110: warning('old spelling', 'use the current name'),
  PM0111: warning('probably misspelt', 'correct the name if that is what was meant'),
  PM0112: warning('field without a value', 'give the field a value, {} or [], or remove it'),
  // What the object is
  PM0120: error('kind or apiVersion missing', 'give the object apiVersion and kind'),
  PM0121: error('kind not supported', 'remove the object; `pocketmesh explain` lists the kinds'),
  PM0122: error('apiVersion does not fit the kind', 'use one of the versions listed'),
  PM0123: error('invalid name', 'lower-case letters, digits, - (and . where allowed), at most 253 characters'),
  PM0124: error('invalid namespace', 'lower-case letters, digits and -, at most 63 characters'),
  PM0126: error('object defined twice', 'keep one of the two definitions'),
  PM0127: warning('namespace of a cluster-wide object', 'remove the namespace: the kind has none'),
  PM0128: error('invalid annotation', 'see the message for what the annotation takes'),
  // Strings
  PM0130: error('invalid host', 'a DNS name, where allowed with a leading *'),
  PM0131: error('invalid duration', 'a number with a unit, such as 5s, 1m30s or 250ms'),
  PM0132: error(
    'invalid regular expression',
    'use RE2 syntax: no lookahead, no back-references, at most 1024 characters',
  ),
  PM0133: error('invalid gateway name', 'NAMESPACE/NAME, NAME or mesh'),
  PM0134: error('invalid header name', 'a header name; of those with a colon only :authority may be set'),
  PM0135: error('invalid header value', 'write a percent sign as %%'),
  PM0136: error(
    'invalid label',
    'letters, digits, - _ . and at most 63 characters; a key may have a DNS prefix and a /',
  ),
  PM0137: error('invalid address', 'an IP address, or a network such as 10.1.0.0/16'),
  PM0138: error('empty value', 'give a value or remove the field'),
  PM0139: error('invalid exportTo', 'namespaces, . for this one, or * alone'),
  PM0140: error('invalid DNS label', 'letters, digits and -, at most 63 characters'),
  // Rules between fields
  PM0150: error('rule without action', 'give the rule a route, a redirect or a directResponse'),
  PM0151: error('actions exclude each other', 'keep one of them'),
  PM0152: error('overlapping hosts', 'keep the wider of the two'),
  PM0153: error('host * inside the mesh', 'name the hosts, or bind the rule to gateways only'),
  PM0154: error(
    'delegate',
    'a delegate has no hosts, gateways, tls, tcp or delegates; a root rule has no action beside it',
  ),
  PM0155: error('nothing to route', 'add http, tcp or tls routes'),
  PM0156: error('retries switched off and configured', 'set attempts above 0, or remove the other fields'),
  PM0157: error('incomplete action', 'fill in what the message names'),
  PM0158: error('SNI host outside hosts', 'add the name to hosts'),
  PM0159: error('claim matching inside the mesh', 'bind the rule to gateways only'),
  PM0160: error('host rewritten twice', 'set the authority in one place'),
  PM0161: error('duplicate name', 'rename one of the two'),
  PM0162: error('empty policy', 'fill in the policy or remove it'),
  PM0163: error('TLS settings contradict each other', 'keep what the mode needs'),
  PM0164: error('load balancer settings contradict each other', 'see the message'),
  PM0165: error('port modes without a selector', 'add a selector: ports are those of certain workloads'),
  PM0166: error('invalid selector', 'labels without wildcards and without empty keys'),
  PM0167: error('MeshPolicy is not named default', 'call it default: no other MeshPolicy counts'),
  PM0168: error('duplicate port', 'keep one of the two'),
  PM0169: error('selector does not fit the template', 'give the pod template the labels that the selector asks for'),
  PM0170: error('connection pool settings contradict each other', 'keep one of them'),
  PM0171: error('outlier detection settings contradict each other', 'set splitExternalLocalOriginErrors: true'),
  PM0172: error('condition without content', 'give it at least one field; a rule without from or to takes everything'),
  // Legal, but probably not meant
  PM0201: warning('rule is never reached', 'move the catch-all rule to the end'),
  PM0202: warning('match can never apply', 'a path starts with a slash'),
  PM0204: warning(
    'selector in the root namespace',
    'remove the selector, or put the policy into the namespace of the workloads',
  ),
  PM0205: warning('selector without labels', 'add labels, or remove the selector'),
  PM0206: warning('old way to name a gateway', 'write NAMESPACE/NAME'),
  PM0207: warning('large response body', 'bodies over 100 KiB slow down every push'),
  PM0208: warning(
    'HTTP conditions in a DENY rule',
    'give the operation ports: on a TCP port only they count, so the rule denies more there',
  ),
  PM0209: warning('pattern is taken literally', 'a * counts only as the first or the last character'),
} as const satisfies Record<string, CatalogueEntry>

export type Code = keyof typeof CATALOGUE

/** Codes of earlier versions, never given out again. */
export const RETIRED: readonly string[] = []

function error(title: string, fix: string): CatalogueEntry {
  return { level: 'error', title, fix }
}

function warning(title: string, fix: string): CatalogueEntry {
  return { level: 'warning', title, fix }
}

/** node-forge's ASN.1 module alone: the whole package would bring its ciphers into every sidecar. */
declare module 'node-forge/lib/asn1.js' {
  import type { asn1 } from 'node-forge'
  const module: typeof asn1
  export default module
}

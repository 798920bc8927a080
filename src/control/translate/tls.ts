/**
 * Transport sockets: mutual TLS between sidecars, and plain ones. Pure.
 * Source: Istio 1.30, pilot/pkg/networking/core/cluster_tls.go and pilot/pkg/security/authn/utils.
 */
import { envoy } from '../../xds/generated/xds.js'
import { SECRET_OWN, SECRET_ROOTS, TLS_MODE_LABEL } from '../../xds/names.ts'
import { EXTENSION, pack } from '../../xds/type-urls.ts'
import { struct } from './resource.ts'

const SAN_URI = envoy.extensions.transport_sockets.tls.v3.SubjectAltNameMatcher.SanType.URI

export type TransportSocket = envoy.config.core.v3.TransportSocket
type TransportSocketMatches = NonNullable<envoy.config.cluster.v3.Cluster['transportSocketMatches']>

const TLS = 'envoy.transport_sockets.tls'
const OWN_CERTIFICATE = [{ name: SECRET_OWN }]
const MESH_ROOTS = { name: SECRET_ROOTS }

export const RAW_BUFFER: TransportSocket = {
  name: 'envoy.transport_sockets.raw_buffer',
  typedConfig: pack(EXTENSION.rawBuffer, {}),
}

const PROXY_V2 = envoy.config.core.v3.ProxyProtocolConfig.Version.V2

/** The same, behind a PROXY v2 header that names the caller and where it meant to go: what pipes between proxies take. */
export function withProxyHeader(transportSocket: TransportSocket): TransportSocket {
  return {
    name: 'envoy.transport_sockets.upstream_proxy_protocol',
    typedConfig: pack(EXTENSION.upstreamProxyProtocol, { config: { version: PROXY_V2 }, transportSocket }),
  }
}

export interface UpstreamTls {
  sni: string
  alpn: readonly string[]
  /** Full SPIFFE IDs, one of which the server must show. */
  serverIds: readonly string[]
}

export function meshUpstream({ sni, alpn, serverIds }: UpstreamTls): TransportSocket {
  const commonTlsContext = {
    alpnProtocols: [...alpn],
    tlsCertificateSdsSecretConfigs: OWN_CERTIFICATE,
    combinedValidationContext: {
      defaultValidationContext: {
        matchTypedSubjectAltNames: serverIds.map((exact) => ({ sanType: SAN_URI, matcher: { exact } })),
      },
      validationContextSdsSecretConfig: MESH_ROOTS,
    },
  }
  return { name: TLS, typedConfig: pack(EXTENSION.upstreamTls, { commonTlsContext, sni }) }
}

/** Automatic mutual TLS: each endpoint says whether it takes it. */
export function autoUpstream(mesh: TransportSocket, plain: TransportSocket): TransportSocketMatches {
  return [
    { name: 'tlsMode-istio', match: struct({ [TLS_MODE_LABEL]: 'istio' }), transportSocket: mesh },
    { name: 'tlsMode-disabled', match: {}, transportSocket: plain },
  ]
}

/** The server's side of the mesh's own TLS. The peer's trust domain is checked by whoever verifies the chain. */
export function meshDownstream(alpn: readonly string[]): TransportSocket {
  const commonTlsContext = {
    alpnProtocols: [...alpn],
    tlsCertificateSdsSecretConfigs: OWN_CERTIFICATE,
    combinedValidationContext: { defaultValidationContext: {}, validationContextSdsSecretConfig: MESH_ROOTS },
  }
  const context = { commonTlsContext, requireClientCertificate: { value: true } }
  return { name: TLS, typedConfig: pack(EXTENSION.downstreamTls, context) }
}

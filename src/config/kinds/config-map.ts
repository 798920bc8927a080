/**
 * ConfigMap (v1). Applied for what Istio reads of one of them: `istio` in `istio-system`, key `mesh`, which holds the
 * mesh's options (MeshConfig) as YAML of its own. Source: Istio 1.30, mesh.istio.io MeshConfig.
 */
import { parseText } from '../document.ts'
import type { MeshObject } from '../object.ts'
import { read } from '../read.ts'
import type { Report } from '../schema.ts'
import { anything, enumOf, ignored, map, object, string, supported } from '../schema.ts'
import { Sink } from '../sink.ts'
import type { KindDef } from './kind.ts'

const NO_EFFECT = 'this option of the mesh is not built'

const LATER = `
  accessLogEncoding accessLogFile accessLogFormat caCertificates certificates configSources connectTimeout
  defaultConfig defaultDestinationRuleExportTo defaultHttpRetryPolicy defaultProviders defaultServiceExportTo
  defaultVirtualServiceExportTo disableEnvoyListenerLog discoverySelectors dnsRefreshRate enableAutoMtls
  enableEnvoyAccessLogService enablePrometheusMerge enableTracing extensionProviders h2UpgradePolicy
  hboneIdleTimeout inboundClusterStatName inboundTrafficPolicy ingressClass ingressControllerMode
  ingressSelector ingressService localityLbSetting meshMTLS outboundClusterStatName pathNormalization
  protocolDetectionTimeout proxyHttpPort proxyInboundListenPort proxyListenPort rootNamespace serviceSettings
  tcpKeepalive tlsDefaults trustDomain trustDomainAliases verifyCertificateAtClient
`

const meshConfig = object({
  outboundTrafficPolicy: supported(
    object({
      mode: supported(
        enumOf({
          ALLOW_ANY: 'Connections go on to where their caller meant them to go.',
          REGISTRY_ONLY: 'Connections end; HTTP requests get 502.',
        }),
        'What happens to destinations that no Service is for.',
        { default: 'ALLOW_ANY' },
      ),
    }),
    'What programs may reach beyond the mesh.',
  ),
  ...Object.fromEntries(
    LATER.trim()
      .split(/\s+/)
      .map((name) => [name, ignored(anything(), 'An option of the mesh.', NO_EFFECT)]),
  ),
})

/** The options' own lines are told, counted from the first one of the text. */
function finish({ metadata, spec }: MeshObject, report: Report): void {
  if (metadata.name !== 'istio' || metadata.namespace !== 'istio-system') return
  const text = (spec as Record<string, string>)['mesh'] ?? ''
  const { documents, faults } = parseText(text)
  const at = ['data', 'mesh']
  for (const fault of faults) report(fault.code, at, `line ${fault.at.line} of it: ${fault.message}`)
  const sink = new Sink((code, place, path, message, fix) =>
    report(code, at, `line ${place.line} of it, ${path}: ${message}`, fix),
  )
  for (const node of documents) if (node.type !== 'scalar') read(meshConfig, node, '', sink)
}

export const configMap: KindDef = {
  kind: 'ConfigMap',
  plural: 'configmaps',
  short: ['cm', 'configmap'],
  doc: 'Settings as text. Of effect is one: istio in istio-system, whose key mesh holds the options of the mesh.',
  apiVersions: ['v1'],
  scope: 'namespaced',
  labelName: false,
  body: 'data',
  spec: map(string()),
  open: true,
  finish,
}

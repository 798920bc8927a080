/**
 * The mesh's own options: YAML text (MeshConfig) to a value, with every fault at its place in the text. One reader for
 * validation, `explain` and translation, so that none takes the text otherwise. Source: Istio 1.30, mesh.istio.io MeshConfig.
 */
import type { Code } from './catalogue.ts'
import { parseText, type Place } from './document.ts'
import { read } from './read.ts'
import { anything, enumOf, ignored, object, supported, type Infer } from './schema.ts'
import { Sink } from './sink.ts'

const NO_EFFECT = 'this option of the mesh has no effect yet'

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

const built = {
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
}

export const meshOptions = object({
  ...built,
  ...Object.fromEntries(
    LATER.trim()
      .split(/\s+/)
      .map((name) => [name, ignored(anything(), 'An option of the mesh.', NO_EFFECT)]),
  ),
})

const builtOptions = object(built)
export type MeshOptions = Infer<typeof builtOptions>

export type Tell = (code: Code, at: Place, path: string, message: string, fix?: string) => void

/** Never throws; what is at fault is told, and left out. */
export function readMeshOptions(text: string, tell: Tell): MeshOptions {
  const { documents, faults } = parseText(text)
  for (const { code, at, message } of faults) tell(code, at, '', message)
  const [first, second] = documents
  if (second !== undefined) tell('PM0007', second.at, '', 'the options are one document', 'join the two')
  if (first === undefined) return {}
  return read(meshOptions, first, '', new Sink(tell)) ?? {}
}

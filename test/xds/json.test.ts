import t from 'tap'
import { resourceToJson } from '../../src/xds/json.ts'
import { EXTENSION, pack, RESOURCE_CODEC, TYPE_URL } from '../../src/xds/type-urls.ts'

t.test('a cluster reads as proto3 JSON', async (t) => {
  const any = pack([TYPE_URL.CDS, RESOURCE_CODEC.CDS], {
    name: 'outbound|80||a',
    type: 3,
    lbPolicy: 0,
    connectTimeout: { seconds: 10 },
    edsClusterConfig: { edsConfig: { ads: {}, resourceApiVersion: 2 } },
    circuitBreakers: { thresholds: [{ maxConnections: { value: 7 } }] },
    metadata: {
      filterMetadata: {
        z: { fields: { n: { numberValue: 1.5 } } },
        istio: {
          fields: {
            services: { listValue: { values: [{ structValue: { fields: { host: { stringValue: 'a' } } } }] } },
          },
        },
      },
    },
    transportSocketMatches: [
      {
        name: 'tls',
        match: { fields: {} },
        transportSocket: { name: 't', typedConfig: pack(EXTENSION.upstreamTls, { sni: 's' }) },
      },
    ],
  })
  t.same(resourceToJson(any), {
    '@type': TYPE_URL.CDS,
    transportSocketMatches: [
      {
        name: 'tls',
        match: {},
        transportSocket: { name: 't', typedConfig: { '@type': EXTENSION.upstreamTls[0], sni: 's' } },
      },
    ],
    name: 'outbound|80||a',
    type: 'EDS',
    edsClusterConfig: { edsConfig: { ads: {}, resourceApiVersion: 'V3' } },
    connectTimeout: '10s',
    circuitBreakers: { thresholds: [{ maxConnections: 7 }] },
    metadata: { filterMetadata: { istio: { services: [{ host: 'a' }] }, z: { n: 1.5 } } },
  })
})

t.test('scalar forms: durations, wrappers, oneof members at their default, enums', async (t) => {
  const listener = pack([TYPE_URL.LDS, RESOURCE_CODEC.LDS], {
    name: 'l',
    bindToPort: { value: false },
    trafficDirection: 2,
    address: { socketAddress: { address: '0.0.0.0', portValue: 0 } },
    listenerFiltersTimeout: { seconds: 0, nanos: 250_000_000 },
  })
  const json = JSON.stringify(resourceToJson(listener))
  t.match(json, '"bindToPort":false')
  t.match(json, '"portValue":0', 'a member of a oneof is written even at its default')
  t.match(json, '"trafficDirection":"OUTBOUND"')
  t.match(json, '"listenerFiltersTimeout":"0.250s"')
})

t.test('an unknown or broken Any keeps its bytes', async (t) => {
  const bytes = Uint8Array.from([1, 2, 3])
  t.same(resourceToJson({ typeUrl: 'type.googleapis.com/no.Such', value: bytes }), {
    '@type': 'type.googleapis.com/no.Such',
    value: 'AQID',
  })
  t.same(resourceToJson({ typeUrl: TYPE_URL.CDS, value: Uint8Array.from([0x0a, 0x7f]) }), {
    '@type': TYPE_URL.CDS,
    value: 'Cn8=',
  })
})

/**
 * The gRPC methods of Envoy's AggregatedDiscoveryService (service/discovery/v3/ads.proto), for a server or a client of
 * grpc-js. Types and codecs only: nothing of grpc-js is loaded here.
 */
import type { MethodDefinition } from '@grpc/grpc-js'
import { envoy, type Codec } from './generated/xds.js'

const discovery = envoy.service.discovery.v3
export type DiscoveryRequest = envoy.service.discovery.v3.DiscoveryRequest
export type DiscoveryResponse = envoy.service.discovery.v3.DiscoveryResponse
export type DeltaDiscoveryRequest = envoy.service.discovery.v3.DeltaDiscoveryRequest
export type DeltaDiscoveryResponse = envoy.service.discovery.v3.DeltaDiscoveryResponse

function bidi<Req, Res>(method: string, request: Codec<Req>, response: Codec<Res>): MethodDefinition<Req, Res> {
  return {
    path: `/envoy.service.discovery.v3.AggregatedDiscoveryService/${method}`,
    requestStream: true,
    responseStream: true,
    requestSerialize: (message) => Buffer.from(request.encode(message).finish()),
    requestDeserialize: (bytes) => request.decode(bytes),
    responseSerialize: (message) => Buffer.from(response.encode(message).finish()),
    responseDeserialize: (bytes) => response.decode(bytes),
  }
}

export const ADS_SERVICE = {
  StreamAggregatedResources: bidi('StreamAggregatedResources', discovery.DiscoveryRequest, discovery.DiscoveryResponse),
  DeltaAggregatedResources: bidi(
    'DeltaAggregatedResources',
    discovery.DeltaDiscoveryRequest,
    discovery.DeltaDiscoveryResponse,
  ),
}

/** Largest xDS message either side takes. */
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024

/** Options that both ends of an xDS channel share: half-open connections die, messages are bounded. */
export const CHANNEL_OPTIONS = {
  'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
  'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
  'grpc.keepalive_time_ms': 30_000,
  'grpc.keepalive_timeout_ms': 10_000,
} as const

/**
 * Messages into resources, and the few shapes that stand in many of them. In: plain messages. Out: bytes with their
 * version. Map fields are written in the order of their keys in the message, so makers of messages keep to one order.
 */
import { createHash } from 'node:crypto'
import { envoy, google, type Codec } from '../../xds/generated/xds.js'
import { RESOURCE_CODEC, TYPE_URL, type Any, type XdsType } from '../../xds/type-urls.ts'
import type { Resource } from './snapshot.ts'

export type Listener = envoy.config.listener.v3.Listener
export type FilterChain = envoy.config.listener.v3.FilterChain
export type Filter = envoy.config.listener.v3.Filter
export type Cluster = envoy.config.cluster.v3.Cluster
export type ClusterLoadAssignment = envoy.config.endpoint.v3.ClusterLoadAssignment
export type RouteConfiguration = envoy.config.route.v3.RouteConfiguration
export type VirtualHost = envoy.config.route.v3.VirtualHost
export type Route = envoy.config.route.v3.Route
export type Address = envoy.config.core.v3.Address
export type Resources = ReadonlyMap<string, Resource>

interface Messages {
  CDS: Cluster
  EDS: ClusterLoadAssignment
  LDS: Listener
  RDS: RouteConfiguration
  NDS: Parameters<(typeof RESOURCE_CODEC)['NDS']['encode']>[0]
}

/** 64 bits of a hash: enough to tell the states of one resource apart. */
const VERSION_CHARS = 16

/** `message` as a resource named `name`; equal messages give equal versions. */
export function toResource<T extends XdsType>(type: T, name: string, message: Messages[T]): Resource {
  const codec = RESOURCE_CODEC[type] as Codec<Messages[T]>
  const value = codec.encode(message).finish()
  const version = createHash('sha1').update(value).digest('hex').slice(0, VERSION_CHARS)
  const any: Any = { typeUrl: TYPE_URL[type], value }
  return { name, version, any }
}

export const ADS_SOURCE: envoy.config.core.v3.ConfigSource = { ads: {}, resourceApiVersion: 2 }

export function socketAddress(address: string, port: number): Address {
  return { socketAddress: { address, portValue: port } }
}

/** Every address of both families. */
export function anyAddress(port: number): Address {
  return { socketAddress: { address: '::', portValue: port, ipv4Compat: true } }
}

/** A UNIX socket, for this user only. */
export function pipe(path: string): Address {
  return { pipe: { path, mode: 0o600 } }
}

export function duration(ms: number): google.protobuf.Duration {
  const seconds = Math.trunc(ms / 1000)
  return { seconds, nanos: Math.round((ms - seconds * 1000) * 1e6) }
}

/** JSON into a Struct. */
export function struct(object: Record<string, unknown>): google.protobuf.Struct {
  const fields: Record<string, google.protobuf.Value> = {}
  for (const [key, value] of Object.entries(object)) fields[key] = structValue(value)
  return { fields }
}

function structValue(value: unknown): google.protobuf.Value {
  if (typeof value === 'string') return { stringValue: value }
  if (typeof value === 'number') return { numberValue: value }
  if (typeof value === 'boolean') return { boolValue: value }
  if (Array.isArray(value)) return { listValue: { values: value.map(structValue) } }
  if (typeof value === 'object' && value !== null) return { structValue: struct(value as Record<string, unknown>) }
  return { nullValue: 0 }
}

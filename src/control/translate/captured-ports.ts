/**
 * Which outbound ports a proxy in a pod's own network listens on (mode `ns`). There every address is local, but only a
 * port with a listener is served: those of Services, and what programs usually call beyond the mesh. Connections to any
 * other port are refused; the annotation traffic.sidecar.istio.io/includeOutboundPorts adds to them.
 */
import { memo } from './memo.ts'
import type { Service } from './snapshot.ts'

/** Web, mail, names, databases, queues, caches, and what development servers like to take. */
const USUAL_PORTS = [
  21, 22, 25, 80, 110, 143, 389, 443, 465, 587, 636, 853, 993, 995, 1433, 1521, 1883, 2181, 2379, 3000, 3306, 4317,
  4318, 5000, 5432, 5671, 5672, 6379, 8000, 8080, 8081, 8443, 8883, 9000, 9042, 9090, 9092, 9200, 9411, 11211, 27017,
]

const portsOf = memo((services: readonly Service[]): readonly number[] =>
  services.flatMap((service) => service.ports.map(({ port }) => port)),
)

/** Sorted, each once. */
export function capturedPorts(services: readonly Service[], includePorts: readonly number[]): number[] {
  return [...new Set([...portsOf(services), ...USUAL_PORTS, ...includePorts])].sort((a, b) => a - b)
}

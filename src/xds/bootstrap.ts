/**
 * What a sidecar is started with: one JSON file, 0600, written by the supervisor and named by `--bootstrap`.
 * Everything else it learns from ADS and the CA.
 */
export interface SidecarBootstrap {
  node: {
    /** See names.ts `nodeId`. */
    id: string
    /** `app.namespace`, for logs. */
    cluster: string
    metadata: SidecarMetadata
  }
  trustDomain: string
  /** The identity it asks the CA for. */
  spiffeId: string
  /** Folder of its own, 0700: key, certificate, last good configuration. Outlives the process. */
  podDir: string
  /** UNIX socket paths. */
  xdsSocket: string
  caSocket: string
  adminSocket: string
  /** PEM with the roots that the CA and ADS servers are checked against, and peers until the CA says more. */
  rootCertFile: string
  /** One bootstrap token, 0600; read once, then removed. Absent: the certificate in podDir is still good. */
  tokenFile: string
  /** Where the table of names (NDS) is written for the resolver in the application's process. */
  namesFile: string
  /** Mode `ns`: address of the DNS server, UDP and TCP port 53. Absent: none. */
  dnsAddress?: string
  /** UNIX socket where names beyond the mesh are asked for (DNS messages as over TCP); absent: NXDOMAIN. */
  dnsUpstream?: string
  /** UNIX socket at which this proxy answers such questions with the resolver of this machine (the gateway). */
  dnsRelay?: string
  /** Probes of the program, asked as `GET /app-health/NAME/readyz` (`livez`, `startupz`) at the admin socket. */
  appProbes?: Record<string, AppProbe>
  /** Access lines go here; `-` is standard output, empty is off. */
  accessLogFile: string
  /** Exit when standard input closes: the supervisor is gone. */
  exitWithStdin: boolean
  /** Longest wait for requests in flight after SIGTERM. */
  drainMs: number
}

/** A probe that the proxy makes on the kubelet's behalf, from beside the program. Key: `/app-health/NAME/readyz`. */
export interface AppProbe {
  /** Where the program listens. */
  host: string
  port: number
  /** Absent: whether the port accepts a connection. */
  http?: { scheme: 'http' | 'https'; path: string; headers: { name: string; value: string }[] }
  timeoutMs: number
}

/** Node metadata, with Istio's keys. `GENERATOR: grpc` (proxyless gRPC) gets `api_listener` resources. */
export interface SidecarMetadata {
  NAMESPACE: string
  NAME: string
  WORKLOAD_NAME: string
  SERVICE_ACCOUNT: string
  LABELS: Record<string, string>
  GENERATOR?: 'grpc'
}

/** The file at `namesFile`: fully qualified and short names to virtual addresses, for the hook. */
export interface NamesFile {
  /** Lower-case name -> addresses (IPv4 and IPv6). */
  names: Record<string, string[]>
}

/**
 * Messages of the control API (control.sock) and of the supervisor's API (supervisor.sock). Both are HTTP/1.1 with
 * JSON over UNIX sockets, mode 0600. Errors are problem details (RFC 9457) with `code`, and `issues` where a
 * document is at fault. Paths stand beside each message.
 */
import type { Issue } from '../config/issue.ts'
import type { MeshObject } from '../config/object.ts'

/** A program on this machine that a Service may select. Reported by the supervisor: PUT /v1/pods/NS/NAME. */
export interface Pod {
  name: string
  namespace: string
  /** New with each start of the pod, so that a late report about the last one changes nothing. */
  uid: string
  labels: Record<string, string>
  serviceAccount: string
  /** The Deployment that made it (`istio-ingressgateway` for the sidecar that publishes Services). */
  workload: string
  sidecar: boolean
  ready: boolean
  /** Being stopped: no new requests, those in flight finish. */
  terminating: boolean
  /** Where sidecars and callers reach it: 127.0.0.1 (mode `env`), or the pod's own address (mode `ns`). */
  address: string
  /** Mode `ns`: its own IPv6 address. */
  address6?: string
  ports: PodPort[]
  /** Only with a sidecar, mode `env` (and the gateway): the loopback TCP ports of its outbound listeners. */
  outbound?: PodOutbound
  /** Mode `ns`: the pod has network namespaces of its own. A pod without a sidecar then has a plain proxy there. */
  transparent?: PodTransparent
  /** The gateway, where other pods are in mode `ns`: UNIX socket at which it takes what leaves the mesh. */
  egressPipe?: string
}

export interface PodTransparent {
  /** IPv4 address of the proxy's side of the pod's cable: gateway and DNS server. */
  gateway: string
  /** Outbound TCP ports to capture beside those of Services: `traffic.sidecar.istio.io/includeOutboundPorts`. */
  includePorts: number[]
  /** UNIX socket of the gateway that leads out of the mesh; a PROXY v2 header says where to. */
  egressPipe: string
}

export interface PodPort {
  /** '' also where no container declares it: a Service's numeric targetPort. */
  name: string
  containerPort: number
  /** TCP port at `address` where the program really listens: in mode `ns` the container port. */
  appPort: number
  /** TCP port of the sidecar's inbound listener for it; the same as appPort without a sidecar, and in mode `ns`. */
  listenPort: number
  /** UNIX socket of the sidecar's inbound listener for it: where callers on this machine connect (xDS `pipe`). */
  pipe?: string
  /** Port that endpoints carry instead of listenPort: a recording relay, in experiments. */
  advertisedPort?: number
  /** UNIX socket that endpoints carry instead of `pipe`: the same, in mode `ns`. */
  advertisedPipe?: string
}

export interface PodOutbound {
  /** Takes PROXY protocol v2 only; the header's destination is the original destination. */
  capturePort: number
  httpProxyPort: number
  /** One listener per service port, for programs that can be given an address only. */
  upstreams: PodUpstream[]
}

export interface PodUpstream {
  /** Fully qualified host of the service. */
  host: string
  port: number
  listenPort: number
}

export type Action = 'created' | 'configured' | 'unchanged' | 'deleted'

/** POST /v1/apply. All of it or nothing. */
export interface ApplyRequest {
  sources: { file: string; dir: string; text: string }[]
  /** Namespace of objects that name none. */
  namespace: string
  dryRun?: boolean
  /** Fields that the mesh ignores are errors. */
  strict?: boolean
  /** Objects that the last apply with this owner brought, and this one does not, are deleted. */
  pruneOwner?: string
}

export interface ApplyResponse {
  objects: { kind: string; apiVersion: string; namespace: string; name: string; action: Action }[]
  /** Warnings; errors come as a problem. */
  issues: Issue[]
  revision: number
  /** With dryRun: the objects as stored and as they would be. */
  changes?: { before: MeshObject | undefined; after: MeshObject | undefined }[]
}

/** GET /v1/objects/KIND[/NS/NAME]?namespace=&labels=a=b ; items of one kind. */
export interface ObjectList {
  revision: number
  items: StoredObject[]
}

export interface StoredObject extends MeshObject {
  /** Revision of the last write, and when the object was first made (ISO 8601). */
  revision: number
  createdAt: string
}

/** PUT /v1/scale/NS/NAME. */
export interface ScaleRequest {
  replicas: number
}

/** DELETE /v1/objects/KIND/NS/NAME, PUT and DELETE /v1/pods/..., PUT /v1/scale/...: the revision of the write. */
export interface WriteResponse {
  revision: number
}

/** PUT /v1/pods: replaces the whole set, when a supervisor starts. GET /v1/pods?namespace=&labels= lists them. */
export interface PodList {
  items: Pod[]
}

/** GET /v1/watch?from=REVISION : server-sent events, `data:` one of these; without `from`, from now on. */
export interface WatchEvent {
  type: 'put' | 'delete'
  /** `objects`, `pods`: what the key stands under. */
  collection: string
  key: string
  revision: number
}

/** GET /v1/delivery?revision=N&timeoutMs=M : waits until every connected proxy has acknowledged revision N. */
export interface Delivery {
  revision: number
  proxies: number
  acked: number
  /** From the commit to the ACK, ms, over proxies that had to be told something; absent where none had. */
  ms?: { p50: number; p99: number; max: number }
  pending: string[]
  nacks: { proxy: string; type: string; detail: string }[]
}

export type SyncState = 'SYNCED' | 'STALE' | 'NOT SENT' | 'IGNORED'

/** GET /v1/proxies */
export interface ProxyList {
  revision: number
  items: ProxyStatus[]
}

export interface ProxyStatus {
  /** `pod.namespace`. */
  name: string
  connectedAt: string
  /** CDS, EDS, LDS, RDS, NDS. */
  types: Record<string, { state: SyncState; resources: number; version: string }>
  /** Revision that the proxy has acknowledged. */
  ackedRevision: number
  lastAckAt?: string
  /** Of its last push: from the commit to its last ACK. */
  convergedMs?: number
  nack?: { type: string; detail: string; at: string }
}

/** GET /v1/certificates : what the CA has issued, newest per pod. */
export interface CertificateList {
  items: CertificateStatus[]
  root: { serial: string; notAfter: string; fingerprint256: string }
}

export interface CertificateStatus {
  spiffeId: string
  pod: string
  namespace: string
  serial: string
  notBefore: string
  notAfter: string
  /** How many certificates this pod has been issued, the first one included. */
  issued: number
}

/** POST /v1/tokens : a bootstrap token for one start of a sidecar. */
export interface TokenRequest {
  pod: string
  namespace: string
  serviceAccount: string
}

export interface TokenResponse {
  token: string
}

/** GET /v1/services : what the registry makes of Services and pods. */
export interface ServiceList {
  revision: number
  items: ServiceView[]
}

export interface ServiceView {
  host: string
  name: string
  namespace: string
  /** Virtual addresses, IPv4 and IPv6. */
  addresses: string[]
  /** Labels of the pods behind it; empty: none. */
  selector: Record<string, string>
  ports: { name: string; port: number; targetPort: number | string; protocol: Protocol }[]
  /** Ready endpoints by service port. */
  endpoints: { pod: string; namespace: string; servicePort: number; address: string; port: number; sidecar: boolean }[]
  publish?: number
}

export type Protocol = 'http' | 'http2' | 'grpc' | 'tcp' | 'tls' | 'auto'

/** GET /v1/info */
export interface ControlInfo {
  version: string
  pid: number
  startedAt: string
  revision: number
  trustDomain: string
}

/**
 * GET /v1/authz/check?from=&to=&namespace=&method=&path=&host=&port= : what the policies say of a request, one answer
 * per workload behind `to`. `from` and `to` name a pod, a workload or a Service; `port` is the workload's own.
 */
export interface AuthzCheck {
  revision: number
  items: AuthzAnswer[]
}

export interface AuthzAnswer {
  /** `principal` is '' where the caller has none to show. */
  from: { pod: string; namespace: string; principal: string }
  to: { pod: string; namespace: string; workload: string; port: number; protocol: 'http' | 'tcp' }
  allowed: boolean
  decision: AuthzDecision
  /** Rules that would have allowed it, those that lack the least first. */
  nearMisses: { rule: AuthzRule; unmet: { wants: string; is: string }[] }[]
  /** Rules that the port does without, and why. */
  leftOut: { rule: AuthzRule; reason: string }[]
}

export type AuthzDecision =
  | { by: 'allow_rule' | 'deny_rule'; rule: AuthzRule }
  /** ALLOW policies select the workload, and none of their rules takes the request. */
  | { by: 'implicit_deny'; policies: Omit<AuthzRule, 'index'>[] }
  | { by: 'no_policy' | 'no_sidecar' | 'strict_mutual_tls' }

export interface AuthzRule {
  namespace: string
  policy: string
  index: number
  /** `FILE:LINE` of the policy. */
  source?: string
}

/** application/problem+json */
export interface Problem {
  type: string
  title: string
  status: number
  /** Stable, for programs: `invalid_document`, `not_found`, `conflict`, `bad_request`, `unavailable`. */
  code: string
  detail: string
  issues?: Issue[]
}

// ---- the supervisor's API -------------------------------------------------------------------------------------

export type PodState = 'starting' | 'running' | 'backoff' | 'stopping' | 'stopped' | 'failed'

/** How traffic comes to the sidecars: by environment and hook, or by network namespaces. */
export type InterceptMode = 'env' | 'ns'

/** GET /v1/ps */
export interface PsResponse {
  mesh: {
    home: string
    intercept: InterceptMode
    supervisorPid: number
    startedAt: string
    control: { pid: number | null; state: PodState; restarts: number }
  }
  /** `http://127.0.0.1:8080` by published Service. */
  published: { service: string; namespace: string; url: string }[]
  pods: PodStatus[]
}

export interface PodStatus {
  name: string
  namespace: string
  workload: string
  version: string
  state: PodState
  ready: boolean
  pid: number | null
  sidecar: { pid: number | null; state: PodState; restarts: number; adminSocket: string } | null
  /** Where its programs listen. */
  address: string
  /** In network namespaces of its own (mode `ns`). */
  transparent: boolean
  ports: PodPort[]
  restarts: number
  /** Last exit of the program: `code 1`, `signal SIGKILL`. */
  exit: string | null
  startedAt: string
  logFile: string
  proxyLogFile: string
  /** Why it is not ready, or what failed, in one sentence. */
  reason: string | null
}

/** GET /v1/env/WORKLOAD-OR-POD?namespace=[&container=istio-proxy] : for `exec`. */
export interface EnvResponse {
  pod: string
  cwd: string
  env: Record<string, string>
  /** Mode `ns`: the command and arguments before the command to run, which take it into the pod's namespaces. */
  enter: string[]
}

/** POST /v1/restart, /v1/kill ; POST /v1/refresh reads the store and the `images:` tables ; POST /v1/down ends the mesh. */
export interface RestartRequest {
  target: string
  namespace: string
}

/** `target`: a pod, a pod's `NAME/istio-proxy`, or `control`. It is started again after `forMs` (absent: as after a crash). */
export interface KillRequest {
  target: string
  namespace: string
  forMs?: number
}

export interface SupervisorAnswer {
  message: string
}

/**
 * What the attacker is told before it begins: everything. A program that was broken into may have had weeks to find out,
 * and nothing that is refused may depend on a name or a number being secret.
 */
import type { InterceptMode } from '../client/contract.ts'
import type { Home } from '../lib/home.ts'

export interface Facts {
  mode: InterceptMode
  /** What user-db gives to those who may ask. */
  secret: string
  userDb: Target
  payment: Target
  /** A service that the attacker may call. */
  allowed: { name: string; virtual: string[]; port: number }
  own: {
    pod: string
    trustDomain: string
    /** Mode `env`: loopback ports of its own sidecar. */
    capturePort?: number
    httpProxyPort?: number
    adminSocket?: string
  }
  mesh: Home
  host: Host
  /** Files of the mesh's programs, of Node, and of the shop, that the attacker would have do its work. */
  programFiles: string[]
}

export interface Target {
  workload: string
  pod: string
  service: string
  /** Virtual addresses, IPv4 and IPv6, and the service's port. */
  virtual: string[]
  port: number
  /** Where its program listens. */
  address: string
  address6?: string
  appPort: number
  /** Its sidecar's inbound listener. */
  listenPort: number
  pipe?: string
  adminSocket?: string
  principal: string
  /** As the host counts. */
  pids: number[]
}

/** What the runner puts on this machine for the attacker to find; whoever gets there is given the secret. */
export interface Host {
  secret: string
  loopbackPort: number
  /** An address of this machine in its own network, where it has one, and ports of it. */
  address?: string
  ports: number[]
  /** UNIX sockets: there when the pods began, opened later where such sockets are, opened later in a user's folder. */
  sockets: { early: string[]; late: string[]; lateAtHome: string[] }
  abstractSocket: string
  files: string[]
  hostName: string
  /** In the folder of the user that runs the mesh, and beside the mesh's own. */
  userFolders: string[]
}

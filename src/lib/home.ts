/**
 * Where a mesh keeps things. In: the home folder. Out: absolute paths; `makeHome` makes the folders.
 * Sockets lie in the home while their names fit: Node 20 cuts a UNIX socket path at 107 bytes without a word,
 * so a deep home has them in $XDG_RUNTIME_DIR or in a 0700 folder under the temporary one.
 */
import { createHash } from 'node:crypto'
import { chmodSync, lstatSync, mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

/** sockaddr_un.sun_path is 108 bytes on Linux and 104 on macOS, the closing NUL included. */
const MAX_SOCKET_PATH_BYTES = 103
const LONGEST_SOCKET_NAME = 'pod-0123456789abcdef-65535.sock'

export interface Home {
  dir: string
  storeDir: string
  caDir: string
  /** 0600, readable by whoever may start sidecars. */
  rootCertFile: string
  podsDir: string
  logsDir: string
  /** 0700; holds the sockets. */
  socketDir: string
  controlSocket: string
  xdsSocket: string
  caSocket: string
  supervisorSocket: string
  /** Of the gateway, mode `ns`: what leaves the mesh, and names beyond it. */
  egressSocket: string
  dnsSocket: string
  /** PID, start time and sockets of the running supervisor, and of all that it started: for the next `up`. */
  stateFile: string
}

export function homeLayout(home: string): Home {
  const dir = resolve(home)
  const inHome = join(dir, 'run')
  const fits = Buffer.byteLength(join(inHome, LONGEST_SOCKET_NAME)) <= MAX_SOCKET_PATH_BYTES
  const socketDir = fits ? inHome : outsideSocketDir(dir)
  return {
    dir,
    storeDir: join(dir, 'store'),
    caDir: join(dir, 'ca'),
    rootCertFile: join(dir, 'ca', 'root-cert.pem'),
    podsDir: join(dir, 'pods'),
    logsDir: join(dir, 'logs'),
    socketDir,
    controlSocket: join(socketDir, 'control.sock'),
    xdsSocket: join(socketDir, 'xds.sock'),
    caSocket: join(socketDir, 'ca.sock'),
    supervisorSocket: join(socketDir, 'supervisor.sock'),
    egressSocket: join(socketDir, 'egress.sock'),
    dnsSocket: join(socketDir, 'dns.sock'),
    stateFile: join(dir, 'supervisor.json'),
  }
}

function outsideSocketDir(dir: string): string {
  const hash = createHash('sha256').update(dir).digest('hex').slice(0, 12)
  const runtime = process.env['XDG_RUNTIME_DIR']
  const short = runtime !== undefined && runtime !== '' && Buffer.byteLength(runtime) < 40
  return short ? join(runtime, `pocketmesh-${hash}`) : join(tmpdir(), `pocketmesh-${ownUid()}-${hash}`)
}

/** A container's user may have no name. -1: a system without user numbers. */
function ownUid(): number {
  return process.getuid?.() ?? -1
}

/** Admin socket of a pod's sidecar. */
export function podAdminSocket(home: Home, namespace: string, pod: string): string {
  return join(home.socketDir, `pod-${hashOf(namespace, pod)}.sock`)
}

/** Socket of a sidecar's inbound listener for one container port. */
export function podPortSocket(home: Home, namespace: string, pod: string, containerPort: number): string {
  return join(home.socketDir, `pod-${hashOf(namespace, pod)}-${containerPort}.sock`)
}

/** Socket names are bounded, names of pods are not. */
function hashOf(namespace: string, pod: string): string {
  return createHash('sha256').update(`${namespace}/${pod}`).digest('hex').slice(0, 16)
}

/** Folder of a pod's sidecar: key, certificate, last good configuration, names. */
export function podDir(home: Home, namespace: string, pod: string): string {
  return join(home.podsDir, namespace, pod)
}

/**
 * Makes the folders of a home, for this user only. Throws where the folder of the sockets is somebody else's: in the
 * temporary folder another user could have made it first, and would then own the sockets.
 */
export function makeHome(home: Home): void {
  for (const dir of [home.dir, home.storeDir, home.caDir, home.podsDir, home.logsDir, home.socketDir])
    mkdirSync(dir, { recursive: true, mode: 0o700 })
  const stats = lstatSync(home.socketDir)
  const uid = ownUid()
  if (!stats.isDirectory() || (uid >= 0 && stats.uid !== uid))
    throw new Error(`${home.socketDir} is not a folder of this user: remove it, or use a shorter --home`)
  chmodSync(home.socketDir, 0o700)
}

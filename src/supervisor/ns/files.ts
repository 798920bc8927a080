/**
 * What a pod's programs see of this machine's files, in mode `ns`. They run as the same user as the mesh, so what that
 * user could read, rewrite or connect to and must not is covered: homes of meshes (keys, tokens, sockets), sockets of
 * other programs, private folders of a container (/tmp and its like), and read-only what Pocketmesh itself runs from.
 * In: the mesh's home, the folders that the programs need. Out: lists for the setup script. Reads /proc.
 */
import { readFileSync, realpathSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, isAbsolute, join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Home } from '../../lib/home.ts'
import type { SetupVariables } from './setup.ts'

type FileLists = Pick<SetupVariables, 'COVERED' | 'KEPT' | 'HIDDEN' | 'READ_ONLY' | 'MASKED'>

/** As a container's image: not for its programs to rewrite. Where the user is root, nothing else would hold them back. */
const SYSTEM_FOLDERS = ['/usr', '/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32', '/etc', '/boot', '/opt', '/sys']

/**
 * `needed`: folders and files of the programs; what lies below a private folder stays visible, and a private folder
 * that is itself needed is not covered.
 */
export function fileLists(home: Home, needed: readonly string[]): FileLists {
  const own = [packageRoot(), nodePrefix()]
  const wanted = existing([...needed, ...own])
  const covered = existing([tmpdir(), '/tmp', '/var/tmp', process.env['XDG_RUNTIME_DIR'] ?? '']).filter(
    (folder) => !wanted.includes(folder),
  )
  const kept = wanted.filter((path) => covered.some((folder) => isBelow(path, folder)))
  const sockets = hostSockets()
  const hidden = [home.dir, home.socketDir, ...sockets.map(meshHomeOf).filter((dir) => dir !== undefined)]
  const unseen = [...covered.filter((folder) => !kept.some((path) => isBelow(path, folder))), ...hidden]
  const masked = sockets.filter((socket) => !unseen.some((folder) => isBelow(socket, folder)))
  return {
    COVERED: outermost(covered).join('\n'),
    KEPT: outermost(kept).join('\n'),
    HIDDEN: [...new Set(hidden)].join('\n'),
    READ_ONLY: readOnly(existing([...SYSTEM_FOLDERS, ...own])),
    MASKED: masked.join('\n'),
  }
}

/** Folders that a command line names: its own, those of its absolute paths. */
export function foldersOf(cwd: string, line: string): string[] {
  const paths = line.split(/[\s'"=]+/).filter((word) => isAbsolute(word))
  return [cwd, ...paths.map(folderOf)]
}

/** The folder itself, or the one that a file lies in. */
function folderOf(path: string): string {
  return (statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false) ? path : dirname(path)
}

function packageRoot(): string {
  let dir = dirname(fileURLToPath(import.meta.url))
  while (dirname(dir) !== dir && statSync(join(dir, 'package.json'), { throwIfNoEntry: false }) === undefined)
    dir = dirname(dir)
  return dir
}

/** `/usr/local` of `/usr/local/bin/node`. */
function nodePrefix(): string {
  const bin = dirname(realpathSync(process.execPath))
  return bin.endsWith(`${sep}bin`) ? dirname(bin) : bin
}

/** Real paths of those that are there; a list's lines cannot carry a line break. */
function existing(paths: readonly string[]): string[] {
  const real = paths.flatMap((path) => {
    try {
      return path === '' || path.includes('\n') ? [] : [realpathSync(path)]
    } catch {
      return []
    }
  })
  return [...new Set(real)].filter((path) => path !== '/')
}

function isBelow(path: string, folder: string): boolean {
  return path.startsWith(`${folder}/`)
}

function outermost(paths: readonly string[]): string[] {
  return paths.filter((path) => !paths.some((other) => isBelow(path, other)))
}

/** UNIX sockets with a path on which a process of this network namespace listens. */
function hostSockets(): string[] {
  const lines = readFileSync('/proc/net/unix', 'utf8').split('\n').slice(1)
  return existing(lines.map((line) => line.split(/\s+/).slice(7).join(' ')).filter((path) => isAbsolute(path)))
}

/** A mesh that runs is known by its supervisor's socket. */
function meshHomeOf(socket: string): string | undefined {
  return socket.endsWith('/run/supervisor.sock') ? dirname(dirname(socket)) : undefined
}

/**
 * Each path with the flags of its mount, which a user namespace may not take away; and the mounts below it, for a
 * read-only mount does not reach into them. A folder that is no mount yet is to become one.
 */
function readOnly(paths: readonly string[]): string {
  const mounts = mountTable()
  const folders = outermost(paths)
  const all = folders.flatMap((path) => [path, ...[...mounts.keys()].filter((mount) => isBelow(mount, path))])
  const line = (path: string): string => `${mounts.has(path) ? 'mount' : 'folder'} ${flagsAt(path, mounts)} ${path}`
  return [...new Set(all)].map(line).join('\n')
}

const FLAGS = /^(nosuid|nodev|noexec|noatime|nodiratime|relatime)$/

/** Mount point -> flags, from the table of this process's mounts (octal escapes: proc(5)). */
function mountTable(): Map<string, string> {
  const table = new Map<string, string>()
  for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    const [, , , , point = '', flags = ''] = line.split(' ')
    const path = point.replaceAll(/\\([0-7]{3})/g, (_all, octal: string) => String.fromCharCode(parseInt(octal, 8)))
    table.set(
      path,
      flags
        .split(',')
        .filter((flag) => FLAGS.test(flag))
        .join(','),
    )
  }
  return table
}

function flagsAt(path: string, mounts: ReadonlyMap<string, string>): string {
  let at = path
  while (!mounts.has(at) && at !== '/') at = dirname(at)
  const flags = mounts.get(at) ?? ''
  return flags === '' ? 'relatime' : flags
}

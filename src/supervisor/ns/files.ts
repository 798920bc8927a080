/**
 * What a pod's programs see of this machine's files, in mode `ns`. They run as the same user as the mesh, so what that
 * user could read, rewrite or connect to and must not is covered: homes of meshes (keys, tokens, sockets), sockets of
 * other programs, the user's home and other folders that a container has for itself. All else is read-only, but for the
 * folders that the programs work in. In: the mesh's home, those folders. Out: lists for the setup script. Reads /proc.
 */
import { readFileSync, realpathSync, statSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { basename, dirname, isAbsolute, join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Home } from '../../lib/home.ts'
import type { SetupVariables } from './setup.ts'

type FileLists = Pick<SetupVariables, 'COVERED' | 'KEPT' | 'HIDDEN' | 'READ_ONLY' | 'MASKED'>

/** As a container's image: never for its programs to rewrite, though a command line names something there. */
const SYSTEM_FOLDERS = ['/usr', '/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32', '/etc', '/boot', '/opt', '/sys']

/** Folders of a pod's programs. */
export interface ProgramFolders {
  /** Where they run, and folders that their command lines name. */
  working: string[]
  /** Folders of files that their command lines name. */
  reading: string[]
}

/** What of `folders` lies below a private folder stays visible; a private folder that is itself named is not covered. */
export function fileLists(home: Home, folders: ProgramFolders): FileLists {
  const own = existing([packageRoot(), nodePrefix()])
  const system = existing(SYSTEM_FOLDERS)
  const working = existing(folders.working).filter((path) => !system.some((folder) => isInside(path, folder)))
  const bins = (process.env['PATH'] ?? '').split(':').filter((dir) => isAbsolute(dir))
  const wanted = existing([...folders.working, ...folders.reading, ...own, ...bins.map(toolFolder)])
  const privates = [tmpdir(), '/tmp', '/var/tmp', '/run', process.env['XDG_RUNTIME_DIR'] ?? '', homedir()]
  const covered = existing(privates).filter(
    (folder) => !wanted.includes(folder) && !(folder === '/run' && bins.some((dir) => isBelow(dir, folder))),
  )
  const kept = wanted.filter((path) => covered.some((folder) => isBelow(path, folder)))
  const sockets = hostSockets()
  // meshes that come later have their homes beside this one, as a rule
  const homes = [dirname(home.dir), ...[...working, packageRoot()].map((folder) => join(folder, '.pocketmesh'))]
  const beside = existing(homes).filter((dir) => basename(dir) === '.pocketmesh')
  const running = sockets.map(meshHomeOf).filter((dir) => dir !== undefined)
  const hidden = [home.dir, home.socketDir, ...beside, ...running]
  const unseen = [...covered.filter((folder) => !kept.some((path) => isBelow(path, folder))), ...hidden]
  const masked = sockets.filter((socket) => !unseen.some((folder) => isBelow(socket, folder)))
  return {
    COVERED: outermost(covered).join('\n'),
    KEPT: outermost(kept).join('\n'),
    HIDDEN: [...new Set(hidden)].join('\n'),
    READ_ONLY: readOnly({ covered, kept: outermost(kept), own, working }),
    MASKED: masked.join('\n'),
  }
}

/** Folders of a program: its own, and those that the absolute paths of its command line are, or lie in. */
export function foldersOf(cwd: string, line: string): ProgramFolders {
  const paths = line.split(/[\s'"=]+/).filter((word) => isAbsolute(word))
  return { working: [cwd, ...paths.filter(isFolder)], reading: paths.filter((path) => !isFolder(path)).map(dirname) }
}

/** Whether a path is a folder, or below it. */
export function isInside(path: string, folder: string): boolean {
  return path === folder || isBelow(path, folder)
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
}

/** `~/.local` of `~/.local/bin` on the PATH, `~/bin` itself: what a shell line may call. */
function toolFolder(bin: string): string {
  const parent = dirname(bin)
  return isBelow(parent, homedir()) ? parent : bin
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
 * Every mount that is seen in the pod, and what Pocketmesh runs from, each with the flags of its mount, which a user
 * namespace may not take away. A folder that is no mount becomes one: read-only, or first of all to stay writable.
 */
function readOnly({ covered, kept, own, working }: Record<'covered' | 'kept' | 'own' | 'working', string[]>): string {
  const mounts = mountTable()
  const isIn = (path: string, folders: readonly string[]): boolean => folders.some((folder) => isInside(path, folder))
  const writable = working.filter((path) => !isIn(path, own))
  const folders = own.filter((path) => !mounts.has(path))
  const seen = [...mounts.keys()].filter((path) => !isIn(path, [...covered, '/proc', '/dev']) || isIn(path, own))
  // below a private folder each is a mount by then
  const sealed = [...seen, ...kept.filter((path) => !isIn(path, own))].filter((path) => !writable.includes(path))
  const lines = (kind: string, paths: readonly string[]): string[] =>
    paths.map((path) => `${kind} ${flagsAt(path, mounts)} ${path}`)
  return [...lines('writable', writable), ...lines('folder', folders), ...lines('mount', sealed)].join('\n')
}

const FLAGS = /^(nosuid|nodev|noexec|noatime|nodiratime|relatime)$/

/** Mount point -> flags, from the table of this process's mounts (octal escapes: proc(5)). */
function mountTable(): Map<string, string> {
  const table = new Map<string, string>()
  for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    const [, , , , point = '', flags = ''] = line.split(' ')
    const path = point.replaceAll(/\\([0-7]{3})/g, (_all, octal: string) => String.fromCharCode(parseInt(octal, 8)))
    if (path === '') continue // the end of the list
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

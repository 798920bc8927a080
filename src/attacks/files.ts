/** Attacks on files: keys, tokens and the store to read, programs and settings to rewrite. Nothing is really written. */
import { closeSync, openSync, readFileSync, readSync, readdirSync, readlinkSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { anyOf, refused, succeeded, type Attack, type Outcome } from './attack.ts'
import type { Facts } from './facts.ts'
import { byCommand } from './tools.ts'

const HEAD_BYTES = 4096

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error)
}

/** Files below a folder whose names match, as far as one can look. */
function filesBelow(dir: string, name: RegExp): string[] {
  return readdirSync(dir, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && name.test(entry.name))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
}

function reads(file: string, wanted: RegExp): Outcome {
  try {
    const text = readFileSync(file, 'latin1').slice(0, HEAD_BYTES)
    return wanted.test(text) ? succeeded(`${file} was read`) : refused('nothing of the kind in it')
  } catch (error) {
    return refused(codeOf(error))
  }
}

function findAndRead(dir: string, name: RegExp, wanted: RegExp): Promise<Outcome> {
  return anyOf([
    () => {
      let files: string[]
      try {
        files = filesBelow(dir, name)
      } catch (error) {
        return refused(codeOf(error))
      }
      const hit = files.map((file) => reads(file, wanted)).find((outcome) => outcome.result === 'succeeded')
      return hit ?? refused(files.length === 0 ? 'no such file is seen' : 'not readable')
    },
  ])
}

function keys({ mesh }: Facts): Promise<Outcome> {
  return anyOf([mesh.podsDir, mesh.caDir].map((dir) => () => findAndRead(dir, /./, /PRIVATE KEY/)))
}

function tokens({ mesh }: Facts): Promise<Outcome> {
  return findAndRead(mesh.podsDir, /token|bootstrap/, /./)
}

function store({ mesh }: Facts): Promise<Outcome> {
  return findAndRead(mesh.storeDir, /./, /[^]/)
}

/** Opened as if to be written; what it holds stays. */
function opensForWriting(file: string): Outcome {
  try {
    closeSync(openSync(file, 'r+'))
    return succeeded(`${file} is open for writing`)
  } catch (error) {
    return refused(codeOf(error))
  }
}

function programFiles({ programFiles: files }: Facts): Promise<Outcome> {
  return anyOf(files.map((file) => () => opensForWriting(file)))
}

function systemFiles(): Promise<Outcome> {
  return anyOf(['/etc/passwd', '/etc/profile', '/bin/sh', '/usr/bin/env'].map((file) => () => opensForWriting(file)))
}

function meshFiles({ mesh }: Facts): Promise<Outcome> {
  return anyOf([mesh.dir, mesh.podsDir, mesh.socketDir].map((dir) => () => plants(dir)))
}

/** What the user's next shell, or this machine's next hour, would run. */
function plantedFiles({ host }: Facts): Promise<Outcome> {
  const folders = [...host.userFolders, '/var/spool/cron', '/var/lib', '/srv']
  return anyOf(folders.map((dir) => () => plants(dir)))
}

/** A file of its own, which is taken away again. */
function plants(dir: string): Outcome {
  const file = join(dir, `.attack-${process.pid}`)
  try {
    closeSync(openSync(file, 'wx'))
    rmSync(file)
    return succeeded(`${file} was made`)
  } catch (error) {
    return refused(codeOf(error))
  }
}

function kernelSettings(): Promise<Outcome> {
  const files = [
    '/proc/sys/kernel/core_pattern',
    '/proc/sys/net/ipv4/ip_forward',
    '/proc/sysrq-trigger',
    '/proc/sys/user/max_user_namespaces',
    '/sys/kernel/uevent_helper',
  ]
  return anyOf(files.map((file) => () => opensForWriting(file)))
}

function devices(): Promise<Outcome> {
  const disks = [
    '/dev/mem',
    '/dev/kmem',
    '/dev/kmsg',
    '/dev/sda',
    '/dev/vda',
    '/dev/nvme0n1',
    '/dev/fuse',
    '/dev/kvm',
    '/dev/net/tun',
  ]
  return anyOf(disks.map((file) => () => opensForWriting(file)))
}

/** What was covered or made read-only, uncovered: only mounts that the mesh made are touched. */
function remount({ mesh, programFiles: files }: Facts): Promise<Outcome> {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
  const covers = mounts.filter((words) => words.includes('pocketmesh')).map((words) => words[4] ?? '')
  const sealed = mounts
    .filter(
      ([, , , , point = '', flags = '']) => /^ro\b/.test(flags) && files.some((file) => file.startsWith(`${point}/`)),
    )
    .map((words) => words[4] ?? '')
  if (covers.length === 0) return Promise.resolve(succeeded('nothing is covered'))
  const home = covers.filter((point) => mesh.dir.startsWith(point) || mesh.socketDir.startsWith(point))
  return anyOf([
    ...home.map((point) => () => byCommand('umount', [point])),
    ...home.map((point) => () => byCommand('umount', ['--lazy', point])),
    ...sealed.map((point) => () => byCommand('mount', ['-o', 'remount,bind,rw', point])),
    () => byCommand('mount', ['-t', 'tmpfs', 'attack', '/mnt']),
  ])
}

function hostFiles({ host }: Facts): Promise<Outcome> {
  return anyOf(host.files.map((file) => () => reads(file, new RegExp(host.secret))))
}

/** A descriptor that was left open is a way past every mount. */
function descriptors({ mesh }: Facts): Outcome {
  const foreign: string[] = []
  for (const fd of readdirSync('/proc/self/fd')) {
    try {
      const link = readlinkSync(`/proc/self/fd/${fd}`)
      const isFolder = link.startsWith('/') && statSync(`/proc/self/fd/${fd}`).isDirectory()
      const isOwnList = link === `/proc/${process.pid}/fd`
      if (/^(net|mnt|pid|user):\[/.test(link) || link.startsWith(mesh.dir) || (isFolder && !isOwnList))
        foreign.push(link)
    } catch {
      // closed meanwhile
    }
  }
  return foreign.length > 0 ? succeeded(`open: ${foreign.join(', ')}`) : refused('none leads anywhere')
}

/** The disk below all mounts, by a handle that needs no path. */
function rawDisk(): Promise<Outcome> {
  return anyOf(
    ['/dev/vda', '/dev/sda', '/dev/nvme0n1'].map((file) => () => {
      try {
        const fd = openSync(file, 'r')
        readSync(fd, Buffer.alloc(16), 0, 16, 0)
        closeSync(fd)
        return succeeded(`${file} was read`)
      } catch (error) {
        return refused(codeOf(error))
      }
    }),
  )
}

export const FILES: readonly Attack[] = [
  { name: 'read-keys', tries: 'private keys of pods and of the CA', env: false, run: keys },
  { name: 'read-tokens', tries: 'bootstrap tokens and files of sidecars', env: false, run: tokens },
  { name: 'read-store', tries: "the control plane's store", env: false, run: store },
  { name: 'write-mesh-home', tries: "a file in the mesh's home", env: false, run: meshFiles },
  { name: 'overwrite-programs', tries: 'dist, packages, node, the shop', env: false, run: programFiles },
  { name: 'plant-files', tries: "the user's folder, cron, /var", env: false, run: plantedFiles },
  { name: 'overwrite-system', tries: '/etc, /bin, /usr', env: false, run: systemFiles },
  { name: 'remount', tries: 'covers taken off, read-only made writable', env: false, run: remount },
  { name: 'read-host-tmp', tries: "a file in this machine's /tmp", env: false, run: hostFiles },
  { name: 'inherited-descriptors', tries: 'folders and namespaces left open', env: true, run: descriptors },
  { name: 'kernel-settings', tries: '/proc/sys, sysrq, uevent helper', env: false, run: kernelSettings },
  { name: 'devices', tries: 'memory, disks, tun to write', env: false, run: devices },
  { name: 'raw-disk', tries: 'the disk below all mounts', env: false, run: rawDisk },
]

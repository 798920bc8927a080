/**
 * One writer per store. lmdb lets a second process open a store for writing; this lock file does not.
 *
 * In: a path. Out: the lock, held until `release`, or StoreLockedError with the holder's PID and start time.
 * Owns the file: JSON, made under another name and linked into place, so that it is never seen half written and
 * of two processes one wins (what O_EXCL does for an empty file). A holder that is gone (PID and start time do not
 * match a live process) is replaced.
 */
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { randomBytes } from 'node:crypto'
import { processStartTime } from '../../lib/process-start.ts'

interface Holder {
  pid: number
  /** Of the process, as process-start.ts tells it. */
  startTime: string
  /** For people: when the lock was taken, ISO 8601. */
  since: string
}

export class StoreLockedError extends Error {
  readonly code = 'STORE_LOCKED'
  readonly pid: number
  readonly since: string
  constructor(file: string, holder: Holder) {
    super(
      `another control plane holds ${file}: PID ${holder.pid}, started ${holder.since}; stop it first, or choose another --home`,
    )
    this.pid = holder.pid
    this.since = holder.since
  }
}

export interface StoreLock {
  /** Gives it up; only the holder's own file is removed. */
  release(): void
}

/** Attempts while others take or leave the lock at the same moment. */
const MAX_ATTEMPTS = 20

/** Takes the lock or throws StoreLockedError. */
export function acquireLock(file: string): StoreLock {
  const aside = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`
  const since = new Date(Date.now() - process.uptime() * 1000).toISOString()
  const own = JSON.stringify({
    pid: process.pid,
    startTime: processStartTime(process.pid) ?? '',
    since,
  } satisfies Holder)
  writeFileSync(aside, own, { mode: 0o600, flag: 'wx' })
  try {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      if (tryLink(aside, file)) return { release: () => removeIf(file, own) }
      const text = readText(file)
      if (text === undefined) continue
      const holder = parseHolder(text)
      if (holder !== undefined && processStartTime(holder.pid) === holder.startTime)
        throw new StoreLockedError(file, holder)
      removeIf(file, text)
    }
    throw new Error(`cannot take the lock ${file}: it changes hands too often`)
  } finally {
    rmSync(aside, { force: true })
  }
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to)
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  }
}

/**
 * Removes `file` if it still holds `text`. Moved aside first: between a look and a removal another process may have
 * put its own lock there, and that one must come back.
 */
function removeIf(file: string, text: string): void {
  const aside = `${file}.${process.pid}.${randomBytes(4).toString('hex')}.old`
  try {
    renameSync(file, aside)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return
    throw error
  }
  if (readText(aside) !== text) tryLink(aside, file)
  rmSync(aside, { force: true })
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

function parseHolder(text: string): Holder | undefined {
  try {
    const holder = JSON.parse(text) as Partial<Holder> | null
    if (typeof holder?.pid !== 'number' || typeof holder.startTime !== 'string') return undefined
    return { pid: holder.pid, startTime: holder.startTime, since: String(holder.since) }
  } catch {
    return undefined
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
}

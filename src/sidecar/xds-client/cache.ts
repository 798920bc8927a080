/**
 * The last good configuration on disk, so that a sidecar serves while the control plane is away.
 * One file, 0600, replaced as a whole:
 *
 *   magic | { length u32, DeltaDiscoveryResponse } for each type | length of all that u32 | SHA-256 of all that
 *
 * A file that is cut, flipped or of another node is as good as none: the reason is returned, nothing is applied.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import { envoy } from '../../xds/generated/xds.js'
import { TYPE_URL, XDS_TYPES, xdsTypeOf, type XdsType } from '../../xds/type-urls.ts'
import { replaceFile } from './replace-file.ts'
import type { Held } from './snapshot.ts'

const MAGIC = Buffer.from('pocketmesh-xds-1\n')
const TRAILER_BYTES = 4 + 32
/** Writes are held back this long, so that a burst of pushes is one write; */
const WRITE_DELAY_MS = 300
/** and are this far apart at least, while the mesh comes up with its many pods. */
const WRITE_EVERY_MS = 3000

const codec = envoy.service.discovery.v3.DeltaDiscoveryResponse

export type Saved = ReadonlyMap<XdsType, readonly Held[]>

/** The file's bytes. `nodeId` is whose configuration it is. */
export function encodeCache(nodeId: string, held: (type: XdsType) => Iterable<Held>): Buffer {
  const parts: Uint8Array[] = [MAGIC]
  for (const type of XDS_TYPES) {
    const resources = [...held(type)].map((h) => ({ name: h.name, version: h.version, resource: h.any }))
    const bytes = codec.encode({ typeUrl: TYPE_URL[type], systemVersionInfo: nodeId, resources }).finish()
    parts.push(u32(bytes.length), bytes)
  }
  const body = Buffer.concat(parts)
  return Buffer.concat([body, u32(body.length), createHash('sha256').update(body).digest()])
}

/** The configuration in `file`, or why there is none. */
export function decodeCache(file: Buffer, nodeId: string): Saved | { reason: string } {
  const bodyBytes = file.length - TRAILER_BYTES
  if (bodyBytes < MAGIC.length || !file.subarray(0, MAGIC.length).equals(MAGIC)) return { reason: 'not a cache file' }
  if (file.readUInt32BE(bodyBytes) !== bodyBytes) return { reason: 'length does not match' }
  const body = file.subarray(0, bodyBytes)
  if (
    !createHash('sha256')
      .update(body)
      .digest()
      .equals(file.subarray(bodyBytes + 4))
  ) {
    return { reason: 'checksum does not match' }
  }
  const saved = new Map<XdsType, Held[]>()
  for (let at = MAGIC.length; at < bodyBytes;) {
    const length = body.readUInt32BE(at)
    const one = codec.decode(body.subarray(at + 4, at + 4 + length))
    at += 4 + length
    if (one.systemVersionInfo !== nodeId) return { reason: `it is of node ${one.systemVersionInfo ?? ''}` }
    const type = xdsTypeOf(one.typeUrl ?? '')
    if (type === undefined) continue
    const list = (one.resources ?? []).map((r) => ({
      name: r.name ?? '',
      version: r.version ?? '',
      any: r.resource ?? {},
    }))
    saved.set(type, list)
  }
  return saved
}

function u32(n: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(n)
  return bytes
}

export interface CacheOptions {
  file: string
  nodeId: string
  clock: Clock
  log: Log
  held: (type: XdsType) => Iterable<Held>
  /** Part of a first configuration is not kept: nothing could be served from it, and it would stay for seconds. */
  isWhole: () => boolean
}

export class ConfigCache {
  readonly #options: CacheOptions
  #cancel: (() => void) | undefined
  #writing: Promise<void> | undefined
  #dirty = false
  #lastWriteMs = Number.NEGATIVE_INFINITY

  constructor(options: CacheOptions) {
    this.#options = options
  }

  /** What the last run left; `undefined` where there is nothing usable. */
  read(): Saved | undefined {
    const { file, nodeId, log } = this.#options
    let bytes: Buffer
    try {
      bytes = readFileSync(file)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
        log.warn({ err: error, file }, 'cached configuration unreadable')
      return undefined
    }
    const result = decodeCache(bytes, nodeId)
    if (!('reason' in result)) return result
    log.warn({ file, reason: result.reason }, 'cached configuration is not used')
    return undefined
  }

  /** The configuration has changed: it is written soon. */
  changed(): void {
    if (!this.#options.isWhole()) return
    this.#dirty = true
    if (this.#cancel !== undefined || this.#writing !== undefined) return
    const { clock } = this.#options
    const waitMs = Math.max(WRITE_DELAY_MS, this.#lastWriteMs + WRITE_EVERY_MS - clock.nowMs())
    this.#cancel = clock.after(waitMs, () => {
      this.#cancel = undefined
      void this.flush()
    })
  }

  /** Resolves when what has changed so far is on disk, or could not be written (logged). */
  async flush(): Promise<void> {
    this.#cancel?.()
    this.#cancel = undefined
    await this.#writing
    if (!this.#dirty) return
    this.#dirty = false
    const { file, nodeId, held, log, clock } = this.#options
    this.#lastWriteMs = clock.nowMs()
    this.#writing = replaceFile(file, encodeCache(nodeId, held)).catch((error: unknown) => {
      log.warn({ err: error, file }, 'last good configuration could not be written')
    })
    await this.#writing
    this.#writing = undefined
    if (this.#dirty) this.changed()
  }
}

/**
 * What the demo shows, gathered once a second. In: the mesh's APIs and its sidecars' counters. Out: plain data for
 * view.ts. While the control plane is away, the last answers stay, and the picture says so.
 */
import type { CertificateStatus, PsResponse } from '../client/contract.ts'
import type { Edge, Reading } from './edges.ts'
import { edgesBetween } from './edges.ts'
import type { DemoMesh } from './mesh.ts'
import { lastLine } from './last-line.ts'
import { CANARY_HOST } from './shop.ts'
import type { SplitRow } from './split.ts'
import { askedSplit, countByVersion, splitRows } from './split.ts'

/** Rates and times are those of this many seconds. */
const WINDOW_READINGS = 6

export interface Picture {
  ps: PsResponse
  /** Undefined where no VirtualService splits the service. */
  split: SplitRow[] | undefined
  edges: Edge[]
  certificates: (CertificateStatus & { rotations: number })[]
  /** Of the last change, a sentence; undefined before the first. */
  lastChange: string | undefined
  /** What legacy-cron said last. */
  outsider: string
  upMs: number
}

export class Photographer {
  readonly #mesh: DemoMesh
  readonly #readings: Reading[] = []
  #asked: Map<string, number> | undefined
  #askedText = ''
  /** Counters when the split asked for last changed. */
  #baseline: Reading | undefined
  #certificates: Picture['certificates'] = []
  /** By pod, when first seen: earlier runs of this home were issued some too. */
  readonly #issuedBefore = new Map<string, number>()
  #lastChange: string | undefined

  constructor(mesh: DemoMesh) {
    this.#mesh = mesh
  }

  async take(): Promise<Picture> {
    const ps = await this.#mesh.supervisor.ps()
    await this.#askControl()
    const reading = await this.#mesh.scraper.read(ps.pods)
    this.#readings.push(reading)
    if (this.#readings.length > WINDOW_READINGS) this.#readings.shift()
    this.#baseline ??= reading
    const counts = countByVersion(this.#baseline, reading, CANARY_HOST)
    return {
      ps,
      split: this.#asked === undefined ? undefined : splitRows(this.#asked, counts),
      edges: edgesBetween(this.#readings[0] ?? reading, reading),
      certificates: this.#certificates,
      lastChange: this.#lastChange,
      outsider: lastLine(ps.pods.find((pod) => pod.workload === 'legacy-cron')?.logFile),
      upMs: performance.now() - this.#mesh.startedMs,
    }
  }

  /** Keeps `lastChange` up to date until `signal` aborts. */
  async followChanges(signal: AbortSignal): Promise<void> {
    for await (const event of this.#mesh.control.watch({ signal })) {
      if (event.collection !== 'objects') continue
      // `VirtualService/default/checkout-route`; cluster-scoped kinds have no namespace
      const key = event.key.replace(/\/(default)?\//, '/')
      try {
        const { acked, proxies, ms } = await this.#mesh.control.delivery(event.revision, 10_000)
        const time = ms === undefined ? 'none had to be told' : `in ${ms.max.toFixed(1)} ms`
        this.#lastChange = `${key}: acked by ${acked}/${proxies} proxies ${time}`
      } catch (error) {
        this.#lastChange = `${key}: ${String(error)}`
      }
    }
  }

  async #askControl(): Promise<void> {
    try {
      const [routes, certificates] = await Promise.all([
        this.#mesh.control.objects('VirtualService'),
        this.#mesh.control.certificates(),
      ])
      this.#certificates = certificates.items.map((item) => ({ ...item, rotations: this.#rotations(item) }))
      this.#setAsked(askedSplit(routes.items, CANARY_HOST))
    } catch {
      // away: the picture's control state tells
    }
  }

  #rotations({ pod, issued }: CertificateStatus): number {
    const before = this.#issuedBefore.get(pod) ?? issued
    this.#issuedBefore.set(pod, before)
    return issued - before
  }

  #setAsked(asked: Map<string, number> | undefined): void {
    const text = JSON.stringify([...(asked ?? [])])
    if (text === this.#askedText) return
    this.#askedText = text
    this.#asked = asked
    this.#baseline = undefined
  }
}

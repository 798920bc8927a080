/**
 * All clusters by name. Routes hold cells and not names, so that a request finds its cluster without a lookup and a
 * pushed cluster is seen by routes that were there before it.
 */
import type { Cluster } from './cluster.ts'

export interface ClusterCell {
  readonly name: string
  /** `null`: no such cluster (now). */
  cluster: Cluster | null
}

export class Clusters {
  readonly #cells = new Map<string, ClusterCell>()

  cell(name: string): ClusterCell {
    let cell = this.#cells.get(name)
    if (cell === undefined) {
      cell = { name, cluster: null }
      this.#cells.set(name, cell)
    }
    return cell
  }

  /** Clusters that are there. */
  *all(): Iterable<Cluster> {
    for (const { cluster } of this.#cells.values()) if (cluster !== null) yield cluster
  }
}

/** Where a route or a TCP proxy leads. */
export interface WeightedClusters {
  /** One, or several with weights. */
  clusters: readonly ClusterCell[]
  /** Running sums of the weights; the last is the total. */
  upTo: readonly number[]
}

/**
 * Of `several` those that have a weight; where `several` is empty, `only`. One that gets nothing now may get some with the
 * next version: its cell is asked for too. Throws an Error where one has no name.
 */
export function weightClusters<T extends { name?: string | undefined }>(
  all: Clusters,
  several: readonly T[],
  weightOf: (one: T) => number,
  only: string,
): WeightedClusters {
  // the name is read last: what is wrong with the cluster is its name's fault
  const cells = several.map((one) => ({ weight: weightOf(one), cell: namedCell(all, one.name ?? '') }))
  const chosen =
    several.length > 0 ? cells.filter(({ weight }) => weight > 0) : [{ weight: 1, cell: namedCell(all, only) }]
  if (chosen.length === 0) throw new Error('the weights of these clusters add up to 0')
  let sum = 0
  return { clusters: chosen.map(({ cell }) => cell), upTo: chosen.map(({ weight }) => (sum += weight)) }
}

function namedCell(all: Clusters, name: string): ClusterCell {
  if (name === '') throw new Error('a route or a TCP proxy names no cluster')
  return all.cell(name)
}

/** One of several, by weight: an independent draw each time. */
export function drawCluster(
  clusters: readonly ClusterCell[],
  upTo: readonly number[],
  random: () => number,
): ClusterCell {
  if (clusters.length === 1) return clusters[0]!
  const drawn = random() * upTo[upTo.length - 1]!
  let i = 0
  while (i < upTo.length - 1 && drawn >= upTo[i]!) i++
  return clusters[i]!
}

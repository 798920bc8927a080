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

/** One of several, by weight: an independent draw each time. `upTo`: running sums of the weights. */
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

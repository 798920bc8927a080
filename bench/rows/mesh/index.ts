/** The rows of a whole mesh (control plane, ten sidecars, mode `env`), which is started when the first of them begins. */
import type { BenchMesh } from '../../mesh/fixture.ts'
import type { Mode } from '../../options.ts'
import type { RowReport } from '../../stats/table.ts'
import type { Row } from '../row.ts'
import { changes } from './changes.ts'
import { convergence } from './convergence.ts'
import { idle } from './idle.ts'
import { link } from './link.ts'
import { pods } from './pods.ts'

type MeshRow = (mesh: BenchMesh, options: { mode: Mode }) => Promise<RowReport>

const ofMesh =
  (row: MeshRow): Row =>
  async ({ mesh, plan }) =>
    row(await mesh.open(), { mode: plan.mode })

/** In the order in which they run: idle before anything has warmed the processes; pods has meshes of its own. */
export const MESH_ROWS: Readonly<Record<string, Row>> = {
  idle: ofMesh(idle),
  convergence: ofMesh(convergence),
  changes: ofMesh(changes),
  link: ofMesh(link),
  pods: async ({ mesh, plan }) => {
    await mesh.close()
    return pods({ mode: plan.mode })
  },
}

/** The one mesh that rows share: started when first asked for. */
import { BenchMesh } from './fixture.ts'

export class SharedMesh {
  #mesh: BenchMesh | undefined

  async open(): Promise<BenchMesh> {
    this.#mesh ??= await BenchMesh.start()
    return this.#mesh
  }

  async close(): Promise<void> {
    const mesh = this.#mesh
    this.#mesh = undefined
    await mesh?.stop()
  }
}

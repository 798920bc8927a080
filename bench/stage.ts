/**
 * What a run has standing: certificates, the application, the helpers, and the subjects, which are started once and
 * serve all rows. In: which Node the sidecars run with. Owns a temporary folder and every process in it.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { App } from './app/app.ts'
import { LoadProcess } from './load/client.ts'
import { emptyLogs } from './sidecar/sidecars.ts'
import type { Setting, Subject } from './subject.ts'
import { isMissing } from './subject.ts'
import type { SubjectName } from './subjects.ts'
import { startSubject } from './subjects.ts'
import { makeBundles } from './system/bundles.ts'
import { makeCertificates } from './system/certificates.ts'
import { which } from './system/which.ts'

export class Stage {
  readonly setting: Setting
  readonly load: LoadProcess
  readonly #subjects = new Map<SubjectName, Subject | string>()

  private constructor(setting: Setting, load: LoadProcess) {
    this.setting = setting
    this.load = load
  }

  static async open(node: string): Promise<Stage> {
    const folder = mkdtempSync(join(tmpdir(), 'pm-bench-'))
    process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
    const bundles = await makeBundles(folder)
    const openssl = which('openssl')
    if (openssl !== undefined) makeCertificates(openssl, folder)
    const certificates = openssl === undefined ? undefined : folder
    const app = await App.start(folder, bundles)
    return new Stage({ folder, certificates, app, bundles, node }, new LoadProcess(bundles.load))
  }

  /** Those of the names that could be started, in that order. Why others could not, goes to `notes`. */
  async subjects(names: readonly SubjectName[], notes: string[]): Promise<Subject[]> {
    const found: Subject[] = []
    for (const name of names) {
      const subject = this.#subjects.get(name) ?? (await this.#start(name))
      if (typeof subject === 'string') notes.push(`${name} was not measured: ${subject}`)
      else found.push(subject)
    }
    return found
  }

  /** Between runs: what the subjects have written must not fill the disk. */
  tidy(subject: Subject): void {
    emptyLogs(this.setting, subject)
  }

  /** Ends subjects that no later row needs: idle processes still take some time. */
  async release(names: readonly SubjectName[]): Promise<void> {
    for (const name of names) {
      const subject = this.#subjects.get(name)
      if (subject === undefined || typeof subject === 'string') continue
      this.#subjects.delete(name)
      await subject.stop()
    }
  }

  async close(): Promise<void> {
    await this.release([...this.#subjects.keys()])
    await this.load.stop()
    await this.setting.app.stop()
    rmSync(this.setting.folder, { recursive: true, force: true })
  }

  async #start(name: SubjectName): Promise<Subject | string> {
    const subject = await startSubject(name, this.setting).catch((error: unknown) => ({
      missing: error instanceof Error ? error.message : String(error),
    }))
    const kept = isMissing(subject) ? reason(subject.missing) : subject
    this.#subjects.set(name, kept)
    return kept
  }
}

function reason(missing: string): string {
  const [first = ''] = missing.split('\n')
  return first.includes(' ') ? first : `${first} is not installed`
}

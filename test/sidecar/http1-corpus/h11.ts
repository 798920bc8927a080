/**
 * A second opinion on what reached the upstream: python3-h11, where it is installed. In: the bytes of each case and what
 * llhttp saw in them. Out: the cases in which the two do not agree. One process for all cases.
 */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { SeenRequest, Segment } from './upstream.ts'

export type Reading = Pick<SeenRequest, 'method' | 'url' | 'body' | 'complete'>

interface Opinion {
  id: string
  requests: [method: string, target: string, body: string, whole: boolean][]
  errors: string[]
}

const PROGRAM = fileURLToPath(new URL('h11-read.py', import.meta.url))

export class SecondOpinion {
  readonly #interpreter: string
  readonly #input: string[] = []
  readonly #first = new Map<string, string[]>()

  /** `null` where no Python has h11. */
  static find(): SecondOpinion | null {
    const has = (python: string): boolean => spawnSync(python, ['-c', 'import h11']).status === 0
    const found = ['python3', '/usr/bin/python3'].find(has)
    return found === undefined ? null : new SecondOpinion(found)
  }

  private constructor(interpreter: string) {
    this.#interpreter = interpreter
  }

  /** `seen` is null where the first parser had nothing to say. */
  add(id: string, split: string | number, segments: Segment[], seen: readonly Reading[] | null): void {
    const key = `${id} ${split} ${this.#input.length}`
    this.#input.push(JSON.stringify({ id: key, segments: segments.map(({ bytes }) => bytes.toString('base64')) }))
    if (seen === null) return
    this.#first.set(
      key,
      seen.map((r) => `${r.method} ${r.url} ${r.complete ? Buffer.from(r.body, 'latin1').toString('base64') : 'cut'}`),
    )
  }

  /** One line for each case that h11 refuses or reads in another way. */
  disagreements(): string[] {
    const { stdout, stderr } = spawnSync(this.#interpreter, [PROGRAM], {
      input: `${this.#input.join('\n')}\n`,
      encoding: 'utf8',
      maxBuffer: 1 << 30,
    })
    const lines = stdout.split('\n').filter((line) => line !== '')
    if (lines.length !== this.#input.length)
      return [`${lines.length} of ${this.#input.length} cases were read: ${stderr}`]
    return lines.flatMap((line) => {
      const { id, requests, errors } = JSON.parse(line) as Opinion
      const theirs = requests.map(([method, target, body, whole]) => `${method} ${target} ${whole ? body : 'cut'}`)
      const first = this.#first.get(id) ?? theirs
      // connections are read one after the other, so the order between them is lost
      const same = theirs.sort().join('\n') === first.sort().join('\n')
      if (errors.length === 0 && same) return []
      return [`${id}: h11 ${errors.join()} saw ${JSON.stringify(theirs)}, llhttp ${JSON.stringify(first)}`]
    })
  }
}

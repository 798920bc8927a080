/** Logs of several pods as one stream, each line behind its pod's name in a colour of its own. */
import type { PodStatus } from '../client/contract.ts'
import type { Paint, Tint } from './style.ts'
import { FileTail } from './tail.ts'

export interface LogSource {
  name: string
  file: string
}

const NAME_TINTS: readonly Tint[] = ['cyan', 'yellow', 'green', 'magenta', 'blue']

/** The log files of the pods that `name` means: a pod, a workload, or all where it is absent. */
export function logSources(
  pods: readonly PodStatus[],
  name: string | undefined,
  namespace: string,
  proxy: boolean,
): LogSource[] {
  const meant = (pod: PodStatus): boolean =>
    name === undefined || (pod.namespace === namespace && (pod.name === name || pod.workload === name))
  return pods
    .filter(meant)
    .filter((pod) => !proxy || pod.sidecar !== null)
    .map((pod) => ({
      name: proxy ? `${pod.name}/istio-proxy` : pod.name,
      file: proxy ? pod.proxyLogFile : pod.logFile,
    }))
}

/** Prints lines of any number of files, as they come. */
export class LogView {
  readonly #paint: Paint
  readonly #write: (text: string) => void
  readonly #tails = new Map<string, { source: LogSource; tail: FileTail; tint: Tint }>()
  #width = 0

  constructor(options: { paint: Paint; write: (text: string) => void }) {
    this.#paint = options.paint
    this.#write = options.write
  }

  /** Adds files not yet followed; with `tail`, only so many of the lines that are there already. */
  add(sources: readonly LogSource[], tail?: number): void {
    this.#width = Math.max(this.#width, ...sources.map((source) => source.name.length))
    for (const source of sources) {
      if (this.#tails.has(source.file)) continue
      const tint = NAME_TINTS[this.#tails.size % NAME_TINTS.length] ?? 'cyan'
      const entry = { source, tail: new FileTail(source.file), tint }
      this.#tails.set(source.file, entry)
      const lines = entry.tail.read()
      this.#print(source, tint, tail === undefined ? lines : lines.slice(lines.length - Math.min(tail, lines.length)))
    }
  }

  /** Prints what came since the last look. */
  poll(): void {
    for (const { source, tail, tint } of this.#tails.values()) this.#print(source, tint, tail.read())
  }

  /** Prints last lines that have no end. */
  finish(): void {
    for (const { source, tail, tint } of this.#tails.values()) {
      const rest = tail.rest()
      if (rest !== '') this.#print(source, tint, [rest])
    }
  }

  #print(source: LogSource, tint: Tint, lines: readonly string[]): void {
    if (lines.length === 0) return
    const head = this.#paint(tint, `${source.name.padEnd(this.#width)} |`)
    this.#write(lines.map((line) => `${head} ${line}\n`).join(''))
  }
}

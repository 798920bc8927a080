/** What a file of micro-benchmarks exports as `cases`: something small that the path does once or a few times a request. */
export interface Case {
  name: string
  run: () => void
}

/** What closed-loop.ts asks of a program that makes load, and what it says of a run. */
export interface LoadSpec {
  port: number
  path: string
  connections: number
  seconds: number
  /** Bytes of a request's body; 0: GET. */
  uploadBytes?: number
  /** HTTP/2: requests at once on each connection. */
  streams?: number
}

export interface LoadResult {
  tool: string
  requests: number
  /** Answers other than 2xx and 3xx, and socket errors. */
  errors: number
  requestsPerSecond: number
  p50Ms: number
  p99Ms: number
  /** CPU time of the tool itself. */
  loadCpuMs: number
}

/** A program: its command line for a load, and the reading of what it printed. */
export interface LoadTool {
  name: string
  commandOf(spec: LoadSpec): { command: string; args: string[]; clean?: () => void }
  read(stdout: string, spec: LoadSpec): Omit<LoadResult, 'tool' | 'loadCpuMs'>
}

/**
 * Worker threads that would start without the hook: those with an `env` of their own, which has no NODE_OPTIONS, and
 * those made of a text (`eval: true`), for which Node loads no --import at all.
 * In: how the hook is named to Node. Out: worker_threads.Worker replaced by a class that extends it.
 */
import { fileURLToPath } from 'node:url'
import workerThreads from 'node:worker_threads'

const KEPT = ['POCKETMESH_CAPTURE', 'POCKETMESH_NAMES', 'POCKETMESH_LISTEN']

export function installWorker(hookUrl: string): void {
  const kept: Record<string, string> = {}
  for (const name of KEPT) {
    const value = process.env[name]
    if (value !== undefined) kept[name] = value
  }

  class Worker extends workerThreads.Worker {
    constructor(filename: string | URL, options?: workerThreads.WorkerOptions) {
      const isText = options?.eval === true && typeof filename === 'string'
      super(isText ? loadFirst(filename, hookUrl) : filename, withHook(options, kept, `--import=${hookUrl}`))
    }
  }
  Reflect.set(workerThreads, 'Worker', Worker)
}

function withHook(
  options: workerThreads.WorkerOptions | undefined,
  kept: Record<string, string>,
  hookOption: string,
): workerThreads.WorkerOptions | undefined {
  const env: unknown = options?.env
  if (typeof env !== 'object' || env === null) return options
  const own = env as Record<string, string | undefined>
  const nodeOptions = own['NODE_OPTIONS'] ?? ''
  if (nodeOptions.includes(hookOption)) return options
  return { ...options, env: { ...kept, ...own, NODE_OPTIONS: `${nodeOptions} ${hookOption}`.trim() } }
}

/**
 * The text with the hook loaded before it, on its first line so that line numbers stay. Loading an ES module by
 * require warns on Node 20, of which the application knows nothing: the warning is held back.
 */
function loadFirst(code: string, hookUrl: string): string {
  const file = JSON.stringify(fileURLToPath(hookUrl))
  const strict = /^\s*(['"])use strict\1/.test(code) ? '"use strict";' : ''
  const load = `process.getBuiltinModule("module").createRequire(${file})(${file})`
  return `${strict}{const warn=process.emitWarning;process.emitWarning=()=>{};try{${load}}catch{}finally{process.emitWarning=warn}};${code}`
}

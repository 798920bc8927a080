/**
 * Worker threads that would start without the hook: those with an `env` of their own, which has no NODE_OPTIONS, and
 * those made of a text (`eval: true`), for which Node loads no --import at all.
 * In: where the hook is, and what it must know. Out: worker_threads.Worker replaced by a class that extends it.
 */
import { fileURLToPath } from 'node:url'
import workerThreads from 'node:worker_threads'
import { inherited, type HookEnvironment } from './inherit.ts'

export function installWorker(hookUrl: string, hook: HookEnvironment): void {
  class Worker extends workerThreads.Worker {
    constructor(filename: string | URL, options?: workerThreads.WorkerOptions) {
      const isText = options?.eval === true && typeof filename === 'string'
      super(isText ? loadFirst(filename, hookUrl) : filename, withHook(options, hook))
    }
  }
  Reflect.set(workerThreads, 'Worker', Worker)
}

function withHook(
  options: workerThreads.WorkerOptions | undefined,
  hook: HookEnvironment,
): workerThreads.WorkerOptions | undefined {
  const env: unknown = options?.env
  if (typeof env !== 'object' || env === null) return options
  const added = inherited(env as Record<string, string | undefined>, hook)
  return added === undefined ? options : { ...options, env: { ...env, ...added } }
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

/**
 * Child processes that would start without the hook: those with an `env` of their own, which has no NODE_OPTIONS.
 * In: what a child must know. Out: ChildProcess.prototype.spawn, in which spawn, fork, exec, execFile and cluster.fork
 * end, and the three synchronous functions replaced. A child that is not Node's ignores what it is given.
 */
import childProcess from 'node:child_process'
import { inherited, type HookEnvironment } from './inherit.ts'
import { attempt, replace } from './replace.ts'

type Env = Record<string, string | undefined>

export function installChild(hook: HookEnvironment): void {
  replace(childProcess.ChildProcess.prototype, 'spawn', (original) => {
    return function spawn(this: unknown, ...args: unknown[]): unknown {
      const pairs = attempt(() => withHook(args[0], hook))
      return pairs === undefined
        ? original.apply(this, args)
        : original.call(this, { ...(args[0] as object), envPairs: pairs })
    }
  })
  for (const name of ['spawnSync', 'execFileSync', 'execSync'])
    replace(childProcess, name, (original) => {
      return function run(this: unknown, ...args: unknown[]): unknown {
        return original.apply(this, attempt(() => args.map((arg) => withOwnEnv(arg, hook))) ?? args)
      }
    })
}

/** Node has made `NAME=value` of the environment by then. */
function withHook(options: unknown, hook: HookEnvironment): string[] | undefined {
  const { envPairs } = options as { envPairs?: unknown }
  if (!Array.isArray(envPairs)) return undefined
  const pairs = (envPairs as string[]).map((pair): [string, string] => {
    const at = pair.indexOf('=', 1)
    return [pair.slice(0, at), pair.slice(at + 1)]
  })
  const added = inherited(Object.fromEntries(pairs), hook)
  if (added === undefined) return undefined
  const kept = (envPairs as string[]).filter((pair) => !pair.startsWith('NODE_OPTIONS='))
  return [...kept, ...Object.entries(added).map(([name, value]) => `${name}=${value}`)]
}

/** The one argument that is an object and no list. */
function withOwnEnv(arg: unknown, hook: HookEnvironment): unknown {
  if (typeof arg !== 'object' || arg === null || Array.isArray(arg)) return arg
  const env: unknown = Reflect.get(arg, 'env')
  if (typeof env !== 'object' || env === null) return arg
  const added = inherited(env as Env, hook)
  return added === undefined ? arg : { ...arg, env: { ...env, ...added } }
}

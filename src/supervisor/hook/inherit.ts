/** What a thread or process must know to load the hook and to work by it, where its environment is one of its own. */

const KEPT = ['POCKETMESH_CAPTURE', 'POCKETMESH_NAMES', 'POCKETMESH_LISTEN']

export interface HookEnvironment {
  /** `--import=file:...` */
  option: string
  variables: Readonly<Record<string, string>>
}

export function hookEnvironment(hookUrl: string): HookEnvironment {
  const variables: Record<string, string> = {}
  for (const name of KEPT) {
    const value = process.env[name]
    if (value !== undefined) variables[name] = value
  }
  return { option: `--import=${hookUrl}`, variables }
}

/** What is to be added to this environment; `undefined`: it has the hook. */
export function inherited(
  env: Readonly<Record<string, string | undefined>>,
  { option, variables }: HookEnvironment,
): Record<string, string> | undefined {
  const nodeOptions = env['NODE_OPTIONS'] ?? ''
  if (nodeOptions.includes(option)) return undefined
  const missing = Object.entries(variables).filter(([name]) => env[name] === undefined)
  return { ...Object.fromEntries(missing), NODE_OPTIONS: `${nodeOptions} ${option}`.trim() }
}

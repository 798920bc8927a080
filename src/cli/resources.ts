/** The words by which a user names kinds and objects: `vs`, `virtualservices`, `vs/checkout-route`. Pure. */
import { KINDS } from '../config/kinds/index.ts'
import { nearest } from '../lib/nearest.ts'
import { CliError } from './errors.ts'
import { EXIT } from './exit-code.ts'

export interface Resource {
  kind: string
  plural: string
  short: readonly string[]
  /** Objects of the configuration; pods and proxies are what runs. */
  stored: boolean
  clusterScoped: boolean
}

export interface Target {
  kind: string
  /** Empty for cluster-scoped kinds. */
  namespace: string
  /** Absent: all of the kind. */
  name?: string
}

const LIVE: readonly Resource[] = [
  { kind: 'Pod', plural: 'pods', short: ['po'], stored: false, clusterScoped: false },
  { kind: 'Proxy', plural: 'proxies', short: ['px'], stored: false, clusterScoped: false },
]

/** All kinds that `get` knows. */
export function allResources(): Resource[] {
  const stored = KINDS.map((def) => ({
    kind: def.kind,
    plural: def.plural,
    short: def.short,
    stored: true,
    clusterScoped: def.scope === 'cluster',
  }))
  return [...stored, ...LIVE]
}

/** The kind meant by `word`: singular, plural or short, in any case. Throws CliError (64) with the nearest word. */
export function resourceOf(word: string): Resource {
  const wanted = word.toLowerCase()
  const names = new Map<string, Resource>()
  for (const resource of allResources())
    for (const name of [resource.kind.toLowerCase(), resource.plural.toLowerCase(), ...resource.short])
      names.set(name, resource)
  // `virtualservices.networking.istio.io` names the same
  const found = names.get(wanted) ?? names.get(wanted.split('.', 1)[0] ?? '')
  if (found !== undefined) return found
  const guess = nearest(wanted, names.keys())
  const hint =
    guess === undefined
      ? `known: ${allResources()
          .map((r) => r.plural)
          .join(', ')}`
      : `did you mean "${guess}"?`
  throw new CliError(`there is no kind "${word}"; ${hint}`, EXIT.usage)
}

/** `vs checkout-route`, `vs/checkout-route svc/user-service`, `vs`. */
export function parseTargets(words: readonly string[], namespace: string): Target[] {
  const targetOf = (word: string, name?: string): Target => {
    const { kind, clusterScoped } = resourceOf(word)
    return { kind, namespace: clusterScoped ? '' : namespace, ...(name === undefined ? {} : { name }) }
  }
  const [first = '', ...names] = words
  if (!first.includes('/')) return names.length === 0 ? [targetOf(first)] : names.map((name) => targetOf(first, name))
  return words.map((word) => {
    const slash = word.indexOf('/')
    if (slash === -1)
      throw new CliError(`"${word}" names no kind: write KIND/NAME for each, or KIND NAME...`, EXIT.usage)
    return targetOf(word.slice(0, slash), word.slice(slash + 1))
  })
}

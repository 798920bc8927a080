/** `get`: objects of the configuration, and pods and proxies beside them. */
import type { Command } from 'commander'
import type { StoredObject } from '../../client/contract.ts'
import type { ObjectFilter } from '../../client/control.ts'
import { headsOf, podHeads, podRow, rowOf, type ColumnOptions, type Live } from '../columns.ts'
import { withContext, type Context } from '../context.ts'
import { CliError } from '../errors.ts'
import { EXIT } from '../exit-code.ts'
import { examples } from '../help.ts'
import { toManifest } from '../manifest.ts'
import { renderData, withOutput, type Format } from '../output.ts'
import { allResources, parseTargets, resourceOf, type Target } from '../resources.ts'
import { proxyStatus } from './proxy-status.ts'

interface GetFlags {
  output: Format
  allNamespaces?: boolean
  selector?: string
  watch?: boolean
}

export function registerGet(program: Command): void {
  const command = withOutput(
    program
      .command('get')
      .description('list objects of a kind, or show some')
      .argument('<kind>', 'kind (vs, dr, svc, deploy, pods ...), several with commas, KIND/NAME, or "all"')
      .argument('[names...]')
      .option('-A, --all-namespaces', 'of all namespaces')
      .option('-l, --selector <labels>', 'with these labels: app=shop,version!=v1')
      .option('-w, --watch', 'then go on with each change'),
    ['table', 'wide', 'json', 'yaml', 'name'],
  )
  examples(command, [
    ['VirtualServices', 'get vs'],
    ['One object as YAML that can be applied again', 'get dr/checkout -o yaml'],
    ['Services of all namespaces with a label', 'get svc -A -l app=checkout'],
  ])
  command.action((kind: string, names: string[], flags: GetFlags) =>
    withContext(command, (context) => get(context, kind, names, flags)),
  )
}

async function get(context: Context, kind: string, names: string[], flags: GetFlags): Promise<void> {
  const words = kind === 'all' ? allKinds() : kind.split(',')
  if (words.length > 1 && names.length > 0) throw new CliError('names go with one kind only', EXIT.usage)
  const targets = words.flatMap((word) => parseTargets([word, ...names], context.namespace))
  const groups = groupByKind(targets)
  if (flags.watch === true && groups.length > 1) throw new CliError('--watch takes one kind', EXIT.usage)
  let shown = 0
  const manifests: object[] = []
  for (const [groupKind, group] of groups) {
    if (groupKind === 'Proxy') await proxyStatus(context, group[0]?.name, flags.output)
    else if (groupKind === 'Pod') await getPods(context, group, flags)
    else {
      const objects = await fetchObjects(context, groupKind, group, flags)
      shown += objects.length
      if (flags.output === 'json' || flags.output === 'yaml') manifests.push(...objects.map(toManifest))
      else await printObjects(context, groupKind, objects, flags, groups.length > 1)
      if (flags.watch === true) await watchKind(context, groupKind, group, flags)
      continue
    }
    shown++
  }
  if (flags.output === 'json' || flags.output === 'yaml')
    await printManifests(context, manifests, targets, flags.output)
  else if (shown === 0) context.note(nothingFound(context, flags))
}

/** Kinds of the configuration, without those that `all` would repeat. */
function allKinds(): string[] {
  return allResources()
    .filter((resource) => resource.stored)
    .map((resource) => resource.kind)
}

function groupByKind(targets: readonly Target[]): [string, Target[]][] {
  const groups = new Map<string, Target[]>()
  for (const target of targets) groups.set(target.kind, [...(groups.get(target.kind) ?? []), target])
  return [...groups]
}

async function fetchObjects(
  { control }: Context,
  kind: string,
  targets: readonly Target[],
  flags: GetFlags,
): Promise<StoredObject[]> {
  const [first] = targets
  if (first?.name === undefined) {
    const namespace = flags.allNamespaces === true || first?.namespace === '' ? undefined : first?.namespace
    return (await control.objects(kind, filterOf(namespace, flags.selector))).items
  }
  const lists = await Promise.all(targets.map((target) => control.object(kind, target.namespace, target.name ?? '')))
  return lists.flatMap((list) => list.items)
}

function filterOf(namespace: string | undefined, labels: string | undefined): ObjectFilter {
  return { ...(namespace === undefined ? {} : { namespace }), ...(labels === undefined ? {} : { labels }) }
}

async function printObjects(
  context: Context,
  kind: string,
  objects: readonly StoredObject[],
  flags: GetFlags,
  several: boolean,
): Promise<void> {
  if (flags.output === 'name') {
    for (const object of objects) context.print(`${kind.toLowerCase()}/${object.metadata.name}`)
    return
  }
  if (objects.length === 0) return
  const options = columnOptions(kind, flags)
  const live = await fetchLive(context, kind)
  if (several) context.print(context.paint('dim', `# ${resourceOf(kind).plural}`))
  context.table(
    headsOf(kind, options),
    objects.map((object) => rowOf(object, live, options)),
  )
}

function columnOptions(kind: string, flags: GetFlags): ColumnOptions {
  const withNamespace = flags.allNamespaces === true && !resourceOf(kind).clusterScoped
  return { withNamespace, wide: flags.output === 'wide', nowEpochMs: Date.now() }
}

async function fetchLive({ control }: Context, kind: string): Promise<Live> {
  const needed = kind === 'Service' || kind === 'Deployment'
  if (!needed) return { pods: [], services: [] }
  const [pods, services] = await Promise.all([control.pods(), control.services()])
  return { pods: pods.items, services: services.items }
}

async function getPods(context: Context, targets: readonly Target[], flags: GetFlags): Promise<void> {
  const names = targets.flatMap((target) => target.name ?? [])
  const all = flags.allNamespaces === true
  const { items } = await context.control.pods(filterOf(all ? undefined : context.namespace, flags.selector))
  const pods = items.filter((pod) => names.length === 0 || names.includes(pod.name))
  const missing = names.find((name) => !pods.some((pod) => pod.name === name))
  if (missing !== undefined) throw new CliError(`there is no pod "${missing}" in namespace "${context.namespace}"`)
  if (flags.output === 'json' || flags.output === 'yaml')
    return context.print(await renderData(flags.output, { schema: 'pocketmesh.dev/pods/v1', items: pods }))
  if (flags.output === 'name') return pods.forEach((pod) => context.print(`pod/${pod.name}`))
  if (pods.length === 0) return context.note(nothingFound(context, flags))
  const columns = { withNamespace: all, wide: flags.output === 'wide' }
  context.table(
    podHeads(columns),
    pods.map((pod) => podRow(pod, columns)),
  )
}

async function printManifests(
  context: Context,
  manifests: object[],
  targets: readonly Target[],
  format: 'json' | 'yaml',
): Promise<void> {
  const live = targets.every((target) => target.kind === 'Pod' || target.kind === 'Proxy')
  if (live) return
  const single = targets.length === 1 && targets[0]?.name !== undefined ? manifests[0] : undefined
  context.print(await renderData(format, single ?? { apiVersion: 'v1', kind: 'List', items: manifests }))
}

/** A row for each change of the kind, until Ctrl-C. */
async function watchKind(context: Context, kind: string, targets: readonly Target[], flags: GetFlags): Promise<void> {
  const { revision } = await context.control.objects(kind)
  const names = targets.flatMap((target) => target.name ?? [])
  for await (const event of context.control.watch({ from: revision })) {
    const [eventKind, namespace = '', name = ''] = event.key.split('/')
    if (event.collection !== 'objects' || eventKind !== kind) continue
    if (names.length > 0 && !names.includes(name)) continue
    if (flags.allNamespaces !== true && namespace !== '' && namespace !== context.namespace) continue
    if (event.type === 'delete') context.print(`${kind.toLowerCase()}/${name} deleted`)
    else await printObjects(context, kind, (await context.control.object(kind, namespace, name)).items, flags, false)
  }
}

function nothingFound({ namespace }: Context, flags: GetFlags): string {
  const where = flags.allNamespaces === true ? 'any namespace' : `namespace "${namespace}" (-A shows all)`
  const labels = flags.selector === undefined ? '' : ` with labels ${flags.selector}`
  return `nothing found in ${where}${labels}`
}

/**
 * Manifests with sidecars. In: texts of files that apply would take. Out: the same texts, in which each Deployment that
 * is to have a sidecar shows it; notes on those that are not. Pure. Throws CliError (65) for what apply would refuse,
 * and for a Deployment that has been through this already.
 */
import { isMap, isScalar, isSeq, type Document, type YAMLMap, type YAMLSeq } from 'yaml'
import type { MeshObject } from '../../config/object.ts'
import { parseSources } from '../../config/parse.ts'
import { INJECTION_STATUS, planDeployment, SIDECAR_CONTAINER, type DeploymentPlan } from '../../supervisor/plan.ts'
import { CliError, formatIssues, NO_OBJECT } from '../errors.ts'
import { EXIT } from '../exit-code.ts'
import { textsOf, type Source } from '../sources.ts'
import { changed, joinTexts, splitText } from './manifest-text.ts'
import { withoutSharing } from './own-nodes.ts'
import { injectionFor, type Injection, type InjectOptions } from './sidecar.ts'

export interface Injected {
  text: string
  notes: string[]
}

export function injectSources(sources: readonly Source[], options: InjectOptions & { namespace: string }): Injected {
  const { objects, issues } = parseSources(sources, { namespace: options.namespace })
  const errors = issues.filter((issue) => issue.level === 'error')
  if (errors.length > 0) throw new CliError('nothing was injected', EXIT.data, errors, textsOf(sources))
  if (objects.length === 0) throw new CliError(NO_OBJECT, EXIT.data)
  const targets = new Map<MeshObject, Injection>()
  const notes = issues.length === 0 ? [] : [formatIssues(issues, textsOf(sources))]
  const refused: string[] = []
  for (const object of objects.filter(({ kind }) => kind === 'Deployment')) {
    const plan = planOf(object, objects)
    if (!plan.template.sidecar) notes.push(`${nameOf(object)} stays without a sidecar: ${reasonOf(object)}`)
    else if (isInjected(object)) refused.push(`${nameOf(object)} has been injected already`)
    else targets.set(object, injectionFor(object, plan, options))
  }
  if (refused.length > 0) throw new CliError(refused.join('\nerror: '), EXIT.data)
  // every object of a sound text was read, in the order of the text
  const remaining = [...objects]
  const texts = sources.map(({ text }) => textWith(text, () => targets.get(remaining.shift() as MeshObject)))
  return { text: joinTexts(texts), notes }
}

function planOf(object: MeshObject, objects: readonly MeshObject[]): DeploymentPlan {
  const { namespace } = object.metadata
  const declared = objects.find(({ kind, metadata }) => kind === 'Namespace' && metadata.name === namespace)
  return planDeployment(object, { namespaceLabels: declared?.metadata.labels ?? {}, images: () => new Map() })
}

function nameOf({ metadata, source }: MeshObject): string {
  return `${source?.file}:${source?.line}: Deployment ${metadata.name}`
}

interface TemplateFields {
  metadata?: { labels?: Record<string, string>; annotations?: Record<string, string> }
  spec: { containers: { name: string }[] }
}

function templateOf(object: MeshObject): TemplateFields {
  return (object.spec as { template: TemplateFields }).template
}

function reasonOf(object: MeshObject): string {
  const { labels = {}, annotations = {} } = templateOf(object).metadata ?? {}
  const inject = 'sidecar.istio.io/inject'
  if (labels[inject] !== undefined || annotations[inject] !== undefined) return `${inject} is "false"`
  return `namespace ${object.metadata.namespace} has the label istio-injection: disabled`
}

/** A container of that name would be in the sidecar's way even if it were another. */
function isInjected(object: MeshObject): boolean {
  const { metadata, spec } = templateOf(object)
  const hasStatus = metadata?.annotations?.[INJECTION_STATUS] !== undefined
  return hasStatus || spec.containers.some(({ name }) => name === SIDECAR_CONTAINER)
}

/** `next` is asked for each object of the text, in order. */
function textWith(text: string, next: () => Injection | undefined): string {
  const parts = splitText(text).map((part) => {
    const { document, source } = part
    // the parser has bounded what aliases expand to
    const length = countOf(document.toJS({ maxAliasCount: -1 }))
    const injections = Array.from({ length }, () => next())
    if (injections.every((injection) => injection === undefined)) return source
    return changed(part, () => {
      withoutSharing(document)
      for (const [i, node] of objectNodes(document.contents).entries()) {
        const injection = injections[i]
        if (injection !== undefined) injectInto(document, node, injection)
      }
    })
  })
  return parts.join('')
}

/** Objects of a document: itself, or those of a List. */
function countOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  const { kind, items } = value as { kind?: unknown; items?: unknown }
  if (!isListKind(kind) || !Array.isArray(items)) return 1
  return items.reduce<number>((sum, item) => sum + countOf(item), 0)
}

function objectNodes(node: unknown): YAMLMap[] {
  if (!isMap(node)) return []
  const items = node.get('items')
  return isListKind(node.get('kind')) && isSeq(items) ? items.items.flatMap(objectNodes) : [node]
}

function isListKind(kind: unknown): boolean {
  return typeof kind === 'string' && kind.endsWith('List')
}

function injectInto(document: Document, object: YAMLMap, { container, labels, annotations }: Injection): void {
  const template = mapIn(document, mapIn(document, object, 'spec'), 'template')
  const metadata = mapIn(document, template, 'metadata', true)
  for (const [name, values] of Object.entries({ labels, annotations })) {
    const map = mapIn(document, metadata, name)
    for (const [key, value] of Object.entries(values)) map.set(key, document.createNode(value))
  }
  const containers = mapIn(document, template, 'spec').get('containers') as YAMLSeq
  const added = document.createNode(container)
  if (containers.flow !== true) {
    added.commentBefore = ' added by "pocketmesh inject"; env says what is in the file that args name'
  }
  containers.add(added)
}

/** The mapping under a key; made where there is none or a null. */
function mapIn(document: Document, parent: YAMLMap, key: string, first = false): YAMLMap {
  const found = parent.get(key)
  if (isMap(found)) return found
  const made = document.createNode({}) as YAMLMap
  const pair = parent.items.find((one) => isScalar(one.key) && one.key.value === key)
  if (pair !== undefined) pair.value = made
  else if (first) parent.items.unshift(document.createPair(key, made))
  else parent.items.push(document.createPair(key, made))
  return made
}

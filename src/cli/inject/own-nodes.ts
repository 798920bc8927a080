/**
 * A document without aliases and merges, each part of it on its own: so a change to one pod template is not one to
 * another that shares its labels. In: a document. Changes it; comments stay. A document without aliases is not touched.
 */
import { isAlias, isMap, isNode, isScalar, isSeq, visit, type Document, type Node, type Pair, type YAMLMap } from 'yaml'

export function withoutSharing(document: Document.Parsed): void {
  const anchors = new Map<string, Node>()
  let shared = false
  visit(document, {
    // in the order of the text, so that an anchor's own aliases are gone when it is copied
    Node(_, node) {
      if (!isAlias(node)) {
        if (node.anchor !== undefined) anchors.set(node.anchor, node)
        return undefined
      }
      shared = true
      const copy = anchors.get(node.source)?.clone() as Node | undefined
      if (copy !== undefined) withoutAnchors(copy)
      return copy
    },
  })
  if (!shared) return
  withoutAnchors(document)
  visit(document, { Map: (_, map) => flatten(map) })
}

function withoutAnchors(tree: Node | Document): void {
  visit(tree, {
    Value(_, node) {
      delete node.anchor
    },
  })
}

/** `<<` gives keys that are not there. */
function flatten(map: YAMLMap): void {
  const merges = map.items.filter(isMerge)
  if (merges.length === 0) return
  map.items = map.items.filter((pair) => !isMerge(pair))
  for (const { value } of merges) {
    for (const source of isSeq(value) ? value.items : [value]) {
      if (!isMap(source)) continue
      // what is merged may merge itself
      flatten(source)
      for (const pair of source.items) {
        const known = map.items.some(({ key }) => textOf(key) === textOf(pair.key))
        if (!known) map.items.push(pair)
      }
    }
  }
}

function isMerge({ key }: Pair): boolean {
  return isScalar(key) && key.source === '<<' && key.type === 'PLAIN'
}

function textOf(key: unknown): unknown {
  return isScalar(key) ? key.source : isNode(key) ? key.toString() : key
}

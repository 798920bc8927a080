/**
 * The Huffman code of RFC 7541 section 5.2 and appendix B, read four bits at a time.
 * In: coded bytes. Out: bytes, or -1: padding that is not the code's own, or the EOS symbol.
 * There is no coder: on a link of one machine a byte saved costs more to make and to read again than to send.
 */

/** Length in bits of each byte's code; the codes are the canonical ones of these lengths. The last is EOS. */
// prettier-ignore
export const CODE_BITS = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
  6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
  15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
  20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
  22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
  26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
  20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
  30,
]
const EOS = 256
const MAX_CODE_BITS = 30

/** A step: next node in the low 8 bits, a byte that came out in the next 8, then what else is true of it. */
const EMITS = 1 << 16
const FAILS = 1 << 17
/** The text may end here: all bits since the last byte are ones, and fewer than eight. */
const MAY_END = 1 << 18
/** Made with the first coded text: between our own proxies there is none. */
let steps: Int32Array | null = null

/** Decodes `src[from, to)` to `out` at `at`, which has room for twice as many bytes; where it ends there, or -1. */
// hot
export function decodeHuffman(src: Uint8Array, from: number, to: number, out: Uint8Array, at: number): number {
  const table = (steps ??= buildSteps())
  let step = MAY_END
  let end = at
  for (let i = from; i < to; i++) {
    const byte = src[i]!
    step = table[((step & 0xff) << 4) | (byte >> 4)]!
    if ((step & EMITS) !== 0) out[end++] = (step >> 8) & 0xff
    if ((step & FAILS) !== 0) return -1
    step = table[((step & 0xff) << 4) | (byte & 0xf)]!
    if ((step & EMITS) !== 0) out[end++] = (step >> 8) & 0xff
    if ((step & FAILS) !== 0) return -1
  }
  return (step & MAY_END) === 0 ? -1 : end
}

/** The code's tree: 256 inner nodes, each with two branches: another node, or ~symbol. */
function buildTree(): number[][] {
  const nodes: number[][] = [[]]
  let code = 0
  for (let bits = 1; bits <= MAX_CODE_BITS; bits++, code *= 2)
    for (let symbol = 0; symbol <= EOS; symbol++) {
      if (CODE_BITS[symbol] !== bits) continue
      let node = 0
      for (let k = bits - 1; k > 0; k--) {
        const bit = (code >>> k) & 1
        if (nodes[node]![bit] === undefined) nodes[node]![bit] = nodes.push([]) - 1
        node = nodes[node]![bit]!
      }
      nodes[node]![code & 1] = ~symbol
      code++
    }
  return nodes
}

function buildSteps(): Int32Array {
  const nodes = buildTree()
  const mayEnd = new Set<number>()
  for (let node = 0, ones = 0; ones < 8; ones++, node = nodes[node]![1]!) mayEnd.add(node)
  const table = new Int32Array(nodes.length * 16)
  for (let from = 0; from < nodes.length; from++)
    for (let nibble = 0; nibble < 16; nibble++) {
      let node = from
      let flags = 0
      for (let k = 3; k >= 0; k--) {
        node = nodes[node]![(nibble >> k) & 1]!
        if (node >= 0) continue
        flags |= ~node === EOS ? FAILS : EMITS | (~node << 8)
        node = 0
      }
      table[from * 16 + nibble] = flags | node | (mayEnd.has(node) ? MAY_END : 0)
    }
  return table
}

/** Differences of two texts, line by line, as `diff -u` shows them. Pure; meant for texts of a few thousand lines. */
interface DiffLine {
  mark: ' ' | '-' | '+'
  text: string
}

const CONTEXT_LINES = 3

/** Every line of both texts, in order: the longest common subsequence is kept. */
function diffLines(before: string, after: string): DiffLine[] {
  const a = toLines(before)
  const b = toLines(after)
  let start = 0
  while (start < a.length && start < b.length && a[start] === b[start]) start++
  let end = 0
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++
  const same = (text: string): DiffLine => ({ mark: ' ', text })
  return [
    ...a.slice(0, start).map(same),
    ...diffMiddle(a.slice(start, a.length - end), b.slice(start, b.length - end)),
    ...a.slice(a.length - end).map(same),
  ]
}

function diffMiddle(a: readonly string[], b: readonly string[]): DiffLine[] {
  // common[i][j]: length of the longest common subsequence of a from i and b from j
  const common = Array.from({ length: a.length + 1 }, () => new Uint32Array(b.length + 1))
  const at = (i: number, j: number): number => common[i]?.[j] ?? 0
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--) {
      const row = common[i]
      if (row !== undefined) row[j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1))
    }
  const out: DiffLine[] = []
  let i = 0
  let j = 0
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      out.push({ mark: ' ', text: a[i] ?? '' })
      i++
      j++
    } else if (i < a.length && (j === b.length || at(i + 1, j) >= at(i, j + 1)))
      out.push({ mark: '-', text: a[i++] ?? '' })
    else out.push({ mark: '+', text: b[j++] ?? '' })
  }
  return out
}

/** `--- name`, `+++ name`, `@@ -1,4 +1,5 @@` and lines; '' where both are equal. */
export function unifiedDiff(name: string, before: string, after: string): string {
  const lines = diffLines(before, after)
  if (lines.every((line) => line.mark === ' ')) return ''
  const out = [
    `--- ${before === '' ? '/dev/null' : `live/${name}`}`,
    `+++ ${after === '' ? '/dev/null' : `new/${name}`}`,
  ]
  let beforeLine = 1
  let afterLine = 1
  let at = 0
  for (const [from, to] of hunks(lines)) {
    for (; at < from; at++) {
      beforeLine++
      afterLine++
    }
    const hunk = lines.slice(from, to)
    const removed = hunk.filter((line) => line.mark !== '+').length
    const added = hunk.filter((line) => line.mark !== '-').length
    out.push(`@@ -${range(beforeLine, removed)} +${range(afterLine, added)} @@`)
    out.push(...hunk.map((line) => line.mark + line.text))
    beforeLine += removed
    afterLine += added
    at = to
  }
  return out.join('\n')
}

/** Start and end of each group of changes with the lines around it. */
function hunks(lines: readonly DiffLine[]): [number, number][] {
  const out: [number, number][] = []
  for (const [i, line] of lines.entries()) {
    if (line.mark === ' ') continue
    const from = Math.max(0, i - CONTEXT_LINES)
    const to = Math.min(lines.length, i + 1 + CONTEXT_LINES)
    const last = out.at(-1)
    if (last !== undefined && from <= last[1]) last[1] = to
    else out.push([from, to])
  }
  return out
}

function range(start: number, count: number): string {
  return count === 0 ? `${start - 1},0` : `${start},${count}`
}

function toLines(text: string): string[] {
  if (text === '') return []
  return (text.endsWith('\n') ? text.slice(0, -1) : text).split('\n')
}

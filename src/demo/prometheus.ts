/**
 * Reads the Prometheus text format. In: text. Out: samples. Only what our own exposition prints: no exemplars,
 * no timestamps. Lines of another form are skipped.
 */

export interface Sample {
  name: string
  labels: Readonly<Record<string, string>>
  value: number
}

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g
const ESCAPES: Record<string, string> = { '\\n': '\n', '\\"': '"', '\\\\': '\\' }

/** Samples whose name starts with `prefix`. */
export function parsePrometheus(text: string, prefix: string): Sample[] {
  const samples: Sample[] = []
  for (const line of text.split('\n')) {
    if (!line.startsWith(prefix)) continue
    const [, name, labelText = '', value] = LINE.exec(line) ?? []
    if (name === undefined) continue
    const labels: Record<string, string> = {}
    for (const [, key = '', escaped = ''] of labelText.matchAll(LABEL)) labels[key] = unescape(escaped)
    samples.push({ name, labels, value: Number(value) })
  }
  return samples
}

function unescape(text: string): string {
  return text.includes('\\') ? text.replaceAll(/\\[n"\\]/g, (escape) => ESCAPES[escape] ?? escape) : text
}

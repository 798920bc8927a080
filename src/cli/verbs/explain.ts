/** `explain`: what a kind or a field means, and whether the mesh acts on it. Needs no running mesh. */
import type { Command } from 'commander'
import type { Coverage, CoverageRow, Explanation, FieldView } from '../../config/explain.ts'
import { withContext, type Context } from '../context.ts'
import { CliError } from '../errors.ts'
import { EXIT } from '../exit-code.ts'
import { examples } from '../help.ts'
import { renderData, withOutput, type Format } from '../output.ts'
import { plain, type Paint, type Tint } from '../style.ts'
import { renderTable, type Cell } from '../table.ts'

const SUPPORT: Record<Coverage, { text: string; tint: Tint }> = {
  supported: { text: 'yes', tint: 'green' },
  partly: { text: 'partly', tint: 'yellow' },
  ignored: { text: 'ignored', tint: 'dim' },
  refused: { text: 'refused', tint: 'red' },
}

export function registerExplain(program: Command): void {
  const command = withOutput(
    program
      .command('explain')
      .description('explain a kind or a field, and whether the mesh acts on it')
      .argument('[path]', 'vs, or vs.spec.http.retries; without it the kinds')
      .option('--coverage', 'every field with what the mesh makes of it'),
    ['table', 'json', 'yaml'],
  )
  examples(command, [
    ['The kinds', 'explain'],
    ['A field', 'explain vs.spec.http.retries'],
    ['All that is supported, ignored or refused of a kind', 'explain dr --coverage'],
  ])
  command.action((path: string | undefined, flags: { coverage?: boolean; output: Format }) =>
    withContext(command, (context) => explainPath(context, path, flags.coverage === true, flags.output)),
  )
}

async function explainPath(
  context: Context,
  path: string | undefined,
  coverage: boolean,
  format: Format,
): Promise<void> {
  const { explain, explainCoverage } = await import('../../config/explain.ts')
  if (!coverage && path === undefined) return listKinds(context, format)
  const answer = path === undefined ? undefined : explain(path)
  if (answer?.ok === false) {
    const hint = answer.suggestion === undefined ? '' : `; did you mean "${answer.suggestion}"?`
    throw new CliError(answer.message + hint, EXIT.usage)
  }
  if (!coverage && answer !== undefined) {
    if (format === 'json' || format === 'yaml') return context.print(await renderData(format, answer.explanation))
    return context.print(explanationText(answer.explanation, context.paint))
  }
  const rows = explainCoverage().filter((row) => answer === undefined || isBelow(row, answer.explanation.path))
  if (format === 'json' || format === 'yaml') return context.print(await renderData(format, rows))
  context.table(['FIELD', 'TYPE', 'SUPPORTED', 'NOTE'], rows.map(coverageRow))
}

async function listKinds(context: Context, format: Format): Promise<void> {
  const { KINDS } = await import('../../config/kinds/index.ts')
  const kinds = KINDS.map(({ kind, plural, short, apiVersions, doc }) => ({ kind, plural, short, apiVersions, doc }))
  if (format === 'json' || format === 'yaml') return context.print(await renderData(format, kinds))
  context.table(
    ['KIND', 'SHORT', 'VERSIONS', 'WHAT'],
    kinds.map((kind) => [kind.kind, kind.short.join(','), kind.apiVersions.join(','), kind.doc]),
  )
}

function isBelow(row: CoverageRow, path: string): boolean {
  const own = `${row.kind}.${row.path}`
  return own === path || own.startsWith(`${path}.`)
}

function coverageRow(row: CoverageRow): Cell[] {
  return [`${row.kind}.${row.path}`, row.type, SUPPORT[row.support], row.note ?? '']
}

/** kubectl's layout: what it is, then its fields. */
export function explanationText(explanation: Explanation, paint: Paint = plain): string {
  const { path, type, doc, support, note, values, children, apiVersions } = explanation
  const lines = [
    `${paint('bold', path)}  <${type}>${explanation.required ? '  required' : ''}`,
    `  supported: ${paint(SUPPORT[support].tint, SUPPORT[support].text)}`,
    ...(apiVersions === undefined ? [] : [`  versions: ${apiVersions.join(', ')}`]),
    ...(explanation.default === undefined ? [] : [`  default: ${explanation.default}`]),
    `  ${doc}`,
    ...(note === undefined ? [] : [`  ${note}`]),
  ]
  if (values.length > 0)
    lines.push(
      '',
      'VALUES',
      renderTable(
        ['VALUE', 'SUPPORTED', 'WHAT'],
        values.map((v) => [v.value, SUPPORT[v.support], v.doc]),
        { paint, indent: '  ' },
      ),
    )
  if (children.length > 0)
    lines.push(
      '',
      'FIELDS',
      renderTable(['FIELD', 'TYPE', 'SUPPORTED', 'WHAT'], children.map(fieldRow), { paint, indent: '  ' }),
    )
  return lines.join('\n')
}

function fieldRow(field: FieldView): Cell[] {
  const name = field.required ? `${field.name} (required)` : field.name
  return [name, field.type, SUPPORT[field.support], field.note === undefined ? field.doc : `${field.doc} ${field.note}`]
}

/** Colour, where it is wanted: NO_COLOR and --no-color switch it off, FORCE_COLOR on, else a terminal decides. */
export type Tint = 'red' | 'green' | 'yellow' | 'cyan' | 'magenta' | 'blue' | 'dim' | 'bold'

const CODES: Record<Tint, [open: number, close: number]> = {
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  blue: [34, 39],
  magenta: [35, 39],
  cyan: [36, 39],
  dim: [2, 22],
  bold: [1, 22],
}

export type Paint = (tint: Tint, text: string) => string

export const plain: Paint = (_tint, text) => text
export const coloured: Paint = (tint, text) => `\x1b[${CODES[tint][0]}m${text}\x1b[${CODES[tint][1]}m`

export interface StyleInput {
  env: Readonly<Record<string, string | undefined>>
  isTty: boolean
  /** `--no-color` was given. */
  noColor: boolean
}

/** Which of the two a stream gets. */
export function paintFor({ env, isTty, noColor }: StyleInput): Paint {
  if (noColor || (env['NO_COLOR'] ?? '') !== '') return plain
  const force = env['FORCE_COLOR'] ?? ''
  if (force !== '' && force !== '0') return coloured
  return isTty && env['TERM'] !== 'dumb' ? coloured : plain
}

export interface Glyphs {
  ok: string
  bad: string
  warn: string
  branch: string
}

/** Marks of `check` and of details below a row; in plain ASCII where the locale is not UTF-8. */
export function glyphsFor(env: Readonly<Record<string, string | undefined>>): Glyphs {
  const locale = env['LC_ALL'] || env['LC_CTYPE'] || env['LANG'] || 'C.UTF-8'
  return /utf-?8/i.test(locale)
    ? { ok: '√', bad: '×', warn: '‼', branch: '└' }
    : { ok: 'ok', bad: 'x', warn: '!', branch: '-' }
}

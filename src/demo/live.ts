/**
 * The demo's live view. In: a started mesh. Out: the screen, drawn anew each second on a terminal, a line every few
 * seconds elsewhere. Ends when `signal` aborts; leaves the terminal as it was.
 */
import { UnreachableError } from '../client/errors.ts'
import { commandLines } from './command-lines.ts'
import type { DemoMesh } from './mesh.ts'
import { Photographer } from './picture.ts'
import { ROUTES, shopFile, shownPath } from './shop.ts'
import type { Paint, ViewOptions } from './view.ts'
import { oneLine, screen } from './view.ts'

const DRAW_EVERY_MS = 1000
const LINE_EVERY_MS = 5000
/** The alternate screen, without a cursor, cutting lines that are too long; and back. */
const ENTER = '\x1b[?1049h\x1b[?25l\x1b[?7l'
const LEAVE = '\x1b[?7h\x1b[?25h\x1b[?1049l'
const HOME = '\x1b[H'
const CLEAR_LINE = '\x1b[2K'
const CLEAR_BELOW = '\x1b[J'

export interface LiveOptions {
  mesh: DemoMesh
  paint: Paint
  signal: AbortSignal
  out: NodeJS.WriteStream
}

export async function showLive({ mesh, paint, signal, out }: LiveOptions): Promise<void> {
  const photographer = new Photographer(mesh)
  const finished = new AbortController()
  const following = photographer.followChanges(AbortSignal.any([signal, finished.signal]))
  const tryNext = commands(mesh.home.dir)
  if (out.isTTY) out.write(ENTER)
  else
    out.write(tryNext.map(([what, words]) => `${what}\n${commandLines(words, Infinity, '  ').join('\n')}\n`).join(''))
  try {
    while (!signal.aborted) {
      const picture = await photographer.take()
      const options = { paint, nowEpochMs: Date.now(), tryNext, rows: out.rows, columns: out.columns }
      out.write(out.isTTY ? frame(screen(picture, options), out.rows) : `${oneLine(picture)}\n`)
      await pauseUntil(out.isTTY ? DRAW_EVERY_MS : LINE_EVERY_MS, signal)
    }
  } catch (error) {
    // `down` from the second terminal
    if (!(error instanceof UnreachableError)) throw error
  } finally {
    if (out.isTTY) out.write(LEAVE)
    finished.abort()
    await following
  }
}

/** A terminal with fewer rows shows the top: a longer frame would scroll. */
function frame(lines: readonly string[], rows: number): string {
  const shown = lines.slice(0, rows).map((line) => `${CLEAR_LINE}${line}`)
  return `${HOME}${shown.join('\n')}${CLEAR_BELOW}`
}

/** What works from a second terminal while the demo runs, with this program and this home. */
function commands(home: string): ViewOptions['tryNext'] {
  const program = ['node', shownPath(process.argv[1] ?? 'dist/pocketmesh.js'), '--home', shownPath(home)]
  const apply = (name: string): string[] => [...program, 'apply', '-f', shownPath(shopFile(name))]
  return [
    ['half of the customers get version 2', apply(ROUTES.canary5050)],
    ['nobody without mutual TLS any more (and back: mesh-permissive.yaml)', apply(ROUTES.strict)],
    ['kill -9 the control plane, for 10 seconds', [...program, 'kill', 'control', '--for', '10s']],
  ]
}

function pauseUntil(delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    const finish = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', finish)
      done()
    }
    const timer = setTimeout(finish, delayMs)
    signal.addEventListener('abort', finish, { once: true })
    if (signal.aborted) finish()
  })
}

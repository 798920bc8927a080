/** Programs that an attacker would use where they are installed. In: a command line. Out: how it ended. */
import { spawnSync } from 'node:child_process'
import { refused, skipped, succeeded, type Outcome } from './attack.ts'

const WITHIN_MS = 5000
const MAX_SAID = 90

/** Succeeded where the command ends with 0; skipped where the tool is not installed. */
export function byCommand(command: string, args: readonly string[], what = ''): Outcome {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    encoding: 'utf8',
    timeout: WITHIN_MS,
    env: { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin`, NODE_OPTIONS: '' },
  })
  if (error !== undefined && 'code' in error && error.code === 'ENOENT') return skipped(`${command} is not installed`)
  const said = `${stderr}${stdout}`.trim().split('\n').at(-1)?.slice(0, MAX_SAID) ?? ''
  const text = what === '' ? said : `${what}: ${said}`
  return status === 0 ? succeeded(text === '' ? `${command} did it` : text) : refused(text)
}

/** A Python program; it ends with an exception where the kernel refuses. */
export function byPython(lines: readonly string[], what = ''): Outcome {
  return byCommand('python3', ['-c', lines.join('\n')], what)
}

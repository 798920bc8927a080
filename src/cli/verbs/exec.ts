/**
 * `exec`: runs a command with a workload's environment and folder, so that what it calls passes that workload's
 * sidecar. Its standard streams are ours, and so is its exit code.
 */
import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import type { Command } from 'commander'
import type { EnvResponse } from '../../client/contract.ts'
import { withContext } from '../context.ts'
import { CliError, QuietExit } from '../errors.ts'
import { EXIT, signalExitCode } from '../exit-code.ts'
import { examples } from '../help.ts'
import { bareName } from '../names.ts'

/** As a shell has them: found but not to be run, and not found. */
const NOT_EXECUTABLE = 126
const NOT_FOUND = 127
const PASSED_ON: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2']

export function registerExec(program: Command): void {
  const command = program
    .command('exec')
    .description("run a command in a workload's environment, behind its sidecar")
    .argument('<workload>', 'workload or pod')
    .argument('<command...>', 'after --: the command and its arguments')
  examples(command, [
    ['Call a service as the frontend would', 'exec frontend -- curl -s http://checkout-service:8080/'],
    ['A shell in there', 'exec frontend -- sh'],
    [
      'Count the versions that answer',
      `exec frontend -- sh -c 'for i in $(seq 100); do curl -s http://checkout-service:8080/version; done'`,
    ],
  ])
  command.action((workload: string, line: string[]) =>
    withContext(command, async ({ supervisor, namespace }) => {
      const [file, ...args] = line
      if (file === undefined) throw new CliError('say what to run, after --', EXIT.usage)
      const answer = await supervisor.env(bareName(workload), namespace)
      await supervisor.close()
      const code = await runInside(file, args, answer)
      if (code !== EXIT.ok) throw new QuietExit(code)
    }),
  )
}

function runInside(file: string, args: readonly string[], { env, cwd }: EnvResponse): Promise<number> {
  const child = spawn(file, args, { stdio: 'inherit', cwd, env: { ...process.env, ...env } })
  const passOn = (signal: NodeJS.Signals): void => {
    child.kill(signal)
  }
  // Ctrl-C reaches the child by itself (one process group): this process waits for what it makes of it
  const wait = (): void => undefined
  for (const signal of PASSED_ON) process.on(signal, passOn)
  process.on('SIGINT', wait)
  return new Promise<number>((done, fail) => {
    child.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') fail(new CliError(`there is no command "${file}"`, NOT_FOUND))
      else fail(new CliError(`cannot run "${file}": ${error.message}`, NOT_EXECUTABLE))
    })
    child.once('exit', (code, signal) => done(code ?? signalExitCode(constants.signals[signal ?? 'SIGKILL'])))
  }).finally(() => {
    for (const signal of PASSED_ON) process.removeListener(signal, passOn)
    process.removeListener('SIGINT', wait)
  })
}

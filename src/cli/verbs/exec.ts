/**
 * `exec`: runs a command as a workload's programs run, in its namespaces where it has some, so that what it calls passes
 * that workload's sidecar; or beside the sidecar. Its standard streams are ours, and so is its exit code.
 */
import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import type { Command } from 'commander'
import type { EnvResponse } from '../../client/contract.ts'
import { childOf } from '../../lib/child-of.ts'
import { withContext } from '../context.ts'
import { CliError, QuietExit } from '../errors.ts'
import { EXIT, signalExitCode } from '../exit-code.ts'
import { examples } from '../help.ts'
import { bareName } from '../names.ts'

/** As a shell has them: found but not to be run, and not found. */
const NOT_EXECUTABLE = 126
const NOT_FOUND = 127
/** Inside, where we cannot look: says what a shell says. */
const FIND_COMMAND = [
  '/bin/sh',
  '-c',
  'command -v "$1" > /dev/null || { echo "error: there is no command \\"$1\\" in the pod" >&2; exit 127; }; exec "$@"',
  'sh',
]
const PASSED_ON: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2']

export function registerExec(program: Command): void {
  const command = program
    .command('exec')
    .description('run a command in a pod, behind its sidecar')
    .argument('<workload>', 'workload or pod')
    .argument('<command...>', 'after --: the command and its arguments')
    .option('-c, --container <name>', 'container of the pod; istio-proxy: beside the sidecar')
  examples(command, [
    ['Call a service as the frontend would', 'exec frontend -- curl -s http://checkout-service:8080/'],
    ['A shell in there', 'exec frontend -- sh'],
    ['What passes between program and sidecar', 'exec frontend -c istio-proxy -- tcpdump -ni proxy0'],
    [
      'Count the versions that answer',
      `exec frontend -- sh -c 'for i in $(seq 100); do curl -s http://checkout-service:8080/version; done'`,
    ],
  ])
  command.action((workload: string, line: string[], { container }: { container?: string }) =>
    withContext(command, async ({ supervisor, namespace }) => {
      const [file, ...args] = line
      if (file === undefined) throw new CliError('say what to run, after --', EXIT.usage)
      const answer = await supervisor.env(bareName(workload), namespace, container)
      await supervisor.close()
      const code = await runInside(file, args, answer)
      if (code !== EXIT.ok) throw new QuietExit(code)
    }),
  )
}

function runInside(file: string, args: readonly string[], { env, cwd, enter }: EnvResponse): Promise<number> {
  // in a pod the environment is the pod's alone; elsewhere the terminal's stands behind it
  const isEntering = enter.length > 0
  const [command = file, ...before] = enter
  const line = isEntering ? [...before, ...FIND_COMMAND, file, ...args] : args
  const terminal = { TERM: process.env['TERM'] ?? 'dumb' }
  const passOn = (signal: NodeJS.Signals): void => {
    // before a PID namespace `nsenter` waits for a child of its own, and dies of a signal without it
    if (enter.includes('--pid')) void signalChild(child.pid, signal)
    else child.kill(signal)
  }
  // Ctrl-C reaches the child by itself (one process group): this process waits for what it makes of it
  const wait = (): void => undefined
  // before there is a child: a signal may follow on its first word
  for (const signal of PASSED_ON) process.on(signal, passOn)
  process.on('SIGINT', wait)
  const child = spawn(command, line, {
    stdio: 'inherit',
    cwd,
    env: isEntering ? { ...terminal, ...env } : { ...process.env, ...env },
  })
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

async function signalChild(pid: number | undefined, signal: NodeJS.Signals): Promise<void> {
  try {
    if (pid !== undefined) process.kill(await childOf(pid), signal)
  } catch {
    // it has ended
  }
}

/** Ctrl-C for verbs that own a mesh: the work ends and cleans up, the second one ends the process. */
import { QuietExit } from './errors.ts'
import { EXIT } from './exit-code.ts'

/** The first Ctrl-C (or SIGTERM) aborts the signal, the second ends the process. */
export async function withInterrupt<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController()
  const onSignal = (): void => {
    if (controller.signal.aborted) process.exit(EXIT.interrupted)
    controller.abort()
  }
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
  try {
    return await work(controller.signal)
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
  }
}

/** What `work` makes; once the signal is aborted, an exit with nothing more to say. */
export function unlessInterrupted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const interrupted = new Promise<never>((_done, fail) => {
    const interrupt = (): void => fail(new QuietExit(EXIT.interrupted))
    if (signal.aborted) interrupt()
    signal.addEventListener('abort', interrupt, { once: true })
  })
  return Promise.race([work, interrupted])
}

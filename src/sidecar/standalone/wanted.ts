/** Whether a command line asks for a proxy without a mesh. */

/** Flags that only such a proxy has. */
const FLAG = /^(-c|--config-path|--validate|--concurrency|--drain-time-s)/

export function wantsStandalone(argv: readonly string[]): boolean {
  return argv.some((flag) => FLAG.test(flag))
}

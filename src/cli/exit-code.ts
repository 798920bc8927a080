/** What the process ends with. 64 to 75 are sysexits(3), 79 is istioctl's "the analysis found something". */
export const EXIT = {
  ok: 0,
  failure: 1,
  /** `authz check`: the policies refuse it. */
  denied: 3,
  usage: 64,
  /** A document is unreadable or invalid. */
  data: 65,
  /** The control plane (or the supervisor) is not reachable. */
  unavailable: 69,
  /** A wait ran out of time. */
  timeout: 75,
  /** A check found problems. */
  findings: 79,
  interrupted: 130,
} as const

/** A shell's status for a program that a signal ended: 128 and the signal's number. */
export function signalExitCode(signalNumber: number): number {
  return 128 + signalNumber
}

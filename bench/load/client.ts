/** The benchmark's side of the load process, which lives as long as the run, so that its code stays compiled. */
import { Child } from '../system/child.ts'
import type { Answer, Job, JobReport, RequestsJob } from './job.ts'

const BASE: RequestsJob = {
  kind: 'requests',
  protocol: 'http1',
  port: 0,
  path: '/1k',
  connections: 1,
  streams: 1,
  ratePerSecond: undefined,
  warmUpSeconds: 0,
  seconds: 1,
  expectedBytes: 1024,
}

export class LoadProcess {
  readonly #child: Child

  constructor(bundle: string) {
    this.#child = new Child({ name: 'load', role: 'load', command: process.execPath, args: [bundle], ipc: true })
  }

  /** Requests as described; what is left out is a GET of 1 KiB on one connection, closed loop. */
  requests(job: Partial<RequestsJob> & { port: number }): Promise<JobReport> {
    return this.run({ ...BASE, ...job })
  }

  run(job: Job): Promise<JobReport> {
    const { process: child } = this.#child
    return new Promise((done, failed) => {
      const onEnd = (): void => failed(new Error(`load has ended: ${this.#child.lastWords}`))
      child.once('exit', onEnd)
      child.once('message', (answer: Answer) => {
        child.off('exit', onEnd)
        if (answer.ok) done(answer.report)
        else failed(new Error(`load: ${answer.message}`))
      })
      child.send(job)
    })
  }

  stop(): Promise<void> {
    return this.#child.stop()
  }
}

import t from 'tap'
import type { DeploymentPlan } from '../../src/supervisor/plan.ts'
import { reconcile, type RunningPod } from '../../src/supervisor/reconcile.ts'

const plan = (replicas: number, hash = 'new'): DeploymentPlan => ({
  namespace: 'default',
  workload: 'web',
  replicas,
  hash,
  template: {
    labels: {},
    serviceAccount: 'default',
    sidecar: true,
    containers: [],
    graceMs: 0,
    gateway: false,
    includePorts: [],
  },
})

/** `0:new:ready`, `1:old`, `2:new:stopping`, `0:new:ready:outdated` */
function pod(text: string): RunningPod {
  const [index, hash = '', ...flags] = text.split(':')
  return {
    name: `web-${index}`,
    namespace: 'default',
    workload: 'web',
    hash,
    ready: flags.includes('ready'),
    stopping: flags.includes('stopping'),
    outdated: flags.includes('outdated'),
  }
}

const ROWS: [string, DeploymentPlan[], string[], string[]][] = [
  ['a new Deployment starts all its pods', [plan(2)], [], ['start web-0', 'start web-1']],
  ['what is as wanted is left alone', [plan(1)], ['0:new:ready'], []],
  ['what is on its way up is waited for', [plan(1)], ['0:new'], []],
  ['scaling up takes the lowest free name', [plan(3)], ['0:new:ready', '2:new:ready'], ['start web-1']],
  ['scaling down stops the youngest', [plan(1)], ['0:new:ready', '1:new:ready'], ['stop web-1']],
  ['scaling down stops one that serves nobody first', [plan(1)], ['0:new', '1:new:ready'], ['stop web-0']],
  ['scaling to none stops all', [plan(0)], ['0:new:ready', '1:new'], ['stop web-1', 'stop web-0']],
  ['a deleted Deployment stops its pods', [], ['0:new:ready', '1:new'], ['stop web-0', 'stop web-1']],
  ['a changed template starts the new pod first', [plan(1)], ['0:old:ready'], ['start web-1']],
  ['the old pod serves until the new one is ready', [plan(1)], ['0:old:ready', '1:new'], []],
  ['then the old one is withdrawn', [plan(1)], ['0:old:ready', '1:new:ready'], ['stop web-0']],
  ['of three, one is replaced at a time', [plan(3)], ['0:old:ready', '1:old:ready', '2:old:ready'], ['start web-3']],
  ['the next follows', [plan(2)], ['0:old:ready', '1:old:ready', '2:new:ready'], ['stop web-0']],
  ['and a place is free again', [plan(2)], ['0:old:stopping', '1:old:ready', '2:new:ready'], ['start web-3']],
  ['an old pod that serves nobody goes at once', [plan(1)], ['0:old'], ['start web-1', 'stop web-0']],
  ['a pod that was asked to restart is replaced', [plan(1)], ['0:new:ready:outdated'], ['start web-1']],
  ['a name is taken until its pod is gone', [plan(1)], ['0:new:stopping'], ['start web-1']],
]

t.test('what is wanted and what runs give what is to be done', async (t) => {
  for (const [name, plans, running, expected] of ROWS) {
    const actions = reconcile(plans, running.map(pod))
    t.same(
      actions.map((action) => `${action.do} ${action.name}`),
      expected,
      name,
    )
  }
})

t.test('a rolling update ends, and at no time fewer pods serve than are wanted', async (t) => {
  let pods = ['0:old:ready', '1:old:ready', '2:old:ready'].map(pod)
  for (let step = 0; step < 20; step++) {
    const actions = reconcile([plan(3)], pods)
    for (const action of actions) {
      if (action.do === 'start') pods.push({ ...pod('0:new'), name: action.name })
      else pods = pods.filter((one) => one.name !== action.name)
    }
    t.ok(pods.filter((one) => one.ready).length >= 3, `step ${step}: three serve`)
    t.ok(pods.length <= 4, `step ${step}: one more at most`)
    pods = pods.map((one) => ({ ...one, ready: true }))
    if (actions.length === 0) break
  }
  t.same(
    pods.map((one) => one.hash),
    ['new', 'new', 'new'],
  )
})

/** `proxy-config`: what one sidecar really has, asked of its admin socket. */
import { Argument, type Command } from 'commander'
import { ApiConnection } from '../../client/http.ts'
import { podAdminSocket } from '../../lib/home.ts'
import { withContext, type Context } from '../context.ts'
import { CliError } from '../errors.ts'
import { examples } from '../help.ts'
import { bareName } from '../names.ts'
import { renderData, withOutput, type Format } from '../output.ts'
import { dumpTable, resourcesOf, SECTIONS, type Section } from '../proxy-dump.ts'
import { secretTable } from '../secrets.ts'

const WHAT = ['listeners', 'routes', 'clusters', 'endpoints', 'secret', 'bootstrap'] as const
type What = (typeof WHAT)[number]

export function registerProxyConfig(program: Command): void {
  const command = withOutput(
    program
      .command('proxy-config')
      .alias('pc')
      .description('show what a sidecar has: listeners, routes, clusters, endpoints, its certificate')
      .addArgument(new Argument('<what>', 'part of the configuration').choices(WHAT))
      .argument('<pod>', 'pod (or a workload with one pod)'),
    ['table', 'json', 'yaml'],
  )
  examples(command, [
    ['Routes of a sidecar, with their weights', 'proxy-config routes frontend-v1-0'],
    ['Its endpoints', 'pc endpoints frontend-v1-0'],
    ['Clusters as Envoy writes them', 'pc clusters frontend-v1-0 -o json'],
  ])
  command.action((what: What, pod: string, flags: { output: Format }) =>
    withContext(command, (context) => proxyConfig(context, what, bareName(pod), flags.output)),
  )
}

async function proxyConfig(context: Context, what: What, name: string, format: Format): Promise<void> {
  const socketPath = await adminSocketOf(context, name)
  const admin = new ApiConnection({ socketPath, unreachable: `no sidecar of "${name}" runs in ${context.home.dir}` })
  try {
    const section = SECTIONS.find((known) => known === what)
    if (section !== undefined) await printSection(context, admin, section, format)
    else await printOther(context, admin, what, format)
  } finally {
    await admin.close()
  }
}

async function printSection(context: Context, admin: ApiConnection, section: Section, format: Format): Promise<void> {
  const dump = await admin.call<unknown>('GET', '/config_dump', { query: { resource: section } })
  if (format !== 'table')
    return context.print(await renderData(format === 'yaml' ? 'yaml' : 'json', resourcesOf(dump, section)))
  const { heads, rows } = dumpTable(dump, section)
  context.table(heads, rows)
}

async function printOther(context: Context, admin: ApiConnection, what: What, format: Format): Promise<void> {
  if (what === 'bootstrap') {
    const info = await admin.call<unknown>('GET', '/server_info')
    return context.print(await renderData(format === 'json' ? 'json' : 'yaml', info))
  }
  const certs = await admin.call<unknown>('GET', '/certs')
  if (format !== 'table') return context.print(await renderData(format === 'yaml' ? 'yaml' : 'json', certs))
  const { heads, rows } = secretTable(certs, Date.now())
  context.table(heads, rows)
}

/** Of the pod with that name, or of the only pod of a workload; without a supervisor by the pod's name alone. */
async function adminSocketOf({ supervisor, home, namespace }: Context, target: string): Promise<string> {
  // `frontend-0.default`, as `proxy-status` writes it
  const name = target.replace(new RegExp(`\\.${namespace}$`), '')
  const pods = await supervisor.ps().then(
    (answer) => answer.pods.filter((pod) => pod.namespace === namespace),
    () => undefined,
  )
  if (pods === undefined) return podAdminSocket(home, namespace, name)
  const found = pods.find((pod) => pod.name === name) ?? pods.find((pod) => pod.workload === name)
  if (found === undefined) throw new CliError(`there is no pod or workload "${name}" running in namespace ${namespace}`)
  if (found.sidecar === null) throw new CliError(`pod "${found.name}" has no sidecar`)
  return found.sidecar.adminSocket
}

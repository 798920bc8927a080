/** `describe`: one object with what hangs on it: a Service's endpoints and rules, a pod's containers and certificate. */
import type { Command } from 'commander'
import { withContext, type Context } from '../context.ts'
import { describeObject, describePod, describeService, rulesFor } from '../describe-text.ts'
import { CliError } from '../errors.ts'
import { EXIT } from '../exit-code.ts'
import { examples } from '../help.ts'
import { renderData } from '../output.ts'
import { parseTargets, type Target } from '../resources.ts'

export function registerDescribe(program: Command): void {
  const command = program
    .command('describe')
    .description('show an object with what hangs on it')
    .argument('<kind>', 'kind, or KIND/NAME')
    .argument('[name]')
  examples(command, [
    ['A Service: endpoints, subsets, rules', 'describe svc checkout-service'],
    ['A pod: program, sidecar, certificate', 'describe pod frontend-v1-0'],
    ['Any other object', 'describe vs/checkout-route'],
  ])
  command.action((kind: string, name: string | undefined) =>
    withContext(command, async (context) => {
      const [target] = parseTargets(name === undefined ? [kind] : [kind, name], context.namespace)
      if (target?.name === undefined) throw new CliError('say which: KIND NAME', EXIT.usage)
      const lines = await describe(context, { ...target, name: target.name })
      context.print(lines.join('\n'))
    }),
  )
}

async function describe(context: Context, target: Target & { name: string }): Promise<string[]> {
  if (target.kind === 'Pod' || target.kind === 'Proxy') return pod(context, target.name)
  const [object] = (await context.control.object(target.kind, target.namespace, target.name)).items
  if (object === undefined) throw new CliError(`there is no ${target.kind} "${target.name}"`)
  const rest = target.kind === 'Service' ? await service(context, target) : []
  if (rest.length > 0) return rest
  const yaml = await renderData('yaml', object.spec)
  return describeObject(object, yaml, Date.now())
}

async function service({ control }: Context, { namespace, name }: Target): Promise<string[]> {
  const [services, pods, virtualServices, destinationRules, own] = await Promise.all([
    control.services(),
    control.pods(),
    control.objects('VirtualService'),
    control.objects('DestinationRule'),
    control.object('Service', namespace, name ?? ''),
  ])
  const view = services.items.find((item) => item.name === name && item.namespace === namespace)
  if (view === undefined) return []
  const { selector } = (own.items[0]?.spec ?? {}) as { selector?: Record<string, string> }
  const rules = rulesFor(view.host, virtualServices.items, destinationRules.items)
  return describeService(view, selector ?? {}, rules, pods.items)
}

async function pod({ control, supervisor, namespace }: Context, name: string): Promise<string[]> {
  const [pods, services, proxies, certificates, ps] = await Promise.all([
    control.pods(),
    control.services(),
    control.proxies(),
    control.certificates(),
    supervisor.ps().catch(() => undefined),
  ])
  const own = (item: { namespace: string }): boolean => item.namespace === namespace
  const found = pods.items.filter(own).find((item) => item.name === name)
  const status = ps?.pods.filter(own).find((item) => item.name === name)
  if (found === undefined && status === undefined)
    throw new CliError(`there is no pod "${name}" in namespace "${namespace}"`)
  return describePod({
    pod: found,
    status,
    certificate: certificates.items.filter(own).find((item) => item.pod === name),
    proxy: proxies.items.find((item) => item.name === `${name}.${namespace}`),
    services: services.items.filter((view) => view.endpoints.some((e) => e.pod === name && e.namespace === namespace)),
    nowEpochMs: Date.now(),
  })
}

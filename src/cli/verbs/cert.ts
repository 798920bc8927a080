/** `cert ls`: the certificates that the CA has issued, with the time that each has left. */
import type { Command } from 'commander'
import type { CertificateStatus } from '../../client/contract.ts'
import { age, left } from '../age.ts'
import { withContext } from '../context.ts'
import { examples } from '../help.ts'
import { renderData, withOutput, type Format } from '../output.ts'
import type { Cell } from '../table.ts'

const HEADS = ['POD', 'NAMESPACE', 'IDENTITY', 'SERIAL', 'ISSUED', 'VALID', 'LEFT', 'ROTATIONS']

export function registerCert(program: Command): void {
  const cert = program.command('cert').description('certificates of the mesh')
  examples(cert, [['What each sidecar has, and for how long', 'cert ls']])
  const command = withOutput(cert.command('ls').description('list certificates, newest of each pod'), [
    'table',
    'json',
    'yaml',
  ])
  examples(command, [
    ['All', 'cert ls'],
    ['For a program', 'cert ls -o json'],
  ])
  command.action((flags: { output: Format }) =>
    withContext(command, async ({ control, print, note, table, paint }) => {
      const list = await control.certificates()
      if (flags.output === 'json' || flags.output === 'yaml') {
        print(await renderData(flags.output, { schema: 'pocketmesh.dev/certificates/v1', ...list }))
        return
      }
      const nowEpochMs = Date.now()
      const rows = list.items.map((item) => certificateRow(item, nowEpochMs))
      if (rows.length === 0) note('no certificate has been issued: no sidecar has run')
      else table(HEADS, rows)
      const { serial, notAfter, fingerprint256 } = list.root
      print(paint('dim', `root ${serial.slice(0, 16)}  ${left(notAfter, nowEpochMs)}  sha256 ${fingerprint256}`))
    }),
  )
}

export function certificateRow(item: CertificateStatus, nowEpochMs: number): Cell[] {
  const leftMs = Date.parse(item.notAfter) - nowEpochMs
  const validMs = Date.parse(item.notAfter) - Date.parse(item.notBefore)
  const text = left(item.notAfter, nowEpochMs)
  // renewal is at half-life: less than a quarter left means that it did not happen
  const late = leftMs < validMs / 4
  return [
    item.pod,
    item.namespace,
    item.spiffeId,
    item.serial.slice(0, 16),
    `${age(item.notBefore, nowEpochMs)} ago`,
    age(item.notBefore, Date.parse(item.notAfter)),
    late ? { text, tint: leftMs < 0 ? 'red' : 'yellow' } : text,
    String(item.issued - 1),
  ]
}

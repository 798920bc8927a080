/** Tools that a test would use, where they are installed. */
import { spawnSync } from 'node:child_process'
import type { Test } from 'tap'
import { namespaceSupport } from '../../src/supervisor/ns/support.ts'

/**
 * True when `name` is on PATH. Else the test is skipped with a line that says so, or fails where
 * POCKETMESH_REQUIRE_TOOLS=1 (CI installs them all).
 */
export function requireTool(t: Pick<Test, 'pass' | 'fail'>, name: string): boolean {
  const found = spawnSync('/bin/sh', ['-c', `command -v ${name}`], { stdio: 'ignore' }).status === 0
  if (found) return true
  if (process.env['POCKETMESH_REQUIRE_TOOLS'] === '1') t.fail(`${name} is not installed`)
  else t.pass(`${name} is not installed`, { skip: `needs ${name}` })
  return false
}

/** The folder of shared test data, where $POCKETMESH_SHARED names one; else the test is skipped. */
export function requireShared(t: Pick<Test, 'pass'>): string | undefined {
  const folder = process.env['POCKETMESH_SHARED']
  if (folder === undefined || folder === '') {
    t.pass('no shared data', { skip: 'set POCKETMESH_SHARED to the folder with the corpora' })
    return undefined
  }
  return folder
}

/** Whether this machine allows mode `ns`; else the test is skipped, or fails where all tools are required. */
export async function requireNamespaces(t: Pick<Test, 'pass' | 'fail'>): Promise<boolean> {
  const { ok, findings } = await namespaceSupport()
  if (ok) return true
  const why = findings.find((finding) => finding.level === 'bad')?.what ?? 'mode ns is not possible here'
  if (process.env['POCKETMESH_REQUIRE_TOOLS'] === '1') t.fail(why)
  else t.pass(why, { skip: `needs namespaces: ${why}` })
  return false
}

/** nginx as root gives its workers to another user, who could not read the benchmark's files: they stay root's. */
export function asSelf(): string[] {
  return process.getuid?.() === 0 ? ['-g', 'user root;'] : []
}

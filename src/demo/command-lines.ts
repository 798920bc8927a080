/**
 * A command as a terminal of some width shows it. In: its words. Out: lines, each but the last with a backslash, so
 * that what is copied from the screen is the command again.
 */
export function commandLines(words: readonly string[], columns: number, indent: string): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of words.map(shellWord)) {
    const longer = line === '' ? `${indent}${word}` : `${line} ${word}`
    if (line === '' || longer.length + ' \\'.length <= columns) line = longer
    else {
      lines.push(`${line} \\`)
      line = `${indent}  ${word}`
    }
  }
  return [...lines, line]
}

/** Quoted for a POSIX shell where it has to be. */
function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}

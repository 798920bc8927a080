/** `completion`: a script for the user's shell, written from the program's own tree of verbs and flags. */
import { Argument, type Command, type Option } from 'commander'
import { examples } from '../help.ts'
import { allResources } from '../resources.ts'

const SHELLS = ['bash', 'zsh', 'fish'] as const
type Shell = (typeof SHELLS)[number]

/** Verbs whose first argument is a kind. */
const TAKE_KIND = new Set(['get', 'describe', 'delete'])

export interface VerbWords {
  name: string
  description: string
  flags: string[]
  /** What may follow: sub-verbs, kinds, choices. */
  words: string[]
  /** What may follow a flag. */
  values: { flags: string[]; words: string[] }[]
}

export function registerCompletion(program: Command): void {
  const command = program
    .command('completion')
    .description('print a completion script for a shell')
    .addArgument(new Argument('<shell>', 'your shell').choices(SHELLS))
  examples(command, [
    ['In this bash', 'completion bash > ~/.pocketmesh-completion && . ~/.pocketmesh-completion'],
    ['In zsh', 'completion zsh > "${fpath[1]}/_pocketmesh"'],
    ['In fish', 'completion fish > ~/.config/fish/completions/pocketmesh.fish'],
  ])
  command.action((shell: Shell) => {
    process.stdout.write(completionScript(shell, wordsOf(program)))
  })
}

/** The visible verbs with what may follow each. */
export function wordsOf(program: Command): VerbWords[] {
  const visible = program.createHelp().visibleCommands(program)
  const globals = program.options.flatMap(flagsOf)
  return visible
    .filter((verb) => verb.name() !== 'help')
    .map((verb) => ({
      name: verb.name(),
      description: verb.description(),
      flags: [...verb.options.flatMap(flagsOf), ...globals, '--help'],
      words: [
        ...verb.commands.map((sub) => sub.name()),
        ...(TAKE_KIND.has(verb.name()) ? allResources().map((resource) => resource.plural.toLowerCase()) : []),
        ...verb.registeredArguments.flatMap((argument) => argument.argChoices ?? []),
      ],
      values: verb.options
        .map((option) => ({ flags: flagsOf(option), words: option.argChoices ?? [] }))
        .filter(({ flags, words }) => flags.length > 0 && words.length > 0),
    }))
}

function flagsOf(option: Option): string[] {
  if (option.hidden) return []
  return [option.short, option.long].filter((flag) => flag !== undefined && flag !== null)
}

export function completionScript(shell: Shell, verbs: readonly VerbWords[]): string {
  switch (shell) {
    case 'bash':
      return bash(verbs)
    case 'zsh':
      return zsh(verbs)
    case 'fish':
      return fish(verbs)
    default:
      return shell satisfies never
  }
}

function bash(verbs: readonly VerbWords[]): string {
  const cases = verbs.map((v) => `    ${v.name}) words="${[...v.words, ...v.flags].join(' ')}" ;;`)
  const afterFlags = valueCases(verbs).map(([flag, words]) => `    ${flag}) words="${words}" ;;`)
  return `# pocketmesh completion for bash
_pocketmesh() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" verb="" words="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "\${COMP_WORDS[i]}" in
      --home|-n|--namespace) ((i++)) ;;
      -*) ;;
      *) verb="\${COMP_WORDS[i]}"; break ;;
    esac
  done
  case "\${COMP_WORDS[COMP_CWORD-1]}" in
    -f|--filename|--home) COMPREPLY=($(compgen -f -- "$cur")); return ;;
  esac
  case "$verb" in
    "") words="${verbs.map((v) => v.name).join(' ')} --home --namespace --no-color --help" ;;
${cases.join('\n')}
  esac
  case "$verb \${COMP_WORDS[COMP_CWORD-1]}" in
${afterFlags.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -F _pocketmesh pocketmesh
`
}

function zsh(verbs: readonly VerbWords[]): string {
  const names = verbs.map((v) => `    '${v.name}:${quote(v.description).replaceAll(':', '\\:')}'`)
  const cases = verbs.map((v) => `    ${v.name}) compadd -- ${[...v.words, ...v.flags].join(' ')}; _files ;;`)
  const afterFlags = valueCases(verbs).map(([flag, words]) => `    ${flag}) compadd -- ${words}; return ;;`)
  return `#compdef pocketmesh
# pocketmesh completion for zsh
_pocketmesh() {
  local -a verbs
  verbs=(
${names.join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe 'verb' verbs
    return
  fi
  case "$words[2] $words[CURRENT-1]" in
${afterFlags.join('\n')}
  esac
  case "$words[2]" in
${cases.join('\n')}
    *) _files ;;
  esac
}
compdef _pocketmesh pocketmesh
`
}

function fish(verbs: readonly VerbWords[]): string {
  const lines = ['# pocketmesh completion for fish']
  for (const v of verbs) {
    lines.push(`complete -c pocketmesh -n __fish_use_subcommand -f -a ${v.name} -d '${quote(v.description)}'`)
    const seen = `-n '__fish_seen_subcommand_from ${v.name}'`
    if (v.words.length > 0) lines.push(`complete -c pocketmesh ${seen} -f -a '${v.words.join(' ')}'`)
    for (const flag of new Set(v.flags)) {
      const name = flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`
      const value = v.values.find(({ flags }) => flags.includes(flag))
      const words = value === undefined ? '' : ` -x -a '${value.words.join(' ')}'`
      lines.push(`complete -c pocketmesh ${seen} ${name}${words}`)
    }
  }
  return `${lines.join('\n')}\n`
}

/** A shell's pattern for `VERB FLAG`, and the words after it. */
function valueCases(verbs: readonly VerbWords[]): [pattern: string, words: string][] {
  return verbs.flatMap(({ name, values }) =>
    values.map(({ flags, words }): [string, string] => [
      flags.map((flag) => `'${name} ${flag}'`).join('|'),
      words.join(' '),
    ]),
  )
}

function quote(text: string): string {
  return text.replaceAll("'", '’')
}

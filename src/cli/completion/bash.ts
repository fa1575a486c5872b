import { wordsAt, type CompletionNode, type CompletionOption } from './tree';

/** Bash splits `--format=json` at the equals sign. */
export function bashScript(program: string, nodes: readonly CompletionNode[]): string {
  const name = `_${program.replaceAll('-', '_')}`;
  const paths = nodes.filter(({ path }) => path !== '').map(({ path }) => path);
  return `# bash completion of ${program}: source <(${program} completion bash)
${name}_files() {
  local IFS=$'\\n'
  compopt -o filenames 2>/dev/null
  COMPREPLY+=($(compgen -f -- "$1"))
}
${name}() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} at= words= files= i
  if [[ $cur == = ]]; then cur=
  elif [[ $prev == = ]]; then prev=\${COMP_WORDS[COMP_CWORD-2]}
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$at/\${COMP_WORDS[i]}" in
      ${paths.join('|')}) at="$at/\${COMP_WORDS[i]}" ;;
    esac
  done
  case "$at $prev" in
${nodes.flatMap((node) => valueCases(name, node)).join('\n')}
  esac
  case "$at" in
${nodes.map((node) => `    '${node.path}') words='${wordsAt(node).join(' ')}' files='${node.takesFiles ? 'yes' : ''}' ;;`).join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
  if [[ $files == yes && $cur != -* ]]; then ${name}_files "$cur"; fi
}
complete -F ${name} ${program}
`;
}

/** What stands behind a flag that takes a value. */
function valueCases(name: string, { path, options }: CompletionNode): string[] {
  return options.flatMap(({ flags, value }) => {
    const pattern = flags.map((flag) => `'${path} ${flag}'`).join('|');
    return value === 'none' ? [] : [`    ${pattern}) ${replyOf(name, value)} ;;`];
  });
}

function replyOf(name: string, value: CompletionOption['value']): string {
  if (value === 'file') return `COMPREPLY=(); ${name}_files "$cur"; return`;
  return Array.isArray(value) ? `COMPREPLY=($(compgen -W '${value.join(' ')}' -- "$cur")); return` : 'COMPREPLY=(); return';
}

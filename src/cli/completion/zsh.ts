import { quoted, type CompletionNode, type CompletionOption } from './tree';

/** With what each command and flag does. */
export function zshScript(program: string, nodes: readonly CompletionNode[]): string {
  const name = `_${program.replaceAll('-', '_')}`;
  const paths = nodes.filter(({ path }) => path !== '').map(({ path }) => path);
  return `#compdef ${program}
# zsh completion of ${program}: source <(${program} completion zsh)
${name}() {
  local at= prev=\${words[CURRENT-1]} i
  local -a found
  for ((i = 2; i < CURRENT; i++)); do
    case "$at/\${words[i]}" in
      (${paths.join('|')}) at="$at/\${words[i]}" ;;
    esac
  done
  case "$at $prev" in
${nodes.flatMap(valueCases).join('\n')}
  esac
  case "$at" in
${nodes.map(placeCase).join('\n')}
  esac
}
if (( ! $+functions[compdef] )); then autoload -Uz compinit && compinit; fi
compdef ${name} ${program}
`;
}

function valueCases({ path, options }: CompletionNode): string[] {
  return options.flatMap(({ flags, value }) => {
    const pattern = flags.map((flag) => quoted(`${path} ${flag}`)).join('|');
    return value === 'none' ? [] : [`    (${pattern}) ${replyOf(value)} ;;`];
  });
}

function replyOf(value: CompletionOption['value']): string {
  if (value === 'file') return '_files; return';
  return Array.isArray(value) ? `compadd -- ${value.join(' ')}; return` : 'return';
}

function placeCase({ path, commands, options, takesFiles, choices }: CompletionNode): string {
  const described = (word: string, description: string): string => quoted(`${word.replaceAll(':', '\\:')}:${description}`);
  const found = [
    ...commands.map(({ name, description }) => described(name, description)),
    ...choices.map((choice) => described(choice, '')),
    ...options.flatMap(({ flags, description }) => flags.map((flag) => described(flag, description))),
  ];
  return `    (${quoted(path)})\n      found=(${found.join(' ')})\n      _describe ${quoted('command')} found${takesFiles ? '\n      _files' : ''} ;;`;
}

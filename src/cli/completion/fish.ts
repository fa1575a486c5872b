import type { CompletionNode, CompletionOption } from './tree';

/** One rule a word; each asks where the line stands. */
export function fishScript(program: string, nodes: readonly CompletionNode[]): string {
  const place = `__${program.replaceAll('-', '_')}_at`;
  const paths = nodes.filter(({ path }) => path !== '').map(({ path }) => path);
  return `# fish completion of ${program}: ${program} completion fish | source
function ${place}
    set -l at ''
    for word in (commandline -opc)[2..-1]
        if contains -- "$at/$word" ${paths.join(' ')}
            set at "$at/$word"
        end
    end
    test "$at" = "$argv[1]"
end
complete -c ${program} -f
${nodes.flatMap((node) => rulesOf(program, place, node)).join('\n')}
`;
}

function rulesOf(program: string, place: string, { path, commands, options, takesFiles, choices }: CompletionNode): string[] {
  const rule = `complete -c ${program} -n ${quoted(`${place} '${path}'`)}`;
  return [
    ...commands.map(({ name, description }) => `${rule} -a ${quoted(name)} -d ${quoted(description)}`),
    ...choices.map((choice) => `${rule} -a ${quoted(choice)}`),
    ...options.map(({ flags, description, value }) => `${rule} ${flags.map(flagOf).join(' ')}${valueOf(value)} -d ${quoted(description)}`),
    ...(takesFiles ? [`${rule} -F`] : []),
  ];
}

function flagOf(flag: string): string {
  return flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`;
}

function valueOf(value: CompletionOption['value']): string {
  if (value === 'none') return '';
  if (value === 'file') return ' -r -F';
  return Array.isArray(value) ? ` -x -a ${quoted(value.join(' '))}` : ' -x';
}

/** Within single quotes fish knows these two escapes. */
function quoted(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`;
}
